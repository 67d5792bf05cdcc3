import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { trainArmo } from "../../src/armo/train.ts";
import { trainModel } from "../../src/armo/train-model.ts";
import { labelsOf, planLabels } from "../../src/armo/training-labels.ts";
import { toFloat32 } from "../../src/checkpoint/dtypes.ts";
import { readSafetensors, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { embed } from "../../src/embedding/embed.ts";
import { openEmbedder } from "../../src/embedding/embedder.ts";
import { openEmbeddingSet } from "../../src/embedding/embedding-set.ts";
import { exportEmbeddings } from "../../src/embedding/export-embeddings.ts";
import { type ImportOptions, importEmbeddings } from "../../src/embedding/import-embeddings.ts";
import { openModelDirectory } from "../../src/opening/open-model-directory.ts";
import { scorePairSets } from "../../src/scoring/score-embeddings.ts";

import {
  asStored,
  bf16,
  H,
  OBJECTIVES,
  prompts,
  ratings,
  states,
  writePairs,
  writeRatings,
} from "./reference-fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-reference-"));
const at = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

const mount = (path: string, bytes: number) =>
  spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path]).status === 0;
const canMount = mount(folder, 1 << 20);
if (canMount) spawnSync("umount", [folder]);
else console.log("skipped: no mount, so no small disk");

const start = (options: Partial<ImportOptions> & Pick<ImportOptions, "files" | "out">) =>
  importEmbeddings({ backbone: "tiny", ...options });

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

const joined = (pieces: readonly Float32Array[]) => Float32Array.from(pieces.flatMap((piece) => [...piece]));

let ratingFiles: string[];
beforeAll(async () => {
  ratingFiles = await writeRatings(at("stage-1"));
  await writePairs(at("pairs.safetensors"));
  await start({ files: ratingFiles.toReversed(), out: at("ratings"), objectives: OBJECTIVES, partRows: 32 });
  await start({ files: [at("pairs.safetensors")], out: at("imported-pairs"), partRows: 25 });
});

describe("the reference's files become an embedding set", () => {
  test("of ratings, in order over the files, with their labels and what is known of each column", async () => {
    const set = await openEmbeddingSet(at("ratings"));
    expect(set.manifest).toMatchObject({
      kind: "ratings",
      complete: true,
      rowsIn: 90,
      rowsOut: 90,
      maxTokens: null,
      backbone: { location: "tiny", hiddenSize: H, dtype: "bf16" },
      imported: { layout: "reference", promptHashes: "embeddings", promptDifferences: null },
    });
    expect(set.manifest.objectives.map(({ name, source, rows }) => [name, source, rows])).toEqual([
      ["kind", "mine", 90],
      ["true", "rated", 60],
      ["terse", "rated", 90],
    ]);
    const chunks = await collect(set.ratings());
    expect(chunks.length).toBeGreaterThan(1);
    expect(joined(chunks.map(({ embeddings }) => embeddings))).toEqual(asStored(ratings.states));
    expect(joined(chunks.map(({ labels }) => labels))).toEqual(ratings.labels);
    expect(chunks.every(({ responseTokens }) => responseTokens === null)).toBe(true);
    const rows = chunks.flatMap((chunk) => [...chunk.rows]);
    expect(rows.map(({ row }) => row)).toEqual(Array.from({ length: 90 }, (_, i) => i));
    expect(rows.every(({ id, subset, source }) => id === null && subset === null && source === "rated")).toBe(
      true,
    );
  });

  test("of pairs, with one prompt embedding each, and equal prompts known as equal", async () => {
    const set = await openEmbeddingSet(at("imported-pairs"));
    const chunks = await collect(set.pairs());
    expect(joined(chunks.map(({ embeddings }) => embeddings))).toEqual(asStored(states));
    const once = Float32Array.from(
      { length: 60 * H },
      (_, i) => prompts[2 * Math.floor(i / H) * H + (i % H)]!,
    );
    expect(joined(chunks.map(({ promptEmbeddings }) => promptEmbeddings))).toEqual(asStored(once));
    const hashes = chunks.flatMap(({ rows }) => rows.map(({ promptHash }) => promptHash));
    expect(new Set(hashes).size).toBe(30);
    for (let i = 0; i < 60; i += 2) expect(hashes[i]).toBe(hashes[i + 1]);
    expect(set.manifest.imported?.promptDifferences).toEqual({ rows: 0, largest: 0 });
  });

  test("with a whole folder as its files, and the same again over what a killed import has left", async () => {
    const manifest = await start({
      files: [at("stage-1")],
      out: at("ratings"),
      objectives: OBJECTIVES,
      partRows: 32,
    });
    expect(manifest).toEqual((await openEmbeddingSet(at("ratings"))).manifest);
  });

  test("by one import at a time, which neither disturbs another nor writes again what is there", async () => {
    const files = [at("pairs.safetensors")];
    const plans: object[] = [];
    const both = await Promise.allSettled(
      [0, 1].map(() => start({ files, out: at("at-once"), partRows: 5, onPlan: (plan) => plans.push(plan) })),
    );
    const refused = both.filter(({ status }) => status === "rejected");
    // The second one may also have come when the first was done.
    for (const one of refused) expect(one).toMatchObject({ reason: { code: "set-in-use" } });
    expect(plans).toHaveLength(1);
    const names = readdirSync(at("at-once"));
    expect(names).toHaveLength(13);
    const times = names.map((name) => statSync(at("at-once", name)).mtimeMs);
    const again = await start({ files, out: at("at-once"), partRows: 5, onPlan: (plan) => plans.push(plan) });
    expect(again).toEqual((await openEmbeddingSet(at("at-once"))).manifest);
    expect(plans).toHaveLength(1);
    expect(names.map((name) => statSync(at("at-once", name)).mtimeMs)).toEqual(times);
    truncateSync(at("at-once", names[5]!), 100);
    await start({ files, out: at("at-once"), partRows: 5, onPlan: (plan) => plans.push(plan) });
    expect(plans).toHaveLength(2);
    const set = await openEmbeddingSet(at("at-once"));
    const pairs = await collect(set.pairs());
    expect(joined(pairs.map(({ embeddings }) => embeddings))).toEqual(asStored(states));
  });

  test.skipIf(!canMount)(
    "on a disk with room for it once, again and with a part that was damaged",
    async () => {
      const options = { files: [at("pairs.safetensors")], out: at("small"), partRows: 5 };
      await start({ ...options, out: at("measured") });
      const bytes = readdirSync(at("measured")).reduce(
        (sum, name) => sum + statSync(at("measured", name)).size,
        0,
      );
      mkdirSync(at("small"));
      mount(at("small"), Math.round(1.5 * bytes));
      try {
        await start(options);
        await start(options);
        const file = at("small", readdirSync(at("small"))[5]!);
        truncateSync(file, 100);
        await start(options);
        expect(statSync(file).size).toBeGreaterThan(100);
      } finally {
        spawnSync("umount", [at("small")]);
      }
    },
  );

  test("without a column that nobody has rated", async () => {
    const labels = Float32Array.from(ratings.labels, (value, i) => (i % 3 === 1 ? Number.NaN : value));
    await writeSafetensors(at("gap.safetensors"), {
      embeddings: bf16([90, H], ratings.states),
      labels: { dtype: "F32", shape: [90, 3], data: labels },
    });
    await start({ files: [at("gap.safetensors")], out: at("gap"), objectives: OBJECTIVES });
    const set = await openEmbeddingSet(at("gap"));
    expect(set.manifest.objectives.map(({ name }) => name)).toEqual(["kind", "terse"]);
    const [chunk] = await collect(set.ratings());
    expect(chunk!.labels).toEqual(labels.filter((_, i) => i % 3 !== 1));
  });
});

describe("rows that cannot be used are counted, each with its reason", () => {
  test("numbers that are not finite, and pairs whose sides answer different prompts; rounding is not", async () => {
    const row = (i: number, side: number) => [(2 * i + side) * H, (2 * i + side + 1) * H] as const;
    await writePairs(at("odd.safetensors"), ({ embeddings, prompt_embeddings }) => {
      embeddings[row(3, 1)[0] + 7] = Number.NaN;
      prompt_embeddings[row(8, 0)[0]] = Number.POSITIVE_INFINITY;
      prompt_embeddings.set(prompts.subarray(...row(40, 0)), row(10, 1)[0]);
      for (let k = row(20, 1)[0]; k < row(20, 1)[1]; k++) prompt_embeddings[k]! *= 1 + 2 ** -8;
    });
    const { rejections, rowsOut, imported } = await start({ files: [at("odd.safetensors")], out: at("odd") });
    expect(rowsOut).toBe(57);
    expect(rejections.map(({ row, kind }) => [row, kind])).toEqual([
      [3, "invalid"],
      [8, "invalid"],
      [10, "invalid"],
    ]);
    expect(rejections[2]!.reason).toMatch(/different prompts: their embeddings differ by 1\d\d %/);
    expect(imported?.promptDifferences?.rows).toBe(1);
    expect(imported?.promptDifferences?.largest).toBeGreaterThan(0.001);
    expect(imported?.promptDifferences?.largest).toBeLessThan(0.01);
    const [chunk] = await collect((await openEmbeddingSet(at("odd"))).pairs());
    expect(chunk!.rows.map((info) => info.row).slice(0, 5)).toEqual([0, 1, 2, 4, 5]);
    expect(chunk!.embeddings.slice(3 * 2 * H, 4 * 2 * H)).toEqual(
      asStored(states.slice(4 * 2 * H, 5 * 2 * H)),
    );
  });

  test("infinite labels; and nothing but such rows is refused", async () => {
    const labels = Float32Array.from({ length: 6 }, (_, i) => (i < 3 ? Number.POSITIVE_INFINITY : 1));
    const embeddings = bf16([2, H], ratings.states.slice(0, 2 * H));
    await writeSafetensors(at("infinite.safetensors"), {
      embeddings,
      labels: { dtype: "F32", shape: [2, 3], data: labels },
    });
    const options = { files: [at("infinite.safetensors")], objectives: OBJECTIVES };
    expect(await start({ ...options, out: at("infinite") })).toMatchObject({ rowsIn: 2, rowsOut: 1 });
    await writeSafetensors(at("none.safetensors"), {
      embeddings,
      labels: { dtype: "F32", shape: [2, 3], data: new Float32Array(6).fill(Number.NaN) },
    });
    await expect(
      start({ files: [at("none.safetensors")], objectives: OBJECTIVES, out: at("none") }),
    ).rejects.toMatchObject({
      code: "no-usable-rows",
    });
  });
});

describe("files that do not belong together, or are none, are refused", () => {
  const refused = (files: readonly string[], options: Partial<ImportOptions> = {}) =>
    expect(start({ files, out: at("refused"), objectives: OBJECTIVES, ...options })).rejects;

  test("a series with a file missing, or one twice", async () => {
    await refused([ratingFiles[1]!]).toMatchObject({
      code: "incomplete-series",
      message: expect.stringContaining("each of its 2 files once, got number 1 not at all"),
    });
    await refused([...ratingFiles, ratingFiles[0]!]).toThrow("number 1 2 times");
  });

  test("files of two series, kinds or types", async () => {
    await refused([ratingFiles[0]!, at("pairs.safetensors")]).toMatchObject({ code: "mixed-files" });
    cpSync(ratingFiles[0]!, at("mix-00001-of-00002.safetensors"));
    cpSync(at("pairs.safetensors"), at("mix-00002-of-00002.safetensors"));
    await refused([1, 2].map((i) => at(`mix-0000${i}-of-00002.safetensors`))).toMatchObject({
      code: "mixed-files",
    });
    const tensors = await readSafetensors(ratingFiles[1]!);
    tensors.set("embeddings", { dtype: "F32", shape: [40, H], data: toFloat32(tensors.get("embeddings")!) });
    await writeSafetensors(at("mix-00002-of-00002.safetensors"), tensors);
    await refused([1, 2].map((i) => at(`mix-0000${i}-of-00002.safetensors`))).toThrow("bf16 and f32");
  });

  test("pickles, which are never read, whatever they hold", async () => {
    writeFileSync(at("embeddings.pt"), "c__builtin__\nexec\n");
    await refused([at("embeddings.pt")]).toMatchObject({
      code: "pickled-embeddings",
      remedy: expect.stringContaining("save_file"),
    });
  });

  test("other tensors, other shapes, and embedding sets of armorm, which need no import", async () => {
    await writeSafetensors(at("bare.safetensors"), { embeddings: bf16([90, H], ratings.states) });
    await refused([at("bare.safetensors")]).toMatchObject({ code: "not-embeddings" });
    await writeSafetensors(at("once.safetensors"), {
      embeddings: bf16([60, 2, H], states),
      prompt_embeddings: bf16([60, H], states.slice(0, 60 * H)),
    });
    await refused([at("once.safetensors")]).toThrow("prompt_embeddings [N, 2, H]");
    await refused([at("ratings")]).toThrow("got an embedding set of armorm");
  });

  test("labels without names, names for pairs, and another backbone's width", async () => {
    const none = { files: ratingFiles, out: at("refused") };
    await expect(start(none)).rejects.toMatchObject({
      code: "missing-objectives",
      message: expect.stringContaining("names for its 3 columns of labels, got none"),
    });
    await refused(ratingFiles, { objectives: OBJECTIVES.slice(1) }).toThrow("3 columns of labels, got 2");
    await refused([at("pairs.safetensors")]).toThrow("no names of objectives for pairs");
    await refused(ratingFiles, {
      backbone: join(import.meta.dirname, "../golden/backbones/llama-causal-f32"),
    }).toMatchObject({
      code: "wrong-backbone",
      message: expect.stringContaining("64 wide, got 256"),
    });
  });

  test("a folder that holds something else", async () => {
    await refused(ratingFiles, { out: at("imported-pairs") }).toMatchObject({ code: "output-not-empty" });
  });
});

describe("what is unknown stays unknown in training", () => {
  const gating = { steps: 5, hiddenDim: 8 };

  test("no length objective, no length baselines, no prompts to look up", async () => {
    const [rated, paired] = [
      await openEmbeddingSet(at("ratings")),
      await openEmbeddingSet(at("imported-pairs")),
    ];
    const { report, heads, trainingKeys } = await trainArmo({
      ratings: [rated],
      pairs: [paired],
      debias: ["terse"],
      gating,
    });
    expect(heads.objectives.map(({ name }) => name)).toEqual(["kind", "true", "terse"]);
    expect(report.accuracy["prefer the longer"]).toBeNaN();
    expect(report.accuracy["prefer the shorter"]).toBeNaN();
    expect(report.accuracy["regression mean"]).toBeGreaterThanOrEqual(0);
    expect(trainingKeys).toBeNull();
    expect(report.options.debias).toEqual(["terse"]);

    await trainModel({ ratings: [rated], pairs: [paired], gating, out: at("model") });
    const model = await openModelDirectory(at("model"));
    expect(model).toMatchObject({ trainedOn: null, trainingPrompts: null });
    expect(readFileSync(join(at("model"), "README.md"), "utf8")).toContain("texts are not known");
    expect(readdirSync(at("model"))).not.toContain("training-prompts.safetensors");
    const [first] = await collect(scorePairSets(model, [paired], { limit: 1 }));
    expect(first).toMatchObject({ chosen: { tokens: Number.NaN }, rejected: { tokens: Number.NaN } });
  });

  test("length asked for by name is refused", async () => {
    const [rated, paired] = [
      await openEmbeddingSet(at("ratings")),
      await openEmbeddingSet(at("imported-pairs")),
    ];
    const options = { ratings: [rated], pairs: [paired], gating };
    await expect(trainArmo({ ...options, objectives: ["kind", "length"] })).rejects.toMatchObject({
      code: "unknown-objective",
    });
  });

  test("overlaps that cannot be counted are refused, not counted as none", async () => {
    const [rated, paired] = [
      await openEmbeddingSet(at("ratings")),
      await openEmbeddingSet(at("imported-pairs")),
    ];
    const options = { ratings: [rated], pairs: [paired], evaluation: [paired], gating };
    await expect(trainArmo(options)).rejects.toMatchObject({ code: "unknown-prompts" });
  });
});

describe("an embedding set becomes the reference's files", () => {
  test("ratings and labels under their names, shapes and numbers, a file per part", async () => {
    const set = await openEmbeddingSet(at("ratings"));
    const result = await exportEmbeddings(set, at("written"));
    expect(result).toMatchObject({ name: "ratings", rows: 90, objectives: ["kind", "true", "terse"] });
    expect(readdirSync(at("written")).sort()).toEqual(
      [1, 2, 3].map((i) => `ratings-0000${i}-of-00003.safetensors`),
    );
    const files = await Promise.all(result.files.map(readSafetensors));
    for (const file of files) expect([...file.keys()].sort()).toEqual(["embeddings", "labels"]);
    expect(files.map((file) => file.get("embeddings")!.shape)).toEqual([
      [32, H],
      [32, H],
      [26, H],
    ]);
    const all = (name: string) => joined(files.map((file) => toFloat32(file.get(name)!)));
    expect(all("embeddings")).toEqual(asStored(ratings.states));
    expect(all("labels")).toEqual(ratings.labels);
  });

  test("pairs with their prompt embedding twice; a single file has no number", async () => {
    await start({ files: [at("pairs.safetensors")], out: at("whole-pairs") });
    const result = await exportEmbeddings(await openEmbeddingSet(at("whole-pairs")), at("written"));
    expect(result.files).toEqual([at("written", "whole-pairs.safetensors")]);
    const tensors = await readSafetensors(result.files[0]!);
    expect([...tensors.keys()].sort()).toEqual(["embeddings", "prompt_embeddings"]);
    for (const [name, values] of [
      ["embeddings", states],
      ["prompt_embeddings", prompts],
    ] as const) {
      expect(tensors.get(name)!.shape).toEqual([60, 2, H]);
      expect(toFloat32(tensors.get(name)!)).toEqual(asStored(values));
    }
  });

  test("and comes back as the same set, with the type of its hidden states", async () => {
    await start({ files: [at("written", "whole-pairs.safetensors")], out: at("returned") });
    const [before, after] = [
      await openEmbeddingSet(at("whole-pairs")),
      await openEmbeddingSet(at("returned")),
    ];
    expect(after.manifest.backbone).toEqual(before.manifest.backbone);
    const pick = async (set: typeof before) =>
      (await collect(set.pairs())).map(({ embeddings, promptEmbeddings, rows }) => ({
        embeddings,
        promptEmbeddings,
        hashes: rows.map(({ promptHash }) => promptHash),
      }));
    expect(await pick(after)).toEqual(await pick(before));
  });

  test("never beside files of its name, which the reference would read too", async () => {
    const set = await openEmbeddingSet(at("whole-pairs"));
    await expect(exportEmbeddings(set, at("written"))).rejects.toMatchObject({
      code: "output-exists",
      message: expect.stringContaining("got whole-pairs.safetensors"),
    });
  });
});

describe("a set that knows its texts, beside one that came back without them", () => {
  beforeAll(async () => {
    const rows = Array.from({ length: 24 }, (_, i) => ({
      prompt: `Count to ${i}.`,
      response: "one ".repeat(1 + (i % 5)).trim(),
      ratings: { kind: i % 4 },
    }));
    writeFileSync(at("rows.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
    await using embedder = await openEmbedder("tiny", { threads: 1 });
    const { backbone, chat, chatSettings, location } = embedder;
    const data = [parseDataLocation(at("rows.jsonl"))];
    await embed(backbone, chat, { chatSettings, location, kind: "ratings", data, out: at("own") });
    const { files } = await exportEmbeddings(await openEmbeddingSet(at("own")), at("exchange"));
    await start({ files, out: at("own-again"), objectives: [{ name: "kind", source: "rows" }] });
  });

  test("has the same numbers, backbone, chat and objectives", async () => {
    const [own, again] = [await openEmbeddingSet(at("own")), await openEmbeddingSet(at("own-again"))];
    expect(again.manifest.backbone).toEqual(own.manifest.backbone);
    expect(again.manifest.chat).toEqual(own.manifest.chat);
    expect(again.manifest.objectives).toEqual(own.manifest.objectives);
    const [[a], [b]] = [await collect(own.ratings()), await collect(again.ratings())];
    expect([b!.embeddings, b!.labels]).toEqual([a!.embeddings, a!.labels]);
  });

  test("the derived length is a label of the rows that know it, and missing in the others", async () => {
    const [own, again] = [await openEmbeddingSet(at("own")), await openEmbeddingSet(at("own-again"))];
    const plan = await planLabels([again, own]);
    expect(plan.objectives.map(({ name }) => name)).toEqual(["kind", "length"]);
    const lengths = async (set: typeof own) => {
      const [chunk] = await collect(set.ratings());
      return labelsOf(plan, set.manifest, chunk!).filter((_, i) => i % 2 === plan.lengthColumn);
    };
    const known = await lengths(own);
    expect([Math.min(...known), Math.max(...known)]).toEqual([0, 1]);
    expect((await lengths(again)).every(Number.isNaN)).toBe(true);
    expect((await planLabels([again])).objectives.map(({ name }) => name)).toEqual(["kind"]);
  });

  test("nor may its prompts be compared with imported ones", async () => {
    const pairs = await openEmbeddingSet(at("imported-pairs"));
    const options = { ratings: [await openEmbeddingSet(at("ratings"))], pairs: [pairs] };
    const evaluation = [await openEmbeddingSet(at("own"))];
    await expect(trainArmo({ ...options, evaluation })).rejects.toThrow("got texts");
  });
});

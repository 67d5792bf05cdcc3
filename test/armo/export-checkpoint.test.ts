import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ExportOptions, exportCheckpoint } from "../../src/armo/export-checkpoint.ts";
import type { Heads } from "../../src/armo/heads.ts";
import type { ArmoDirectory } from "../../src/armo/model-directory.ts";
import { publishedTensors } from "../../src/armo/published-tensors.ts";
import { writeTrainingPrompts } from "../../src/armo/training-prompts.ts";
import { promptKey } from "../../src/armo/training-rows.ts";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import {
  readSafetensors,
  readTensor,
  type Tensor,
  type TensorRange,
  writeSafetensors,
} from "../../src/checkpoint/safetensors.ts";
import { planShards } from "../../src/checkpoint/sharded-writer.ts";
import { findTensors } from "../../src/checkpoint/shards.ts";
import { promptHash } from "../../src/data/prompt-hash.ts";
import { openModelDirectory } from "../../src/opening/open-model-directory.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { writeSmallModel } from "../cli/small-model.ts";
import { overBackbone, randomHeads } from "./random-heads.ts";

const golden = join(import.meta.dirname, "../golden");
const folder = mkdtempSync(join(tmpdir(), "armorm-export-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const prompt = [{ role: "user", content: "Name a prime." }];
const conversation = [...prompt, { role: "assistant", content: "Seven." }];

async function openArmo(directory: string): Promise<ArmoDirectory> {
  const model = await openModelDirectory(directory);
  if (model.kind !== "armorm") throw new Error(`${directory} is no ArmoRM`);
  return model;
}

/** Every tensor's type, shape and values. */
async function contentsOf(directory: string): Promise<Record<string, unknown>> {
  const entries = [...(await findTensors(directory))].sort(([a], [b]) => (a < b ? -1 : 1));
  const contents: Record<string, unknown> = {};
  for (const [name, range] of entries) {
    const { dtype, shape, data } = await readTensor(range);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    contents[name] = { dtype, shape, sha256: createHash("sha256").update(bytes).digest("hex") };
  }
  return contents;
}

const shapesOf = (tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>) =>
  Object.fromEntries([...tensors].map(([name, { shape }]) => [name, [...shape]] as const).sort());

describe.each([
  ["armorm-f32", "f32"],
  ["armorm-bf16-sharded", "bf16"],
] as const)("the golden checkpoint %s, exported again", (name, headsDtype) => {
  const directory = join(golden, "armorm", name);
  const out = at(name);
  beforeAll(async () => {
    await exportCheckpoint(await openArmo(directory), { out, headsDtype });
  });

  test("has the same tensors: names, types, shapes and every byte", async () => {
    expect(await contentsOf(out)).toEqual(await contentsOf(directory));
  });

  test("says the same in every field that the published class reads", () => {
    const config = JSON.parse(readFileSync(join(out, "config.json"), "utf8"));
    const { auto_map, id2label, label2id, _name_or_path, ...original } = JSON.parse(
      readFileSync(join(directory, "config.json"), "utf8"),
    );
    expect(config).toMatchObject(original);
    expect(config).not.toHaveProperty("auto_map");
    expect(Object.keys(config.id2label)).toEqual(Object.keys(id2label));
    expect(config.id2label[4]).toBe("helpsteer-verbosity");
  });

  test("scores as before, to the last bit", async () => {
    const { cases, gating_token_pattern: gatingTokenPattern } = JSON.parse(
      readFileSync(join(directory, "expected.json"), "utf8"),
    );
    const ids = cases.map((c: { input_ids: number[] }) => c.input_ids);
    await using original = await openRewardModel(directory, { gatingTokenPattern, threads: 1 });
    await using exported = await openRewardModel(out, { gatingTokenPattern, threads: 1 });
    const scores = await original.scoreTokens(ids);
    expect(await exported.scoreTokens(ids)).toEqual(scores.map((score) => ({ ...score, model: out })));
    expect(exported).toMatchObject({ marginScale: null, trainedOn: null });
  });
});

describe("a model that armorm has written, over the built-in backbone", () => {
  beforeAll(async () => {
    await writeSmallModel(at("small"));
    await writeTrainingPrompts(at("small"), BigUint64Array.of(promptKey(promptHash(prompt))));
    writeFileSync(join(at("small"), "README.md"), "# How it was trained\n");
    await exportCheckpoint(await openArmo(at("small")), { out: at("merged"), shardBytes: 2e6 });
  });

  test("opens alone with the same scores to the last bit, names, scales, margin scale and prompts", async () => {
    await using original = await openRewardModel(at("small"), { threads: 1 });
    await using merged = await openRewardModel(at("merged"), { threads: 1 });
    const [score] = await original.score([conversation]);
    expect(await merged.score([conversation])).toEqual([{ ...score, model: at("merged") }]);
    expect(merged.objectives).toEqual(original.objectives);
    expect(merged.marginScale).toBe(5);
    expect(merged.trainedOn?.(promptHash(prompt))).toBe(true);
    expect(merged.trainedOn?.(promptHash([{ role: "user", content: "Hi" }]))).toBe(false);
    expect(Object.keys(score!.ratings)).toEqual(["kind"]);
  });

  test("keeps the backbone's fingerprint: embeddings of the one are embeddings of the other", async () => {
    const [merged, tiny] = [await openCheckpoint(at("merged")), await openCheckpoint("tiny")];
    expect(merged.fingerprint).toBe(tiny.fingerprint);
    expect((await openArmo(at("merged"))).chat).toEqual((await openArmo(at("small"))).chat);
  });

  test("is cut into shards with an index of where each tensor lies", async () => {
    const index = JSON.parse(readFileSync(join(at("merged"), "model.safetensors.index.json"), "utf8"));
    const files = readdirSync(at("merged")).filter((name) =>
      /^model-0000\d-of-00004\.safetensors$/.test(name),
    );
    expect([...new Set(Object.values(index.weight_map))].sort()).toEqual(files.sort());
    let bytes = 0;
    for (const file of files) {
      for (const [name, { data }] of await readSafetensors(join(at("merged"), file))) {
        expect(index.weight_map[name]).toBe(file);
        bytes += data.byteLength;
      }
    }
    expect(index.metadata.total_size).toBe(bytes);
    expect(existsSync(join(at("merged"), "model.safetensors"))).toBe(false);
  });

  test("has its tokenizer, the training's card, and a card that names the backbone's licence", () => {
    const names = readdirSync(at("merged"));
    expect(names).toEqual(expect.arrayContaining(["tokenizer.json", "tokenizer_config.json", "TRAINING.md"]));
    expect(names.some((name) => name.startsWith(".") || name.endsWith(".tmp"))).toBe(false);
    const card = readFileSync(join(at("merged"), "README.md"), "utf8");
    expect(card).toMatch(/^---\nlicense: apache-2\.0\n/);
    expect(card).toContain("The backbone's licence, apache-2.0");
    expect(card).not.toContain("Built with");
    expect(card).toContain("| kind | mine | reward · 4 + 1 |");
  });

  test("in bf16 has every head rounded to the nearest, and scores near the original", async () => {
    await exportCheckpoint(await openArmo(at("small")), { out: at("bf16"), headsDtype: "bf16" });
    const heads = (await openArmo(at("small"))).heads;
    const { regression } = (await openArmo(at("bf16"))).heads;
    for (const [i, value] of regression.entries())
      expect(Math.abs(value - heads.regression[i]!)).toBeLessThanOrEqual(
        2 ** -8 * Math.abs(heads.regression[i]!),
      );
    expect([...regression].some((value, i) => value !== heads.regression[i])).toBe(true);
  });

  test("exported once more is the same again", async () => {
    await exportCheckpoint(await openArmo(at("merged")), { out: at("again"), shardBytes: 2e6 });
    expect(await contentsOf(at("again"))).toEqual(await contentsOf(at("merged")));
    expect(readFileSync(join(at("again"), "config.json"))).toEqual(
      readFileSync(join(at("merged"), "config.json")),
    );
  });
});

describe.each(readdirSync(join(golden, "backbones")))("over %s", (name) => {
  const directory = join(golden, "backbones", name);

  test("the backbone stays what it is, its own head goes, and the class has the family's name", async () => {
    const source = await openCheckpoint(directory);
    const hiddenSize = Number(source.config.hidden_size);
    const heads = randomHeads(hiddenSize);
    const result = await exportCheckpoint(overBackbone(directory, heads), {
      out: at(name),
      shardBytes: 30_000,
    });
    const written = await findTensors(at(name));
    const backbone = [...source.tensors].filter(([tensor]) => tensor.startsWith("model."));
    const others = [...source.tensors.keys()].filter((tensor) => !tensor.startsWith("model."));
    expect(shapesOf(written)).toEqual({ ...shapesOf(new Map(backbone)), ...shapesOf(headShapes(heads)) });
    expect(result.leftOut).toEqual(others);
    expect(result.className).toMatch(/^(Llama|Mistral|Qwen2|Qwen3|Gemma2?|Phi3)ForRewardModelWithGating$/);
    expect((await openCheckpoint(at(name))).fingerprint).toBe(source.fingerprint);

    await using original = await openBackbone(directory, { threads: 1, dtype: "f32" });
    await using exported = await openBackbone(at(name), { threads: 1, dtype: "f32" });
    const request = [{ ids: [3, 17, 5, 40, 8] }];
    expect(await exported.hiddenStates(request)).toEqual(await original.hiddenStates(request));
    expect((await openArmo(at(name))).heads).toEqual(heads);
  });
});

test("a bare backbone, whose tensors have no prefix, gets it", async () => {
  const directory = join(golden, "backbones/llama-causal-f32");
  const source = await openCheckpoint(directory);
  const bare = new Map<string, Tensor>();
  for (const [name, range] of source.tensors)
    if (name.startsWith("model.")) bare.set(name.slice("model.".length), await readTensor(range));
  mkdirSync(at("bare"));
  await writeSafetensors(join(at("bare"), "model.safetensors"), bare);
  const config = { ...source.config, architectures: ["LlamaModel"] };
  writeFileSync(join(at("bare"), "config.json"), JSON.stringify(config));
  await exportCheckpoint(overBackbone(at("bare"), randomHeads(64)), { out: at("wrapped") });
  const names = [...(await findTensors(at("wrapped"))).keys()].filter((name) => name.startsWith("model."));
  expect(names.sort()).toEqual([...source.tensors.keys()].filter((name) => name.startsWith("model.")).sort());
  expect((await openCheckpoint(at("wrapped"))).fingerprint).toBe(
    (await openCheckpoint(at("bare"))).fingerprint,
  );
});

test("over Llama 3 8B: the published checkpoint's 301 tensors, name by name and shape by shape, in four files", () => {
  // Sizes: config.json of Llama 3 8B with the published checkpoint's vocabulary; heads: modeling_custom.py of
  // RLHFlow/ArmoRM-Llama3-8B-v0.1 with its defaults.
  const [layers, H, I, kv, vocabulary, K, D] = [32, 4096, 14_336, 1024, 128_257, 19, 1024];
  const expected: Record<string, number[]> = {
    "model.embed_tokens.weight": [vocabulary, H],
    "model.norm.weight": [H],
    "regression_layer.weight": [K, H],
    reward_transform_matrix: [K, K],
    "gating.logit_scale": [1],
    "gating.layers.0.weight": [D, H],
    "gating.layers.0.bias": [D],
    "gating.layers.1.weight": [D, D],
    "gating.layers.1.bias": [D],
    "gating.layers.2.weight": [D, D],
    "gating.layers.2.bias": [D],
    "gating.layers.3.weight": [K, D],
    "gating.layers.3.bias": [K],
  };
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}.`;
    expected[`${layer}input_layernorm.weight`] = [H];
    expected[`${layer}post_attention_layernorm.weight`] = [H];
    expected[`${layer}self_attn.q_proj.weight`] = [H, H];
    expected[`${layer}self_attn.k_proj.weight`] = [kv, H];
    expected[`${layer}self_attn.v_proj.weight`] = [kv, H];
    expected[`${layer}self_attn.o_proj.weight`] = [H, H];
    expected[`${layer}mlp.gate_proj.weight`] = [I, H];
    expected[`${layer}mlp.up_proj.weight`] = [I, H];
    expected[`${layer}mlp.down_proj.weight`] = [H, I];
  }
  expect(Object.keys(expected)).toHaveLength(301);

  // A causal checkpoint of that size, of which only the header is there.
  const ranges = new Map<string, TensorRange>();
  const heads = /^(regression|reward|gating)/;
  const shapes = Object.entries({ "lm_head.weight": [vocabulary, H], ...expected });
  for (const [name, shape] of shapes.toReversed()) {
    if (heads.test(name)) continue;
    const length = 2 * shape.reduce((product, size) => product * size, 1);
    ranges.set(name, { name, dtype: "BF16", shape, file: "/nowhere", offset: 0, length });
  }
  const { tensors, leftOut } = publishedTensors(
    ranges,
    randomHeads(H, { K, hidden: [D, D, D], zeros: true }),
    "bf16",
  );
  expect(shapesOf(tensors)).toEqual(Object.fromEntries(Object.entries(expected).sort()));
  expect(leftOut).toEqual(["lm_head.weight"]);
  expect(new Set([...tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(["BF16"]));
  expect([...tensors.keys()].slice(0, 2)).toEqual([
    "model.embed_tokens.weight",
    expect.stringContaining("layers.0."),
  ]);
  const shards = planShards(tensors, 5e9);
  expect(shards.map(({ file }) => file)).toEqual(
    [1, 2, 3, 4].map((i) => `model-0000${i}-of-00004.safetensors`),
  );
  for (const { layout } of shards) expect(layout.bytes).toBeLessThan(5e9 + 100_000);
});

describe("an export that does not go through", () => {
  const start = (options: Partial<ExportOptions> & { out: string }) =>
    openArmo(at("small")).then((model) => exportCheckpoint(model, { shardBytes: 2e6, ...options }));

  test("continues after an abort with the first file that is missing, and comes out the same", async () => {
    const controller = new AbortController();
    let files = 0;
    const stopped = start({
      out: at("stopped"),
      signal: controller.signal,
      onProgress: (bytes) => {
        if (bytes > 3e6) controller.abort(new Error("stopped"));
      },
    });
    await expect(stopped).rejects.toThrow("stopped");
    const names = readdirSync(at("stopped")).sort();
    expect(names).toEqual([".export.json", "model-00001-of-00004.safetensors"]);
    await expect(openModelDirectory(at("stopped"))).rejects.toMatchObject({ code: "not-a-model" });
    await expect(start({ out: at("stopped"), shardBytes: 3e6 })).rejects.toMatchObject({
      code: "output-not-empty",
    });
    await start({
      out: at("stopped"),
      onPlan: ({ filesDone }) => {
        files = filesDone;
      },
    });
    expect(files).toBe(1);
    expect(await contentsOf(at("stopped"))).toEqual(await contentsOf(at("merged")));
    expect(readdirSync(at("stopped")).sort()).toEqual(readdirSync(at("merged")).sort());
  });

  test("never writes into a folder that holds something else, or a finished export", async () => {
    await expect(start({ out: at("merged") })).rejects.toMatchObject({ code: "output-not-empty" });
    await expect(start({ out: at("small") })).rejects.toMatchObject({ code: "output-not-empty" });
  });

  test("refuses a backbone that is another than the heads were trained on", async () => {
    const backbone = join(golden, "backbones/llama-causal-f32");
    await expect(start({ out: at("other"), backbone })).rejects.toMatchObject({ code: "wrong-backbone" });
    expect(existsSync(at("other"))).toBe(false);
  });

  test("refuses a gate that the published class cannot have", async () => {
    const heads = randomHeads(64, { hidden: [8, 4] });
    const model = overBackbone(join(golden, "backbones/llama-causal-f32"), heads);
    await expect(exportCheckpoint(model, { out: at("widths") })).rejects.toMatchObject({
      code: "unsupported-heads",
      message: expect.stringContaining("one width, got 8, 4"),
    });
  });
});

/** What heads are stored as, by their sizes alone. */
function headShapes({ objectives, hiddenSize, gate }: Heads): Map<string, { shape: number[] }> {
  const K = objectives.length;
  const shapes = new Map([
    ["regression_layer.weight", { shape: [K, hiddenSize] }],
    ["reward_transform_matrix", { shape: [K, K] }],
    ["gating.logit_scale", { shape: [1] }],
  ]);
  for (const [i, { inputs, outputs }] of gate.layers.entries()) {
    shapes.set(`gating.layers.${i}.weight`, { shape: [outputs, inputs] });
    shapes.set(`gating.layers.${i}.bias`, { shape: [outputs] });
  }
  return shapes;
}

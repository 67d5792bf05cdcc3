import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { parseDataLocation } from "../../src/data/location.ts";
import { type EmbedOptions, embed } from "../../src/embedding/embed.ts";
import { type Embedder, openEmbedder } from "../../src/embedding/embedder.ts";
import { openEmbeddingSet } from "../../src/embedding/embedding-set.ts";
import type { EmbeddingManifest } from "../../src/embedding/manifest.ts";
import { mergeShards } from "../../src/embedding/merge-shards.ts";
import { prepareDirectory } from "../../src/embedding/set-directory.ts";
import { openStretch } from "../../src/embedding/set-stretch.ts";
import { parseShard, type Shard, shardOf, shardParts } from "../../src/embedding/shard.ts";
import { writeJournal } from "../../src/embedding/shard-journal.ts";

// So that a lock of another machine is not watched for a minute and a half.
vi.mock("../../src/checkpoint/heartbeat.ts", async (original) => ({
  ...(await original<typeof import("../../src/checkpoint/heartbeat.ts")>()),
  HEARTBEAT_MS: 100,
}));

const folder = mkdtempSync(join(tmpdir(), "armorm-shards-"));
const at = (name: string) => join(folder, name);
let embedder: Embedder;
beforeAll(async () => {
  embedder = await openEmbedder("tiny", { threads: 1 });
  const write = (name: string, rows: readonly unknown[]) =>
    writeFileSync(at(name), rows.map((row) => JSON.stringify(row)).join("\n"));
  const numbers = Array.from({ length: 23 }, (_, i) => i);
  const prompt = (i: number) => `Name ${i} colours.`;
  write(
    "ratings.jsonl",
    numbers.map((i) => ({
      id: i,
      prompt: prompt(i),
      response: "red ".repeat(i === 9 ? 3000 : 1 + i),
      ratings: { q: i },
    })),
  );
  write(
    "pairs.jsonl",
    numbers.map((i) => ({ id: i, prompt: prompt(i), chosen: i === 4 ? 7 : "red", rejected: "no" })),
  );
  write(
    "best-of-n.jsonl",
    numbers.map((i) => ({
      id: i,
      prompt: prompt(i),
      responses: ["red", "4", "blue"].slice(i % 3),
      labels: [1, 0, 1].slice(i % 3),
    })),
  );
  for (const kind of KINDS) await run(kind, `alone-${kind}`);
});
afterAll(async () => {
  await embedder[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const KINDS = ["ratings", "pairs", "best-of-n"] as const;

const run = (kind: (typeof KINDS)[number], out: string, options: Partial<EmbedOptions> = {}) => {
  const { backbone, chat, chatSettings, location } = embedder;
  const data = [parseDataLocation(at(`${kind}.jsonl`))];
  return embed(backbone, chat, { kind, data, out: at(out), location, chatSettings, partRows: 3, ...options });
};

const shards = (count: number): Shard[] => Array.from({ length: count }, (_, i) => ({ index: i + 1, count }));

function expectSame(out: string, wanted: string): void {
  expect(readdirSync(at(out))).toEqual(readdirSync(at(wanted)));
  for (const name of readdirSync(at(wanted))) {
    expect(readFileSync(at(`${out}/${name}`)).equals(readFileSync(at(`${wanted}/${name}`))), name).toBe(true);
  }
}

describe("shards", () => {
  test("cut the parts into stretches without gaps, as even as can be, and each part knows its shard", () => {
    for (let parts = 1; parts <= 40; parts++) {
      for (let count = 1; count <= 45; count++) {
        let next = 0;
        for (const shard of shards(count)) {
          const { first, end } = shardParts(shard, parts);
          expect(first).toBe(next);
          expect([Math.floor(parts / count), Math.ceil(parts / count)]).toContain(end - first);
          for (let part = first; part < end; part++) expect(shardOf(part, count, parts)).toEqual(shard);
          next = end;
        }
        expect(next).toBe(parts);
      }
    }
  });

  test.each(KINDS)("of %s in one folder give the bytes of one process", async (kind) => {
    for (const shard of shards(3)) {
      expect(await run(kind, `three-${kind}`, { shard })).toMatchObject({ complete: false });
      await expect(openEmbeddingSet(at(`three-${kind}`))).rejects.toThrow();
    }
    const { manifest, missing } = await mergeShards(at(`three-${kind}`));
    expect(missing).toEqual([]);
    expect(manifest).toMatchObject({ complete: true, rowsIn: 23 });
    expectSame(`three-${kind}`, `alone-${kind}`);
    await mergeShards(at(`three-${kind}`)); // once more changes nothing
    expectSame(`three-${kind}`, `alone-${kind}`);
  });

  test("in folders of their own, of two counts, give the same; their folders stay as they are", async () => {
    const made: string[] = [];
    for (const shard of [...shards(2).slice(0, 1), ...shards(3).slice(1)]) {
      made.push(`own-${shard.index}-${shard.count}`);
      await run("pairs", made.at(-1)!, { shard });
    }
    const before = made.map((name) => readdirSync(at(name)));
    await mergeShards(at("brought"), { from: made.map(at) });
    expectSame("brought", "alone-pairs");
    expect(made.map((name) => readdirSync(at(name)))).toEqual(before);
  });

  test("beyond the parts have nothing to do, and nothing is missing for it", async () => {
    for (const shard of shards(11)) await run("pairs", "many", { shard });
    expect((await mergeShards(at("many"))).manifest).toMatchObject({ complete: true });
    expectSame("many", "alone-pairs");
  });

  test("and a single process continue each other's work; a shard of a complete set has nothing to do", async () => {
    await run("pairs", "mixed", { shard: { index: 2, count: 3 } });
    let tokens = 0;
    const onProgress = (progress: { tokens: number }) => {
      tokens = progress.tokens;
    };
    await run("pairs", "mixed", { onProgress });
    expectSame("mixed", "alone-pairs");
    const first = tokens;
    await run("pairs", "fresh", { onProgress });
    expect(first).toBeLessThan(tokens);
    expect(await run("pairs", "mixed", { shard: { index: 1, count: 3 } })).toMatchObject({
      complete: true,
      rowsOut: 22,
    });
    await mergeShards(at("mixed"));
    expectSame("mixed", "alone-pairs");
  });
});

/** Exchanges some bytes of a file for as many others. */
function spoil(path: string, from: string, to: string): void {
  const bytes = readFileSync(path);
  const begin = bytes.indexOf(from);
  expect(begin).toBeGreaterThan(0);
  bytes.write(to, begin, "latin1");
  writeFileSync(path, bytes);
}
const isWhole = (out: string) => JSON.parse(readFileSync(at(`${out}/manifest.json`), "utf8")).complete;

describe("a part that was damaged", () => {
  const file = "pairs-00003-of-00008.safetensors";
  const damages: [string, string, string, RegExp][] = [
    ["names another row", 'row\\":7', 'row\\":9', /expected row 7, got 8$/],
    ["has rows that are no JSON", 'row\\":7', 'row\\":x', /no part of this set, or cut$/],
    ["has rows that are no list", '"rows":"[', '"rows":"{', /no part of this set, or cut$/],
  ];
  test.each(damages)(
    "and %s is missing for a merge, for its shard and for one process",
    async (what, from, to, damage) => {
      const out = `damaged ${what}`;
      cpSync(at("alone-pairs"), at(out), { recursive: true });
      for (const again of [{ shard: { index: 1, count: 2 } }, {}]) {
        spoil(at(`${out}/${file}`), from, to);
        const { missing } = await mergeShards(at(out));
        expect(missing.flatMap(({ parts }) => parts)).toEqual([
          { index: 2, file, damage: expect.stringMatching(damage) },
        ]);
        await run("pairs", out, again);
        expect((await mergeShards(at(out))).missing).toEqual([]);
        expectSame(out, "alone-pairs");
      }
      spoil(at(`${out}/${file}`), from, to);
      await expect(openStretch(at(out), { index: 1, count: 2 })).resolves.toBeDefined(); // The manifest names it.
      await mergeShards(at(out));
      await expect(openStretch(at(out), { index: 1, count: 2 })).rejects.toMatchObject({
        code: "incomplete-embeddings",
      });
    },
  );

  test("is told by whoever reads it", async () => {
    cpSync(at("alone-pairs"), at("read"), { recursive: true });
    spoil(at(`read/${file}`), 'row\\":7', 'row\\":x');
    const read = async () => {
      for await (const _ of (await openEmbeddingSet(at("read"))).rowInfos());
    };
    await expect(read()).rejects.toMatchObject({ code: "changed-part" });
  });

  test("makes its set incomplete, from when a merge has found it, or whoever makes it again", async () => {
    const makers: [string, (out: string) => Promise<unknown>][] = [
      ["merge", (out) => mergeShards(at(out))],
      ["shard", (out) => run("pairs", out, { shard: { index: 1, count: 2 }, ...stopped })],
      ["process", (out) => run("pairs", out, stopped)],
    ];
    const stopped = { signal: AbortSignal.abort() };
    for (const [name, make] of makers) {
      const out = `found by ${name}`;
      cpSync(at("alone-pairs"), at(out), { recursive: true });
      truncateSync(at(`${out}/${file}`), 500);
      expect(isWhole(out)).toBe(true);
      await make(out);
      expect(isWhole(out), name).toBe(false);
      await expect(openEmbeddingSet(at(out))).rejects.toMatchObject({ code: "incomplete-embeddings" });
      await run("pairs", out);
      await mergeShards(at(out));
      expectSame(out, "alone-pairs");
    }
  });
});

test("processes that begin a set in a fresh folder at once do not refuse each other", async () => {
  const set: EmbeddingManifest = JSON.parse(readFileSync(at("alone-pairs/manifest.json"), "utf8"));
  for (let round = 0; round < 60; round++) {
    const directory = mkdtempSync(at("fresh-"));
    const begin = async (index: number) => {
      await delay(Math.random() * 3);
      await prepareDirectory(directory, set);
      await writeJournal(directory, { index, count: 8 }, null, set);
    };
    await Promise.all(Array.from({ length: 8 }, (_, i) => begin(i + 1)));
  }
});

describe("a merge", () => {
  test("lists parts that are missing or damaged by their shard, with the command, and changes nothing", async () => {
    const command = ["--backbone", "tiny"];
    for (const shard of shards(4).slice(0, 3)) await run("pairs", "gaps", { shard, command });
    const file = (part: number) => `pairs-0000${part}-of-00008.safetensors`;
    truncateSync(at(`gaps/${file(2)}`), 1000);
    cpSync(at(`gaps/${file(1)}`), at(`gaps/${file(5)}`));
    const before = readdirSync(at("gaps"));
    const { manifest, missing, partCount } = await mergeShards(at("gaps"));
    expect(manifest).toBe(null);
    expect(partCount).toBe(8);
    const damaged = (part: number) => ({
      index: part - 1,
      file: file(part),
      damage: `${at(`gaps/${file(part)}`)}: no part of this set, or cut`,
    });
    expect(missing).toEqual([
      { shard: { index: 1, count: 4 }, command, parts: [damaged(2)] },
      { shard: { index: 3, count: 4 }, command, parts: [damaged(5)] },
      {
        shard: { index: 4, count: 4 },
        command,
        parts: [
          { index: 6, file: file(7), damage: null },
          { index: 7, file: file(8), damage: null },
        ],
      },
    ]);
    expect(readdirSync(at("gaps"))).toEqual(before);
    for (const { shard } of missing) await run("pairs", "gaps", { shard });
    await mergeShards(at("gaps"));
    expectSame("gaps", "alone-pairs");
  });

  test("of a complete set that was damaged says so, and the shard makes the part again", async () => {
    cpSync(at("alone-pairs"), at("damaged"), { recursive: true });
    truncateSync(at("damaged/pairs-00003-of-00008.safetensors"), 500);
    const { manifest, missing } = await mergeShards(at("damaged"));
    expect(manifest).toBe(null);
    expect(missing.map(({ shard, parts }) => [shard.index, parts.length])).toEqual([[1, 1]]);
    await run("pairs", "damaged", { shard: { index: 1, count: 2 } });
    await mergeShards(at("damaged"));
    expectSame("damaged", "alone-pairs");
  });

  test("refuses shards of two sets, and a folder where nothing has begun", async () => {
    await run("pairs", "one", { shard: { index: 1, count: 2 } });
    await run("pairs", "two", { shard: { index: 2, count: 2 }, maxTokens: 100 });
    await expect(mergeShards(at("one"), { from: [at("two")] })).rejects.toMatchObject({
      code: "mixed-shards",
      message: expect.stringMatching(/max tokens: 1024 there, 100 here$/),
    });
    await expect(mergeShards(at("nowhere"))).rejects.toMatchObject({ code: "not-an-embedding-set" });
    expect(existsSync(at("nowhere"))).toBe(false);
  });
});

test("another run is refused by what differs", async () => {
  const other = (options: Partial<EmbedOptions>) => run("ratings", "alone-ratings", options);
  const differences: [Partial<EmbedOptions>, RegExp][] = [
    [{ maxTokens: 99 }, /options: max tokens: 1024 there, 99 here$/],
    [
      { partRows: 4, overlong: "drop-oldest-turns" },
      /overlong: reject there, drop-oldest-turns here; rows per part: 3 there, 4 here/,
    ],
    [
      { kind: "pairs", data: [parseDataLocation(at("pairs.jsonl"))] },
      /kind: ratings there, pairs here.*data: ratings=ratings.jsonl there, pairs=pairs.jsonl/,
    ],
    [{ chatSettings: { ...embedder.chatSettings, bos: "off" } }, /options: bos: on there, off here$/],
    [{ limit: 5 }, /limit: none there, 5 here/],
    [
      { data: [parseDataLocation(`a=${at("ratings.jsonl")}`)] },
      /objectives: q there, a-q here; data: ratings=ratings.jsonl there, a=/,
    ],
  ];
  for (const [options, message] of differences) await expect(other(options)).rejects.toThrow(message);
  const text = readFileSync(at("ratings.jsonl"), "utf8");
  writeFileSync(at("ratings.jsonl"), text.replace("red", "rot"));
  await expect(other({})).rejects.toThrow(
    /options: contents of ratings.jsonl: [0-9a-f]{12} there, [0-9a-f]{12} here$/,
  );
  writeFileSync(at("ratings.jsonl"), text);
  await expect(other({ shard: { index: 1, count: 2 } })).resolves.toMatchObject({ complete: true });
});

describe("a lock of another machine", () => {
  const owner = {
    pid: 1,
    host: "elsewhere",
    processes: "pid:[1]",
    since: "2026-01-01T00:00:00.000Z",
    token: "x",
  };
  const lock = () => at("locked/.shard-00001-of-00002.lock");
  const notes: string[] = [];
  const start = () =>
    run("pairs", "locked", { shard: { index: 1, count: 2 }, onNote: (line) => void notes.push(line) });

  /** Touches the lock for as long as `going` is under way, by a clock that is minutes behind this machine's. */
  const touched = async (going: Promise<unknown>) => {
    const beat = () => {
      const behind = new Date(Date.now() - 6 * 60_000);
      utimesSync(lock(), behind, behind);
    };
    beat();
    const heart = setInterval(beat, 20);
    await going.finally(() => clearInterval(heart));
  };

  test("that beats is respected, however its clock goes", async () => {
    await run("pairs", "locked", { shard: { index: 2, count: 2 } });
    writeFileSync(lock(), JSON.stringify(owner));
    await touched(
      expect(start()).rejects.toMatchObject({
        code: "set-in-use",
        message: expect.stringMatching(
          /shard 1\/2: .*, got process 1 on elsewhere \(since 2026-01-01T00:00:00.000Z\) at work/,
        ),
      }),
    );
    expect(notes).toEqual([expect.stringMatching(/holds the lock; waiting for a sign of life/)]);
  });

  test("that nobody touches while it is watched is taken over, said aloud", async () => {
    await start();
    expect(notes.at(-1)).toMatch(/process 1 on elsewhere .* is gone; took its lock over/);
    await mergeShards(at("locked"));
    expectSame("locked", "alone-pairs");
  });
});

describe("--shard", () => {
  const slurm = (id: number, minimum: number, count: number, maximum = minimum + count - 1) => ({
    SLURM_ARRAY_TASK_ID: `${id}`,
    SLURM_ARRAY_TASK_MIN: `${minimum}`,
    SLURM_ARRAY_TASK_MAX: `${maximum}`,
    SLURM_ARRAY_TASK_COUNT: `${count}`,
  });

  test("counts from 1; auto takes Slurm's array from wherever it counts, and Kubernetes from 0", () => {
    expect(parseShard("3/8", {})).toEqual({ index: 3, count: 8 });
    expect(parseShard("auto", slurm(0, 0, 4))).toEqual({ index: 1, count: 4 });
    expect(parseShard("auto", slurm(12, 10, 4))).toEqual({ index: 3, count: 4 });
    expect(parseShard("auto/8", { JOB_COMPLETION_INDEX: "0" })).toEqual({ index: 1, count: 8 });
    expect(parseShard("auto", { JOB_COMPLETION_INDEX: "7", JOB_COMPLETION_COUNT: "8" })).toEqual({
      index: 8,
      count: 8,
    });
  });

  test.each([
    ["0/8", {}, /a shard from 1 to 8, got 0/],
    ["9/8", {}, /a shard from 1 to 8, got 9/],
    ["3", {}, /i\/n, auto or auto\/n, got "3"/],
    ["auto", {}, /SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX to be set, got neither/],
    ["auto", { SLURM_ARRAY_TASK_ID: "1" }, /a whole number in SLURM_ARRAY_TASK_COUNT, got none/],
    ["auto", slurm(3, 1, 3, 5), /consecutive numbers, got 3 from 1 to 5/],
    ["auto", { JOB_COMPLETION_INDEX: "1" }, /a whole number in JOB_COMPLETION_COUNT, got none/],
    ["auto/4", { JOB_COMPLETION_INDEX: "4" }, /a shard from 1 to 4, got 5/],
    ["auto/4", slurm(1, 1, 8), /4 shards, got a job of 8/],
  ])("%s with %o is refused", (text, environment, message) => {
    expect(() => parseShard(text, environment)).toThrow(message);
  });
});

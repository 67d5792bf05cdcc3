import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateDemoData } from "../../src/data/synthetic/demo-data.ts";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-statistics-cli-"));
const armorm = (...args: string[]) => runCli(args, { cwd: folder });
const bytes = (name: string) => readFileSync(join(folder, name));
const GATE = ["--pairs", "pairs", "--hidden-dim", "16", "--batch-size", "32", "--steps", "20"];

beforeAll(async () => {
  const data = generateDemoData({ seed: 5, ratings: 120, pairs: 60, evaluationPairs: 10 });
  for (const name of ["ratings", "pairs"] as const) {
    writeFileSync(
      join(folder, `${name}.jsonl`),
      data[name].map((row: unknown) => JSON.stringify(row)).join("\n"),
    );
  }
  const embed = (name: string, ...options: string[]) =>
    armorm("embed", "--backbone", "tiny", "--data", `${name}.jsonl`, "--part-rows", "30", ...options);
  mkdirSync(join(folder, "place"));
  const runs = [
    await embed("pairs", "--out", "pairs"),
    await embed("ratings", "--out", "ratings"),
    await embed("ratings", "--out", "shard-1", "--shard", "1/2"),
    await embed("ratings", "--out", "shard-2", "--shard", "2/2"),
    await armorm("statistics", "collect", "--ratings", "ratings", "--shard", "1/2", "--out", "one"),
  ];
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

test("each machine adds up its shard; training on the files is training on the sum of them, and is repeated from its configuration", async () => {
  for (const i of [1, 2]) {
    const args = ["--ratings", `shard-${i}`, "--shard", `${i}/2`, "--out", `sums/${i}.safetensors`];
    const { code, stdout } = await armorm("statistics", "collect", ...args);
    expect(stdout).toMatch(new RegExp(`^shard-${i}: 60 of 60 rows of shard ${i}/2\n`));
    expect(code).toBe(0);
  }
  const whole = await armorm("statistics", "collect", "--ratings", "ratings", "--out", "whole", "--json");
  expect(JSON.parse(whole.stdout).sets).toMatchObject([
    { directory: "ratings", partCount: 4, rows: { all: 120, used: 120 } },
  ]);

  const shards = ["sums/2.safetensors", "sums/1.safetensors"];
  const merged = await armorm("statistics", "merge", ...shards, "--out", "merged");
  expect(merged).toMatchObject({ code: 0, stdout: expect.stringContaining("merged written") });

  const models = { shards, merged: ["merged"], whole: ["whole"] };
  for (const [name, statistics] of Object.entries(models)) {
    const { code } = await armorm("train", "--statistics", ...statistics, ...GATE, "--out", `model-${name}`);
    expect(code).toBe(0);
    expect(bytes(`model-${name}/model.safetensors`)).toEqual(bytes("model-shards/model.safetensors"));
  }
  const again = ["--config", "model-shards/training-configuration.yaml", "--out", "again"];
  expect((await armorm("train", ...again)).code).toBe(0);
  expect(bytes("again/model.safetensors")).toEqual(bytes("model-shards/model.safetensors"));
}, 120_000);

test.each([
  ["a shard is missing", ["train", "--statistics", "one", ...GATE, "--out", "m"], "got none of parts 3 to 4"],
  [
    "both ratings and statistics are given",
    ["train", "--statistics", "one", "--ratings", "ratings", ...GATE, "--out", "m"],
    "got both",
  ],
  ["pairs are given", ["statistics", "collect", "--ratings", "pairs", "--out", "other"], "got pairs"],
  [
    "a folder is where the file is to be",
    ["statistics", "collect", "--ratings", "ratings", "--out", "place"],
    "expected a file to write at place, got a folder",
  ],
  [
    "a file is where the folder is to be",
    ["statistics", "collect", "--ratings", "ratings", "--out", "pairs.jsonl/sums"],
    "expected a folder to write at pairs.jsonl, got a file",
  ],
])("one line says that %s", async (_what, args, message) => {
  const { code, stderr } = await armorm(...args);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
  expect(stderr.trimEnd().split("\n")).toHaveLength(2);
});

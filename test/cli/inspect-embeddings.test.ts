import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeEmbeddingSet } from "../../src/embedding/describe-set.ts";
import { openEmbeddingSet } from "../../src/embedding/embedding-set.ts";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-inspect-"));
const at = (name: string) => join(folder, name);
const write = (name: string, rows: readonly unknown[]) =>
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

const ratings = [
  { prompt: "One?", response: "Yes.", ratings: { kind: 0, true: 1 } },
  { prompt: "one? ", response: "Certainly, and with pleasure.", ratings: { kind: 4 } },
  { prompt: "Two?", response: "No.", ratings: { kind: 1, true: 0 } },
  { prompt: "Three?", response: "on and on ".repeat(900), ratings: { kind: 2 } },
  { prompt: "Four?", response: "", ratings: { kind: 2 } },
];
const pairs = [
  { prompt: "One?", chosen: "Yes.", rejected: "I would rather not say.", subset: "a" },
  { prompt: "Five?", chosen: "Yes, of course.", rejected: "No.", subset: "b" },
];

beforeAll(async () => {
  write("ratings.jsonl", ratings);
  write("pairs.jsonl", pairs);
  for (const name of ["ratings", "pairs"]) {
    await runCli([
      "embed",
      "--backbone",
      "tiny",
      "--data",
      at(`${name}.jsonl`),
      "--out",
      at(name),
      "--part-rows",
      "2",
    ]);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a set of ratings says what is rated and how, which prompts repeat, what was rejected, what it shares", async () => {
  const { stdout, code } = await runCli([
    "inspect",
    at("ratings"),
    "--json",
    "--against",
    at("pairs"),
    at("pairs.jsonl"),
  ]);
  expect(code).toBe(0);
  const { rowsIn, rowsOut, contents } = JSON.parse(stdout);
  expect({ rowsIn, rowsOut }).toEqual({ rowsIn: 5, rowsOut: 3 });
  expect(contents.rejections.invalid).toMatchObject({ count: 1, examples: [{ row: 4 }] });
  expect(contents.rejections["too-long"]).toMatchObject({ count: 1, examples: [{ row: 3 }] });
  expect(contents.prompts).toEqual({ distinct: 2, repeated: 1, mostRows: 2 });
  expect(contents.objectives.kind).toMatchObject({ count: 3, minimum: 0, median: 1, maximum: 4 });
  expect(contents.objectives.kind.mean).toBeCloseTo(5 / 3, 12);
  expect(contents.objectives.kind.histogram).toEqual([1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
  expect(contents.objectives.true).toMatchObject({ count: 2, mean: 0.5 });
  expect(contents.responseTokens.response.count).toBe(3);
  const shared = { prompts: 1, rows: 2 };
  expect(contents.overlaps).toEqual([
    { against: at("pairs"), ...shared },
    { against: at("pairs.jsonl"), ...shared },
  ]);
  const shown = await runCli(["inspect", at("ratings"), "--against", at("pairs")]);
  expect(shown.stdout).toMatch(/2 prompts; 1 rows repeat one, at most 2 have the same/);
  expect(shown.stdout).toMatch(/^kind +3 +0 +1\.667 +1 +4 /m);
});

test("a set of pairs says the lengths of both sides and its subsets", async () => {
  const { responseTokens, subsets, objectives, rows } = await describeEmbeddingSet(
    await openEmbeddingSet(at("pairs")),
  );
  expect({ rows, subsets, objectives }).toEqual({ rows: 2, subsets: { a: 1, b: 1 }, objectives: {} });
  expect(responseTokens.chosen!.count).toBe(2);
  expect(responseTokens.rejected!.maximum).toBeGreaterThan(responseTokens.rejected!.minimum);
});

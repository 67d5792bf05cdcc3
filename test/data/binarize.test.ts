import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { type BinarizeOptions, binarize } from "../../src/data/binarize.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { readPairs } from "../../src/data/pairs.ts";
import { collect, fileWith, rowsFile } from "./data-file.ts";

const rated = (prompt: unknown, response: string, ratings: Record<string, number | null>, id?: string) => ({
  ...(id === undefined ? {} : { id }),
  prompt,
  response,
  ratings,
});
const outFile = (name = "pairs.jsonl") => join(dirname(fileWith("")), `out-${Math.random()}`, name);

async function pairsOf(rows: unknown[], options: BinarizeOptions = {}) {
  const out = outFile();
  const report = await binarize([rowsFile(...rows)], out, options);
  const pairs = readFileSync(out, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { report, pairs, out };
}
const brief = (pairs: { chosen: string; rejected: string; margin: number }[]) =>
  pairs.map(({ chosen, rejected, margin }) => [chosen, rejected, margin]);

const OPEN = [
  rated("Q?", "bad", { quality: 1 }, "r1"),
  rated("Other?", "lonely", { quality: 3 }),
  rated("Q?", "fair", { quality: 3 }, "r2"),
  rated("Q?", "good", { quality: 5 }),
];

test("two responses to one prompt make a pair; the margin is the difference on the rating's scale", async () => {
  const { report, pairs } = await pairsOf(OPEN);
  expect(brief(pairs)).toEqual([
    ["fair", "bad", 2],
    ["good", "bad", 4],
    ["good", "fair", 2],
  ]);
  expect(pairs[0].prompt).toEqual([{ role: "user", content: "Q?" }]);
  expect(pairs[0].ids).toEqual({ chosen: "r2", rejected: "r1" });
  expect(pairs[1].ids).toEqual({ chosen: null, rejected: "r1" });
  expect(new Set(pairs.map(({ id }) => id)).size).toBe(3);
  expect(report).toMatchObject({ rows: 4, prompts: 2, responses: 4, singles: 1, pairs: 3, ties: 0 });
  expect(report).toMatchObject({ scale: "rating", margin: { minimum: 2, maximum: 4, mean: 8 / 3 } });
});

test("what is written reads back as pairs of the same prompts", async () => {
  const { out, pairs } = await pairsOf(OPEN);
  const read = await collect(readPairs([parseDataLocation(out)]));
  expect(read).toMatchObject(pairs.map(({ id, chosen, subset }) => ({ kind: "pair", id, chosen, subset })));
});

test("best-worst keeps the pair that is furthest apart, the least margin leaves close ones out", async () => {
  expect(brief((await pairsOf(OPEN, { pairs: "best-worst" })).pairs)).toEqual([["good", "bad", 4]]);
  const { pairs, report } = await pairsOf(OPEN, { minMargin: 3 });
  expect(brief(pairs)).toEqual([["good", "bad", 4]]);
  expect(report.belowMinMargin).toBe(2);
});

test("several objectives are scaled by their ranges; the mean runs over those that both responses carry", async () => {
  const { pairs, report } = await pairsOf([
    rated("Q?", "a", { quality: 1, truth: 100 }),
    rated("Q?", "b", { quality: 5, truth: 50 }),
    rated("Q?", "c", { quality: 2, truth: null }),
    rated("Q?", "d", { tact: 1 }),
  ]);
  // a against b: quality −1, truth +1, a tie. c shares quality alone: 0.25 above a, 0.75 below b.
  expect(brief(pairs)).toEqual([
    ["c", "a", 0.25],
    ["b", "c", 0.75],
  ]);
  expect(report).toMatchObject({ scale: "unit", ties: 1, incomparable: 3 });
});

test("naming one objective compares by it on its own scale, and less can be better", async () => {
  const rows = [
    rated("Q?", "short", { quality: 1, length: 10 }),
    rated("Q?", "long", { quality: 2, length: 90 }),
  ];
  const byLength = await pairsOf(rows, { objectives: ["length"], lowerIsBetter: ["length"] });
  expect(brief(byLength.pairs)).toEqual([["short", "long", 80]]);
  const both = await pairsOf([...rows, rated("P?", "x", { quality: 5, length: 10 })], {
    lowerIsBetter: ["length"],
  });
  expect(brief(both.pairs)).toEqual([["short", "long", 0.375]]); // (−1/4 + 1) / 2
  await expect(pairsOf(rows, { lowerIsBetter: ["charm"] })).rejects.toMatchObject({
    code: "unknown-objective",
  });
});

test("a response rated twice counts once, with the mean of its ratings", async () => {
  const { pairs, report } = await pairsOf([
    rated("Q?", "a", { quality: 1 }),
    rated("Q?", "b", { quality: 3 }),
    rated("Q?", "a", { quality: 4 }),
  ]);
  expect(brief(pairs)).toEqual([["b", "a", 0.5]]);
  expect(report).toMatchObject({ rows: 3, responses: 2 });
});

test("prompts that differ, and sources that share a prompt, are not compared", async () => {
  const files = [
    rowsFile(rated("Q?", "a", { quality: 1 }), rated("q?", "b", { quality: 5 })),
    rowsFile(rated("Q?", "c", { quality: 5 }), rated("Q?", "d", { quality: 4 })),
  ];
  const report = await binarize(files, outFile());
  expect(report).toMatchObject({ prompts: 3, singles: 2, pairs: 1 });
  const [one, other] = files.map(({ path }) => parseDataLocation(`same=${path}`));
  expect((await binarize([one!, other!], outFile())).pairs).toBe(3);
});

test("responses of any characters come through, compressed where the name says so", async () => {
  const response = 'naïve\n"湄公河" \u2028 \ud83d\ude00 \ud800';
  const out = outFile("pairs.jsonl.gz");
  await binarize([rowsFile(rated("Q?", response, { q: 2 }), rated("Q?", "no", { q: 1 }))], out);
  const row = JSON.parse(gunzipSync(readFileSync(out)).toString("utf8"));
  expect(row.chosen).toBe(response);
});

test("a failed run leaves nothing behind, and a file that is there is kept", async () => {
  const out = outFile();
  const tie = [rated("Q?", "a", { q: 1 }), rated("Q?", "b", { q: 1 })];
  await expect(binarize([rowsFile(...tie)], out)).rejects.toMatchObject({ code: "no-pairs" });
  expect(readdirSync(dirname(out))).toEqual([]);
  await binarize([rowsFile(...OPEN)], out);
  await expect(binarize([rowsFile(...OPEN)], out)).rejects.toMatchObject({ code: "output-exists" });
  await binarize([rowsFile(...OPEN)], out, { overwrite: true, pairs: "best-worst" });
  expect(readFileSync(out, "utf8").trimEnd().split("\n").length).toBe(1);
  expect(readdirSync(dirname(out))).toEqual(["pairs.jsonl"]);
});

test("a bad row is counted and named; strict stops at it", async () => {
  const rows = [...OPEN, rated("Q?", "", { quality: 1 })];
  const { report } = await pairsOf(rows);
  expect(report).toMatchObject({ rows: 4, rejected: { count: 1 } });
  expect(report.rejected.first).toMatch(/line 5: response: expected text, got an empty response/);
  await expect(pairsOf(rows, { strict: true })).rejects.toMatchObject({ code: "bad-row" });
});

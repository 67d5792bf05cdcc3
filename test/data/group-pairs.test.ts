import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readBestOfN } from "../../src/data/best-of-n.ts";
import { groupPairs } from "../../src/data/group-pairs.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { collect, rowsFile } from "./data-file.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-group-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const pair = (prompt: string, chosen: string, rejected: string, more = {}) => ({
  prompt,
  chosen,
  rejected,
  ...more,
});
const written = (path: string) => collect(readBestOfN([parseDataLocation(path)]));

test("pairs of one prompt become one row, each response once, chosen 1 and rejected 0", async () => {
  const file = rowsFile(
    pair("1 + 1?", "2", "3"),
    pair("a?", "b", "c"),
    pair("1 + 1?", "2", "4"),
    pair("1 + 1?", "two", "3"),
  );
  const report = await groupPairs([{ ...file, source: "sums" }], at("rows.jsonl"));
  expect(report).toEqual({
    file: at("rows.jsonl"),
    pairs: 4,
    prompts: 2,
    responses: 6,
    correct: 3,
    conflicts: 0,
    emptied: 0,
    responsesPerPrompt: { minimum: 2, mean: 3, maximum: 4 },
    rejected: { count: 0, first: null },
  });
  expect(await written(at("rows.jsonl"))).toMatchObject([
    { id: "sums-1", responses: ["2", "3", "4", "two"], labels: [1, 0, 0, 1], subset: null },
    { id: "sums-2", responses: ["b", "c"], labels: [1, 0] },
  ]);
});

test("a response both chosen and rejected is left out and counted, and a prompt without another too", async () => {
  const file = rowsFile(
    pair("p", "a", "b"),
    pair("p", "b", "c"),
    pair("p", "c", "b"),
    pair("q", "x", "y"),
    pair("q", "y", "x"),
    pair("r", "b", "c"),
  );
  const report = await groupPairs([file], at("conflicts.jsonl.gz"));
  expect(report).toMatchObject({ pairs: 6, prompts: 2, responses: 3, correct: 2, conflicts: 4, emptied: 1 });
  expect(await written(at("conflicts.jsonl.gz"))).toMatchObject([
    { responses: ["a"], labels: [1] },
    { responses: ["b", "c"], labels: [1, 0] },
  ]);
});

test("subsets and sources keep their prompts apart, and prompts are compared as they are written", async () => {
  const first = rowsFile(
    pair("p", "a", "b", { subset: "s" }),
    pair("p", "a", "b", { subset: "t" }),
    pair("P", "a", "b"),
  );
  const second = rowsFile(pair("P", "a", "b"));
  const report = await groupPairs([first, second], at("apart.jsonl"));
  expect(report).toMatchObject({ prompts: 4, responses: 8 });
  expect((await written(at("apart.jsonl"))).map((row) => row.kind === "best-of-n" && row.subset)).toEqual([
    "s",
    "t",
    null,
    null,
  ]);
});

test("bad rows are counted, or end it with strict, and nothing is left behind", async () => {
  const file = rowsFile(pair("p", "a", "a"), pair("p", "a", "b"));
  expect(await groupPairs([file], at("bad.jsonl"))).toMatchObject({ pairs: 1, rejected: { count: 1 } });
  await expect(groupPairs([file], at("strict.jsonl"), { strict: true })).rejects.toThrow("equal ones");
  await expect(groupPairs([file], at("bad.jsonl"))).rejects.toMatchObject({ code: "output-exists" });
  expect(await groupPairs([file], at("bad.jsonl"), { overwrite: true })).toMatchObject({ prompts: 1 });
  const both = rowsFile(pair("p", "a", "b"), pair("p", "b", "a"));
  await expect(groupPairs([both], at("none.jsonl"))).rejects.toMatchObject({ code: "no-responses" });
  expect(existsSync(at("none.jsonl"))).toBe(false);
  expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
});

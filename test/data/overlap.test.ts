import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { findOverlaps } from "../../src/data/overlap.ts";
import { fileWith, rowsFile } from "./data-file.ts";

const pair = (prompt: string) => ({ prompt, chosen: "yes", rejected: "no" });
const rating = (prompt: string, response = "r") => ({ prompt, response, ratings: { q: 1 } });
const outFile = () => join(dirname(fileWith("")), `clean-${Math.random()}.jsonl`);

test("prompts are found in files of other kinds, whatever their case and white space", async () => {
  const data = rowsFile(rating("A b?"), rating("A b?", "again"), rating("C?"), rating("D?"));
  const one = rowsFile(pair("a  B?"), pair("E?"));
  const other = rowsFile({ messages: [{ role: "user", content: " c?" }] }, pair("A B?"));
  const report = await findOverlaps([data], [one, other]);
  const base = { data: data.path, rows: 4, prompts: 3 };
  expect(report.files).toEqual([
    { ...base, against: one.path, sharedRows: 2, againstPrompts: 2, sharedPrompts: 1 },
    { ...base, against: other.path, sharedRows: 3, againstPrompts: 2, sharedPrompts: 2 },
  ]);
  expect(report).toMatchObject({ rows: 4, sharedRows: 3, written: null, rejected: { count: 0 } });
});

test("the rows that share nothing are written as they are", async () => {
  const data = rowsFile(pair("A?"), pair("B?"));
  const more = rowsFile(pair("C?"), { nothing: 1 }, pair("A?"));
  const write = outFile();
  const report = await findOverlaps([data, more], [rowsFile(pair("a?"))], { write });
  expect(readFileSync(write, "utf8")).toBe(`${JSON.stringify(pair("B?"))}\n${JSON.stringify(pair("C?"))}\n`);
  expect(report.written).toEqual({ file: write, rows: 2, dropped: 2 });
  expect(report.rejected.count).toBe(1);
  await expect(findOverlaps([data], [more], { write })).rejects.toMatchObject({ code: "output-exists" });
});

test("a prompt of several turns is another one than its last turn", async () => {
  const turns = [
    { role: "user", content: "Hello" },
    { role: "assistant", content: "Hi" },
    { role: "user", content: "A?" },
  ];
  const report = await findOverlaps([rowsFile({ ...pair("A?"), messages: turns })], [rowsFile(pair("A?"))]);
  expect(report.sharedRows).toBe(0);
});

test("nothing is written where a file cannot be read", async () => {
  const write = outFile();
  const missing = { source: "x", prefix: "", path: "/nowhere.jsonl" };
  await expect(findOverlaps([missing], [rowsFile(pair("A?"))], { write })).rejects.toMatchObject({
    code: "missing-file",
  });
  expect(existsSync(write)).toBe(false);
});

import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { parseDataLocation } from "../../src/data/location.ts";
import { splitByPrompt } from "../../src/data/split-by-prompt.ts";
import { fileWith, rowsFile } from "./data-file.ts";

const outFolder = () => mkdtempSync(join(dirname(fileWith("")), "split-"));
const fractions = new Map([
  ["train", 0.8],
  ["test", 0.2],
]);
const linesOf = (folder: string, name: string) =>
  readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1);
const questions = Array.from({ length: 2000 }, (_, i) => ({
  prompt: `Question ${i % 1000}?`,
  response: `${i}`,
}));

test("rows keep their bytes and order, and each goes to one side", async () => {
  const lines = [
    '{ "prompt":"A?",  "response":"x", "n": 12345678901234567890, "u":"\\u00e9" }',
    '{"prompt":"B?","response":"y"}',
    ...questions.map((row) => JSON.stringify(row)),
  ];
  const folder = outFolder();
  const report = await splitByPrompt([parseDataLocation(fileWith(lines.join("\r\n")))], folder, {
    fractions,
  });
  const train = linesOf(folder, "train.jsonl");
  const held = linesOf(folder, "test.jsonl");
  expect([...train, ...held].sort()).toEqual(lines.toSorted());
  expect(train).toEqual(lines.filter((line) => train.includes(line)));
  expect(report.splits.map(({ rows }) => rows)).toEqual([train.length, held.length]);
  expect(readdirSync(folder).sort()).toEqual(["test.jsonl", "train.jsonl"]);
});

test("rows with one prompt stay together and the shares are met on average", async () => {
  const folder = outFolder();
  const report = await splitByPrompt([rowsFile(...questions)], folder, { fractions });
  expect(report.splits.map(({ prompts }) => prompts)).toEqual([
    expect.closeTo(800, -1.9),
    expect.closeTo(200, -1.9),
  ]);
  expect(report.splits.reduce((sum, { prompts }) => sum + prompts, 0)).toBe(1000);
});

test("a prompt's side does not depend on other rows, on the file, on the kind of row or on case and white space", async () => {
  const [all, some] = [outFolder(), outFolder()];
  await splitByPrompt([rowsFile(...questions)], all, { fractions });
  const pairs = Array.from({ length: 300 }, (_, i) => ({
    chosen: [
      { role: "user", content: `  QUESTION ${i * 3}?` },
      { role: "assistant", content: "yes" },
    ],
    rejected: "no",
  }));
  const conversations = [{ messages: [{ role: "user", content: "Question 7?" }] }];
  const files = [
    { ...rowsFile(...pairs), source: "pairs" },
    { ...rowsFile(...conversations), source: "chats" },
  ];
  const report = await splitByPrompt(files, some, { fractions });
  expect(report.splits[0]!.files.map((file) => file.slice(some.length + 1))).toEqual([
    "pairs.train.jsonl",
    "chats.train.jsonl",
  ]);
  const numberIn = (line: string) => Number(/question (\d+)\?/i.exec(line)![1]);
  const train = new Set(linesOf(all, "train.jsonl").map(numberIn));
  for (const name of ["pairs", "chats"]) {
    for (const line of linesOf(some, `${name}.train.jsonl`)) expect(train.has(numberIn(line))).toBe(true);
    for (const line of linesOf(some, `${name}.test.jsonl`)) expect(train.has(numberIn(line))).toBe(false);
  }
});

test("another seed draws other prompts; the same seed the same", async () => {
  const draw = async (seed: number) => {
    const folder = outFolder();
    await splitByPrompt([rowsFile(...questions)], folder, { fractions, seed });
    return linesOf(folder, "test.jsonl");
  };
  const [one, again, other] = [await draw(1), await draw(1), await draw(2)];
  expect(again).toEqual(one);
  const shared = other.filter((line) => one.includes(line)).length / other.length;
  expect(shared).toBeGreaterThan(0.1);
  expect(shared).toBeLessThan(0.3);
});

test("the elements of a pretty-printed array become one line each", async () => {
  const folder = outFolder();
  const document = fileWith(JSON.stringify(questions.slice(0, 5), null, 2), "rows.json");
  await splitByPrompt([parseDataLocation(document)], folder, { fractions: new Map([["all", 1]]) });
  expect(linesOf(folder, "all.jsonl").map((line) => JSON.parse(line))).toEqual(questions.slice(0, 5));
});

test("a row without a prompt goes nowhere and is counted; files that are there and equal names are refused", async () => {
  const folder = outFolder();
  const file = rowsFile({ prompt: "A?" }, { answer: "B" }, [{ role: "assistant", content: "C" }]);
  const report = await splitByPrompt([file], folder, { fractions });
  expect(report.rejected).toMatchObject({
    count: 2,
    first: expect.stringMatching(/line 2: row: expected a/),
  });
  await expect(splitByPrompt([file], folder, { fractions })).rejects.toMatchObject({ code: "output-exists" });
  await expect(splitByPrompt([file, file], folder, { fractions })).rejects.toMatchObject({
    code: "same-source",
  });
  await expect(splitByPrompt([file], outFolder(), { fractions, strict: true })).rejects.toMatchObject({
    code: "bad-row",
  });
});

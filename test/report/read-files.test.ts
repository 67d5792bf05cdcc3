import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readComparedAnswers, readEvaluation } from "../../src/report/read-files.ts";
import { comparison, evaluation } from "./report-fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-report-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

test("an evaluation is called after its file", async () => {
  const path = write("bench.json", `${JSON.stringify(evaluation.evaluation)}\n`);
  expect(await readEvaluation(path)).toEqual(evaluation);
});

test("rows that could not be compared are skipped", async () => {
  const failed = { id: 3, error: 'row: expected {"prompt"}, got nothing' };
  const path = write("c.jsonl", [comparison, failed].map((row) => `${JSON.stringify(row)}\n`).join("\n"));
  expect(await readComparedAnswers(path)).toEqual([comparison]);
});

test("a file of another kind is refused, with what was expected", async () => {
  const score = write("score.json", '{"index":0,"score":1}');
  await expect(readEvaluation(score)).rejects.toMatchObject({
    code: "not-a-report",
    message: `${score}: expected an evaluation of pairs, got JSON without benchmark`,
    remedy: expect.stringContaining("evaluate pairs --json"),
  });
  await expect(readComparedAnswers(score)).rejects.toMatchObject({
    code: "not-a-report",
    message: `${score}, line 1: expected a comparison, got JSON without responses`,
  });
  const text = write("text.json", "held-out: 71 %");
  await expect(readEvaluation(text)).rejects.toMatchObject({ code: "malformed-json" });
  await expect(readEvaluation(join(folder, "none.json"))).rejects.toMatchObject({ code: "missing-file" });
});

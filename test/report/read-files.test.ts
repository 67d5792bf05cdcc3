import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
  expect(await readEvaluation(path, "model")).toEqual(evaluation);
});

test("rows that could not be compared are skipped", async () => {
  const failed = { id: 3, error: 'row: expected {"prompt"}, got nothing' };
  const path = write("c.jsonl", [comparison, failed].map((row) => `${JSON.stringify(row)}\n`).join("\n"));
  expect(await readComparedAnswers(path)).toEqual([comparison]);
});

test("a file of another kind is refused, with what was expected", async () => {
  const score = write("score.json", '{"index":0,"score":1}');
  await expect(readEvaluation(score, "model")).rejects.toMatchObject({
    code: "not-a-report",
    message: `${score}: expected an evaluation, got JSON without benchmark`,
    remedy: expect.stringContaining("evaluate … --json"),
  });
  await expect(readComparedAnswers(score)).rejects.toMatchObject({
    code: "not-a-report",
    message: `${score}, line 1: expected a comparison, got JSON without responses`,
  });
  const text = write("text.json", "held-out: 71 %");
  await expect(readEvaluation(text, "model")).rejects.toMatchObject({ code: "malformed-json" });
  await expect(readEvaluation(join(folder, "none.json"), "model")).rejects.toMatchObject({
    code: "missing-file",
  });
});

test("of an evaluation of several models the report's own is taken, by name or by folder", async () => {
  mkdirSync(join(folder, "bench"));
  const [a, b] = [join(folder, "a"), join(folder, "b")];
  const models = [a, b].map((model, i) => ({ ...evaluation.evaluation, model, score: i / 2 }));
  const path = write(
    "bench/evaluation.json",
    JSON.stringify({ benchmark: "pairs", models, comparisons: [] }),
  );
  // Called after the folder that `--out` has named.
  expect(await readEvaluation(path, b)).toEqual({ name: "bench", evaluation: models[1] });
  expect((await readEvaluation(path, `${folder}/b/../a/`)).evaluation).toEqual(models[0]);
  await expect(readEvaluation(path, "other")).rejects.toMatchObject({
    code: "other-model",
    message: `${path}: expected an evaluation of other, got those of ${a}, ${b}`,
  });
});

test("every benchmark is read, also where a score is missing; what is none is refused", async () => {
  const bench = { ...evaluation.evaluation, benchmark: "rewardbench", score: null, sectionIntervals: {} };
  const whole = { ...bench, baselineScores: {}, missing: { sections: ["Chat"] }, unknown: [] };
  expect((await readEvaluation(write("rb.json", JSON.stringify(whole)), "m")).evaluation).toEqual(whole);
  const curve = { benchmark: "best-of-n", curve: [] };
  expect((await readEvaluation(write("bon.json", JSON.stringify(curve)), "m")).evaluation).toEqual(curve);
  await expect(readEvaluation(write("part.json", JSON.stringify(bench)), "m")).rejects.toMatchObject({
    code: "not-a-report",
    message: expect.stringContaining("got JSON without baselineScores"),
  });
  const other = write("other.json", '{"benchmark":"toString"}');
  await expect(readEvaluation(other, "m")).rejects.toMatchObject({
    code: "not-a-report",
    message: `${other}: expected an evaluation of pairs, rewardbench, rewardbench2, best-of-n, got benchmark "toString"`,
  });
});

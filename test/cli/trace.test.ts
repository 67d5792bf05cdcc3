import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Score } from "../../src/reward-model.ts";
import { explainComparison, explainGate, explainScore } from "../../src/scoring/explanation.ts";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-trace-cli-"));
const at = (name: string) => join(folder, name);
const response = "Seven is prime.\n\nIt has two divisors: 1 and 7.";
const row = JSON.stringify({ id: "a", prompt: "Name a prime.", response });
const answers = JSON.stringify({
  prompt: "Name a prime.",
  responses: [response, "Eight, I think. Or nine?"],
});
const run = async (args: string[], input = "") => {
  const { code, stdout, stderr } = await runCli([args[0]!, "--model", at("model"), ...args.slice(1)], {
    input,
  });
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
};
const unwrapped = (text: string) => text.replace(/\s+/g, " ");

beforeAll(async () => {
  await writeSmallModel(at("model"));
  writeFileSync(at("row.jsonl"), row);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("score says what a score is made of and what the gate listens to, in words and in JSON", async () => {
  const { explanation, ...score } = JSON.parse(await run(["score", "--json"], row));
  expect(explanation).toBe(explainScore(score as Score));
  expect(score).not.toHaveProperty("trace");
  const people = unwrapped(await run(["score"], row));
  expect(people).toContain(explanation);
  expect(people).toContain(explainGate(score.gatingOutput)!);
});

test("compare and rank say why one response wins", async () => {
  const { pairs } = JSON.parse(await run(["compare", "--json"], answers));
  for (const { explanation, ...pair } of pairs) expect(explanation).toBe(explainComparison(pair));
  for (const command of ["compare", "rank"]) {
    expect(unwrapped(await run([command], answers))).toContain(pairs[0].explanation);
  }
  expect(JSON.parse(await run(["rank", "--json"], answers)).explanation).toBe(pairs[0].explanation);
});

test("--trace follows the score by sentence, --trace=token by token, within 100 columns", async () => {
  const plain = JSON.parse(await run(["score", "--json"], row));
  const { trace, ...score } = JSON.parse(await run(["score", "--json", "--trace"], row));
  expect(score).toEqual(plain);
  expect(trace.unit).toBe("sentence");
  expect(trace.steps.map(({ text }: { text: string }) => text.trim())).toEqual([
    "Seven is prime.",
    "It has two divisors: 1 and 7.",
    "",
  ]);
  expect(trace.steps.at(-1).score).toBe(plain.score);
  for (const unit of ["sentence", "token"]) {
    const people = await run(["score", `--trace=${unit}`], row);
    for (const line of people.split("\n")) expect([...line].length).toBeLessThanOrEqual(100);
    expect(people).toContain("(end of the turn)");
    expect(people).toContain(unit === "sentence" ? "Seven is prime." : "“S”");
  }
  const people = await run(["score", "--trace"], row);
  const change = trace.steps[0].score - trace.start.score;
  expect(people).toContain(`${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(4)}  Seven is prime.`);
});

test("compare --trace follows every response", async () => {
  const { responses } = JSON.parse(await run(["compare", "--json", "--trace=token"], answers));
  for (const { trace, score } of responses) expect(trace.steps.at(-1).score).toBe(score);
  const people = await run(["compare", "--trace"], answers);
  expect(people).toMatch(/A along the response, 2 sentences/);
  expect(people).toMatch(/B along the response, 2 sentences/);
});

test("a trace is refused where nothing is read step by step, and belongs to the run that --out continues", async () => {
  const refused = (...args: string[]) => runCli(["score", "--model", at("model"), ...args]);
  for (const other of [["--embeddings", at("none")], ["--explain-tokens"]]) {
    expect(await refused("--trace", ...other)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /--trace: expected conversations to score, got --.*\n {7}leave out --trace/,
      ),
    });
  }
  expect((await refused("--trace=word")).stderr).toMatch(
    /Expected sentence or token; a file goes before --trace/,
  );
  await run(["score", at("row.jsonl"), "--out", at("scores.jsonl")]);
  expect(await refused(at("row.jsonl"), "--out", at("scores.jsonl"), "--trace")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/got results of another command, model, data or options/),
  });
});

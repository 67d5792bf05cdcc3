import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../run-cli.ts";
import { writeFsfairxCheckpoint } from "../siblings/fsfairx-checkpoint.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-bt-cli-"));
const at = (name: string) => join(folder, name);
const row = { id: "a", prompt: "Name a prime.", response: "Seven." };
const answers = JSON.stringify({ id: "a", prompt: row.prompt, responses: [row.response, "Eight, I think."] });
const pairs = [
  { prompt: row.prompt, chosen: "Seven.", rejected: "Eight." },
  { prompt: "Say hello.", chosen: "Hello!", rejected: "No." },
];
const run = async (args: string[], input = "") => {
  const result = await runCli(args, { input });
  expect({ code: result.code, error: /error:.*/.exec(result.stderr) }).toEqual({ code: 0, error: null });
  return result.stdout;
};
const model = ["--model", at("fsfairx")];

beforeAll(() => {
  writeFsfairxCheckpoint(at("fsfairx"));
  writeFileSync(at("pairs.jsonl"), pairs.map((pair) => JSON.stringify(pair)).join("\n"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("score, compare and rank show a number where there is nothing to split", async () => {
  const { score, rewards } = JSON.parse(await run(["score", ...model, "--json"], JSON.stringify(row)));
  expect(rewards).toEqual({ reward: score });
  const scored = await run(["score", ...model], JSON.stringify(row));
  expect(scored).toMatch(/^a {2}score -?\d\.\d{4} {2}\(\d+ tokens\)\n$/);
  const compared = await run(["compare", ...model], answers);
  expect(compared).toMatch(/^[AB] beats [AB] by \d\.\d{4}, wins with probability \d\d\.\d %\n\n$/m);
  const { ranking, scores } = JSON.parse(await run(["rank", ...model, "--json"], answers));
  expect(scores[0]).toBe(score);
  expect(ranking[0]).toBe(scores[0] >= scores[1] ? 0 : 1);
  const tokens = await run(["score", ...model, "--explain-tokens"], JSON.stringify(row));
  expect(tokens).toMatch(/BOS off/);
  expect(tokens).not.toMatch(/gating token/);
});

test("evaluate pairs agrees with itself on text and embeddings, beside baselines of length alone", async () => {
  const evaluate = async (...args: string[]) =>
    JSON.parse(await run(["evaluate", "pairs", ...model, "--json", ...args]));
  await run([
    ...["embed", "--backbone", at("fsfairx"), "--kind", "pairs"],
    ...["--data", at("pairs.jsonl"), "--out", at("embedded")],
  ]);
  const text = await evaluate("--data", at("pairs.jsonl"), "--out", at("evaluated"));
  expect(text).toMatchObject({ n: 2, overlaps: null });
  expect(Object.keys(text.baselines)).toEqual(["prefer the longer", "prefer the shorter"]);
  expect(text.calibration.bins.reduce((sum: number, { n }: { n: number }) => sum + n, 0)).toBe(2);
  const embedded = await evaluate("--embeddings", at("embedded"));
  expect([embedded.score, embedded.calibration]).toEqual([text.score, text.calibration]);
  const lines = (await run(["score", ...model, "--json", "--embeddings", at("embedded")])).trim().split("\n");
  expect(lines).toHaveLength(4);
  expect(JSON.parse(lines[0]!).score).toBeTypeOf("number");
});

test("a run continues with the same head only", async () => {
  const score = (directory: string, ...more: string[]) =>
    runCli(["score", "--model", directory, "--out", at("scores.jsonl"), ...more], {
      input: JSON.stringify(row),
    });
  expect((await score(at("fsfairx"))).code).toBe(0);
  expect((await score(at("fsfairx"))).stderr).toMatch(/all there already/);
  expect((await score(at("fsfairx"), "--bos", "on")).code).toBe(2);
});

test("inspect says what it is", async () => {
  expect(JSON.parse(await run(["inspect", at("fsfairx"), "--json"]))).toMatchObject({
    kind: "bradley-terry",
    objectives: [{ name: "reward" }],
    hiddenSize: 48,
    marginScale: 1,
    trainingPrompts: null,
  });
  expect(await run(["inspect", at("fsfairx")])).toMatch(/a Bradley–Terry model over a backbone 48 wide/);
});

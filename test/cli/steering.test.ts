import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import type { Score } from "../../src/reward-model.ts";
import { rankingChange } from "../../src/scoring/ranking.ts";
import { steerScore } from "../../src/scoring/steering.ts";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-steering-"));
const at = (name: string) => join(folder, name);
const parse = (jsonl: string) =>
  jsonl
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const write = (name: string, rows: readonly unknown[]) =>
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

const prompts = Array.from({ length: 12 }, (_, i) => ({
  id: i,
  prompt: `What is ${i} plus ${i}?`,
  responses: [`${i} plus ${i} is ${2 * i}.`, `It is ${2 * i + 1}.`, "No idea, I am afraid."],
  labels: [1, 0, 0],
}));
const pairs = prompts.map(({ id, prompt, responses: [chosen, rejected] }) => ({
  id,
  prompt,
  chosen,
  rejected,
}));
const STEERING = ["--scale", "kind=-3", "--without", "true"];
const steering = { scale: { kind: -3 }, without: ["true"] };

beforeAll(async () => {
  // Length is taken out of the other two.
  await writeSmallModel(at("model"), 1, [1, 0, 0, 0, 1, 0, -0.4, -0.2, 0]);
  write("prompts.jsonl", prompts);
  write("pairs.jsonl", pairs);
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  [["--scale", "kindd=2"], 'expected an objective of the model, got "kindd"', "did you mean kind?"],
  [["--scale", "kind=NaN"], 'expected objective=number, as in helpfulness=2, got "kind=NaN"', ""],
  [["--weights", "kind"], 'expected objective=number, as in helpfulness=2, got "kind"', ""],
  [["--weights", "kind=1,kind=2"], "expected each objective once, got kind twice", ""],
  [["--without", "kind", "--without", "kind"], "expected each objective once, got kind twice", ""],
  [["--weights", "kind=0"], "expected an objective that weighs something", "at least one objective"],
  [["--explain-tokens", "--scale", "kind=2"], "expected --explain-tokens without --weights", ""],
])("score refuses %j", async (args, message, remedy) => {
  const { code, stdout, stderr } = await runCli(["score", "--model", at("model"), ...args], { input: "" });
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain(message);
  expect(stderr).toContain(remedy);
});

test("compare gives the steered scores, and says which rankings were turned by what", async () => {
  const args = ["compare", "--model", at("model"), at("prompts.jsonl"), ...STEERING];
  const results = parse((await runCli([...args, "--json"])).stdout);
  await using model = await openRewardModel(at("model"), { threads: 1 });
  for (const [i, { prompt, responses }] of prompts.entries()) {
    const plain = await model.compare([{ role: "user", content: prompt }], responses);
    const steered = plain.responses.map((score) => steerScore(score, steering, model));
    expect(results[i].responses).toEqual(JSON.parse(JSON.stringify(steered))); // JSON has no -0
    expect(results[i].unsteered).toEqual({ ranking: plain.ranking });
    expect(results[i].rankingChange).toEqual(JSON.parse(JSON.stringify(rankingChange(steered))));
  }
  const turned = results.filter((result) => result.rankingChange);
  expect(turned.length).toBeGreaterThan(0);
  const { stdout, stderr } = await runCli(args);
  expect(stdout.match(/steering turned the ranking: . was/g)).toHaveLength(turned.length);
  expect(stdout).toContain("scale kind=-3; without true moved ");
  expect(stderr).toContain(`steering changed ${turned.length} of 12 rankings`);
});

test("rank continues a file under the same steering, in whatever order it is named, and refuses another", async () => {
  const rank = (...args: string[]) =>
    runCli(["rank", "--model", at("model"), at("prompts.jsonl"), "--out", at("ranks.jsonl"), ...args]);
  expect(await rank("--scale", "kind=2,length=3")).toMatchObject({ code: 0 });
  const written = readFileSync(at("ranks.jsonl"), "utf8");
  for (const { ranking, scores, unsteered } of parse(written)) {
    const order = (of: number[]) => [...of.keys()].sort((a, b) => of[b]! - of[a]! || a - b);
    expect([ranking, unsteered.ranking]).toEqual([order(scores), order(unsteered.scores)]);
    expect(unsteered.scores).not.toEqual(scores);
  }
  expect(await rank("--scale", "length=3", "--scale", "kind=2")).toMatchObject({ code: 0 });
  expect(readFileSync(at("ranks.jsonl"), "utf8")).toBe(written);
  for (const other of [["--scale", "kind=2,length=4"], []]) {
    expect(await rank(...other)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("got results of another command, model, data or options"),
    });
  }
});

test("an evaluation stands beside its unsteered self, from text as from embeddings, and its folder belongs to its steering", async () => {
  const evaluate = async (...args: string[]) => {
    const result = await runCli(["evaluate", "pairs", "--model", at("model"), "--json", ...args]);
    return { ...result, json: result.stdout ? JSON.parse(result.stdout) : null };
  };
  const data = ["--data", at("pairs.jsonl")];
  const plain = await evaluate(...data);
  const steered = await evaluate(...data, ...STEERING, "--out", at("run"));
  expect(steered.json.steering).toEqual(steering);
  const { unsteered, changed, better, worse, n } = steered.json.steeringEffect;
  expect(unsteered).toMatchObject({ score: plain.json.score, interval: plain.json.interval });
  expect([n, better + worse]).toEqual([12, changed]);
  expect(steered.json.score - plain.json.score).toBeCloseTo((better - worse) / 12, 12);
  expect(JSON.parse(readFileSync(at("run/evaluation.json"), "utf8"))).toEqual(steered.json);
  expect(readFileSync(at("run/report.html"), "utf8")).toContain('<section id="steering">');
  const [row] = parse(readFileSync(at("run/model.jsonl"), "utf8")) as { chosen: Score }[];
  expect(row!.chosen.unsteered!.score).not.toBe(row!.chosen.score);
  expect((await evaluate(...data, ...STEERING, "--out", at("run"))).json).toEqual(steered.json);
  expect((await evaluate(...data, "--out", at("run"))).code).toBe(2);

  const embed = ["embed", "--backbone", "tiny", "--data", at("pairs.jsonl"), "--out", at("set")];
  expect((await runCli(embed)).code).toBe(0);
  const embedded = await evaluate("--embeddings", at("set"), ...STEERING);
  expect(embedded.json.steeringEffect).toEqual(steered.json.steeringEffect);
  const scored = await runCli([
    ...["score", "--model", at("model"), "--embeddings", at("set"), "--json"],
    ...STEERING,
  ]);
  expect(scored.stderr).toContain("of 12 pairs");
  expect(parse(scored.stdout).map(({ score }) => score)).toEqual(
    parse(readFileSync(at("run/model.jsonl"), "utf8")).flatMap(({ chosen, rejected }) => [
      chosen.score,
      rejected.score,
    ]),
  );
});

test("evaluations of prompts say how many picks changed; known accuracies and a model without the objective take no steering", async () => {
  const evaluate = (benchmark: string, ...args: string[]) => runCli(["evaluate", benchmark, ...args]);
  const data = ["--data", at("prompts.jsonl")];
  const picked = await evaluate("best-of-n", "--model", at("model"), ...data, ...STEERING);
  expect(picked.code).toBe(0);
  expect(picked.stdout).toMatch(/\d+ of 12 picks changed/);
  expect(picked.stdout).toContain("steering  scale kind=-3; without true");
  const known = await evaluate("rewardbench", "--accuracies", at("none.json"), "--scale", "kind=2");
  expect(known).toMatchObject({ code: 2, stderr: expect.stringContaining("expected --accuracies alone") });
  const golden = join(import.meta.dirname, "../golden/armorm/armorm-f32");
  const two = await evaluate("best-of-n", "--model", at("model"), golden, ...data, "--scale", "kind=2");
  expect(two).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`steering of ${golden}: expected an objective of the model, got "kind"`),
  });
});

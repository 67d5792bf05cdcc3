import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-rank-"));
const at = (name: string) => join(folder, name);
const prompts = [
  { id: "a", prompt: "Name a prime.", responses: ["Seven.", "Eight, I think.", "Go away."] },
  { id: "b", prompt: "Say hello.", responses: ["Hello!"] },
  { id: "c", prompt: "Repeat: yes.", responses: ["yes", "yes"] },
  {
    prompt: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Thank me." },
    ],
    responses: ["Thanks!", "No.", "I thank you from the bottom of my heart.", "Why?"],
  },
];
const input = prompts.map((row) => JSON.stringify(row)).join("\n");
const rank = (args: readonly string[], text = input) =>
  runCli(["rank", "--model", at("model"), ...args], { input: text });
const parse = (jsonl: string) =>
  jsonl
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const messagesOf = ({ prompt }: (typeof prompts)[number]) =>
  typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
const assistant = (content: string | undefined) => ({ role: "assistant", content });

beforeAll(() => writeSmallModel(at("model")));
afterAll(() => rmSync(folder, { recursive: true }));

test("responses are ranked by the scores that score gives, ties in the order of the row, one response alone too", async () => {
  const { stdout, code } = await rank(["--json"]);
  const results = parse(stdout);
  expect(code).toBe(0);
  expect(results.map(({ id }) => id)).toEqual(["a", "b", "c", undefined]);
  for (const [i, { ranking, scores, best, explanation }] of results.entries()) {
    const conversations = prompts[i]!.responses.map((content) =>
      JSON.stringify({ messages: [...messagesOf(prompts[i]!), assistant(content)] }),
    );
    const scored = await runCli(["score", "--model", at("model"), "--json"], {
      input: conversations.join("\n"),
    });
    expect(scores).toEqual(parse(scored.stdout).map(({ score }) => score));
    const sorted = [...ranking].sort((x: number, y: number) => scores[y] - scores[x] || x - y);
    expect(ranking).toEqual(sorted);
    expect(best).toBe(ranking[0]);
    expect(explanation === null).toBe(ranking.length === 1);
  }
  expect(results[2].ranking).toEqual([0, 1]);
  expect(Object.keys(results[3])).toEqual(["ranking", "scores", "best", "explanation"]);
});

test("people get a table from best to worst", async () => {
  const [result] = parse((await rank(["--json", "--limit", "1"])).stdout);
  const lines = (await rank(["--limit", "1"])).stdout.split("\n");
  expect(lines[0]).toBe("a  Name a prime.");
  expect(lines.slice(2, 5).map((line) => line[0])).toEqual(result.ranking.map((i: number) => "ABC"[i]));
});

test("--write sft gives the prompt with its best response", async () => {
  const results = parse((await rank(["--json"])).stdout);
  const { stdout } = await rank(["--write", "sft"]);
  expect(parse(stdout)).toEqual(
    prompts.map((row, i) => ({
      ...(row.id === undefined ? {} : { id: row.id }),
      messages: [...messagesOf(row), assistant(row.responses[results[i].best])],
    })),
  );
});

test("--write dpo gives best against worst, and skips ties, single responses and small margins, counted", async () => {
  const results = parse((await rank(["--json"])).stdout);
  const { stdout, stderr, code } = await rank(["--write", "dpo"]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/2 rows skipped/);
  const written = parse(stdout);
  expect(written).toHaveLength(2);
  for (const [row, i] of [
    [written[0], 0],
    [written[1], 3],
  ] as const) {
    const { ranking, scores } = results[i];
    const [best, worst] = [ranking[0], ranking.at(-1)];
    expect(row).toEqual({
      ...(prompts[i]!.id === undefined ? {} : { id: prompts[i]!.id }),
      prompt: messagesOf(prompts[i]!),
      chosen: [assistant(prompts[i]!.responses[best])],
      rejected: [assistant(prompts[i]!.responses[worst])],
      score_chosen: scores[best],
      score_rejected: scores[worst],
      margin: scores[best] - scores[worst],
    });
    expect(row.margin).toBeGreaterThan(0);
  }
  const margins = written.map(({ margin }) => margin);
  const between = String((margins[0] + margins[1]) / 2);
  const wide = await rank(["--write", "dpo", "--min-margin", between]);
  expect(parse(wide.stdout).map(({ margin }) => margin)).toEqual([Math.max(...margins)]);
  expect(wide.stderr).toMatch(/3 rows skipped/);
  expect(await rank(["--min-margin", "1"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/expected --write dpo beside it/),
  });
});

test("a bad row stands in its place with an error, but never among training rows", async () => {
  const text = `${JSON.stringify(prompts[0])}\n{"id":"x","prompt":"Hi","responses":[]}\n${JSON.stringify(prompts[1])}`;
  const ranked = await rank(["--json"], text);
  expect(ranked.code).toBe(2);
  expect(parse(ranked.stdout)[1]).toEqual({
    id: "x",
    index: 1,
    error: "line 2: responses: expected at least one, got 0; add a response, or leave the row out",
  });
  const written = await rank(["--write", "sft"], text);
  expect(parse(written.stdout).map(({ id }) => id)).toEqual(["a", "b"]);
  expect(written.stderr).toMatch(/x {2}line 2: .*\n1 of 3 rows could not be ranked/);
  expect(written.code).toBe(2);
  expect(await rank(["--strict"], text)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/error: line 2: responses/),
  });
});

test("a killed or cut run continues to the same bytes, rows without a result included", async () => {
  writeFileSync(at("many.jsonl"), Array(40).fill(input).join("\n"));
  const args = [at("many.jsonl"), "--write", "dpo"];
  expect((await rank([...args, "--out", at("whole.jsonl")])).stderr).toMatch(/80 rows skipped/);
  const whole = readFileSync(at("whole.jsonl"), "utf8");
  const killed = runCli(["rank", "--model", at("model"), ...args, "--out", at("killed.jsonl")]);
  const size = () => (existsSync(at("killed.jsonl")) ? statSync(at("killed.jsonl")).size : 0);
  while (size() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  killed.kill();
  await killed;
  expect((await rank([...args, "--out", at("killed.jsonl")])).stderr).toMatch(/80 rows skipped/);
  expect(readFileSync(at("killed.jsonl"), "utf8")).toBe(whole);
  truncateSync(at("killed.jsonl"), whole.length >> 1);
  await rank([...args, "--out", at("killed.jsonl")]);
  expect(readFileSync(at("killed.jsonl"), "utf8")).toBe(whole);
  expect(await rank([at("many.jsonl"), "--write", "sft", "--out", at("whole.jsonl")])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/another command, model, data or options/),
  });
});

test("compare takes the same options: limit, out and errors in place", async () => {
  const compare = (...args: string[]) => runCli(["compare", "--model", at("model"), ...args], { input });
  const { stdout, code } = await compare("--json", "--limit", "3");
  const results = parse(stdout);
  expect(code).toBe(2);
  expect(results[1]).toMatchObject({
    id: "b",
    index: 1,
    error: expect.stringMatching(/at least two, got 1/),
  });
  expect(results.map(({ id }) => id)).toEqual(["a", "b", "c"]);
  await compare("--limit", "3", "--out", at("compared.jsonl"));
  expect(readFileSync(at("compared.jsonl"), "utf8")).toBe(stdout);
});

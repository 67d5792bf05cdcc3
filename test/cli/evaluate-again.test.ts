// Evaluations that are repeated, grown, renamed or changed, from text and from embeddings.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-evaluate-again-"));
const at = (name: string) => join(folder, name);
const evaluate = async (...args: string[]) => {
  const result = await runCli(["evaluate", ...args, "--json"]);
  return { ...result, json: result.stdout ? JSON.parse(result.stdout) : null };
};

const pair = (id: number, more: object = {}) => ({
  id,
  prompt: `Name a number above ${id}.`,
  chosen: `The number ${id + 1} is above it.`,
  rejected: `It is ${id}${" again".repeat(id % 3)}.`,
  ...more,
});
// Rows 1 and 4 cannot be scored: one is too long, one has equal responses.
const rows = Array.from({ length: 8 }, (_, id) => {
  if (id === 1) return pair(id, { chosen: "on and on ".repeat(900) });
  return id === 4 ? pair(id, { chosen: "Same.", rejected: "Same." }) : pair(id);
});

beforeAll(async () => {
  await writeSmallModel(at("model"), 1);
  writeFileSync(at("rows.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  await runCli([
    "embed",
    "--backbone",
    "tiny",
    "--kind",
    "pairs",
    "--data",
    `shp=${at("rows.jsonl")}`,
    "--out",
    at("embedded"),
  ]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const sources = {
  text: () => ["--data", `shp=${at("rows.jsonl")}`],
  embeddings: () => ["--embeddings", at("embedded")],
};
const model = () => ["--model", at("model")];

test("rows that cannot be scored count in their prior set, from text as from embeddings", async () => {
  const [text, embedded] = [
    (await evaluate("rewardbench", ...model(), ...sources.text())).json,
    (await evaluate("rewardbench", ...model(), ...sources.embeddings())).json,
  ];
  for (const { subsets, unknown, rejected } of [text, embedded]) {
    expect(subsets.shp).toMatchObject({ n: 8, unscored: 2 });
    expect(Object.keys(subsets)).toEqual(["shp"]);
    expect(unknown).toEqual([]);
    expect(rejected.map(({ id }: { id: number }) => id)).toEqual([1, 4]);
  }
  const { rejected: _, ...figures } = text;
  expect(embedded).toMatchObject(figures);
});

test.each(["text", "embeddings"] as const)(
  "from %s, a folder grows with the limit, stays the same at the same one, and is cut at a smaller one",
  async (from) => {
    const run = (limit: number, ...out: string[]) =>
      evaluate("rewardbench", ...model(), ...sources[from](), "--limit", String(limit), ...out);
    const kept = ["--out", at(`limit-${from}`)];
    for (const limit of [3, 6, 6, 5, 8, 8]) {
      const { json } = await run(limit, ...kept);
      expect(json).toEqual((await run(limit)).json);
      expect(json.n + json.rejected.length).toBe(limit);
    }
  },
);

test("a folder of the same file under another name, or of the file changed, is another run", async () => {
  const out = ["--out", at("named")];
  expect((await evaluate("pairs", ...model(), ...sources.text(), ...out)).code).toBe(2); // One row is unreadable.
  const renamed = await evaluate("pairs", ...model(), "--data", at("rows.jsonl"), ...out);
  const refused =
    /expected no file or this run begun, got results of another command, model, data or options/;
  expect(renamed).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(refused) });
  cpSync(at("rows.jsonl"), at("changed.jsonl"));
  writeFileSync(at("changed.jsonl"), `${JSON.stringify(pair(9))}\n`, { flag: "a" });
  const changed = await evaluate("pairs", ...model(), "--data", `shp=${at("changed.jsonl")}`, ...out);
  expect(changed).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(refused) });
});

test("models whose folders are called alike keep files of their own, and a folder in the way is told before scoring", async () => {
  for (const place of ["a/model", "b/model", "c/model-1"]) {
    mkdirSync(at(place), { recursive: true });
    cpSync(at("model"), at(place), { recursive: true });
  }
  const models = ["--model", at("a/model"), at("b/model"), at("c/model-1")];
  await evaluate("pairs", ...models, ...sources.embeddings(), "--out", at("alike"));
  const files = readdirSync(at("alike")).filter((name) => name.endsWith(".jsonl"));
  expect(files.sort()).toEqual(["model-1.jsonl", "model-2.jsonl", "model-3.jsonl"]);
  mkdirSync(at("late"));
  writeFileSync(at("late/model-3.jsonl"), "something else\n");
  const late = await evaluate("pairs", ...models, ...sources.embeddings(), "--out", at("late"));
  expect(late).toMatchObject({ code: 2, stderr: expect.stringMatching(/model-3\.jsonl: expected no file/) });
  expect(readFileSync(at("late/model-3.jsonl"), "utf8")).toBe("something else\n");
});

test("a field that no row has is said, and best of N compares models on the prompts that both scored", async () => {
  const shown = await runCli(["evaluate", "pairs", ...model(), ...sources.text(), "--by", "ratr"]);
  expect(shown.stdout).toMatch(/no row has a field ratr/);
  const { json } = await evaluate("pairs", ...model(), ...sources.text(), "--by", "ratr");
  expect(json.groups.ratr["(none)"].n).toBe(6);
  const prompts = [0, 1, 2].map((id) => ({
    id,
    prompt: `Is ${id} a number?`,
    responses: ["Yes.", "No.", "Never."],
    labels: [5, 2, 1],
  }));
  writeFileSync(at("graded.jsonl"), prompts.map((row) => JSON.stringify(row)).join("\n"));
  await writeSmallModel(at("other"), 2);
  const args = ["best-of-n", "--model", at("model"), at("other"), "--data", at("graded.jsonl")];
  const graded = await evaluate(...args);
  expect(graded.json.models[0]).toMatchObject({ graded: true, scoreCountingRejected: null });
  const [a, b] = graded.json.models.map(({ score }: { score: number }) => score);
  expect(graded.json.comparisons).toMatchObject([{ n: 3, difference: expect.closeTo(b - a, 12) }]);
  const { stdout } = await runCli(["evaluate", ...args]);
  expect(stdout).not.toMatch(/\d %$/m);
  expect(stdout).toMatch(/the 3 prompts that both scored/);
});

// The benchmarks on the command line, with models that are noise on the built-in backbone.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-evaluate-"));
const at = (name: string) => join(folder, name);
const writeRows = (name: string, rows: readonly unknown[]) => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return at(name);
};
const evaluate = async (...args: string[]) => {
  const result = await runCli(["evaluate", ...args, "--json"]);
  return { ...result, json: result.stdout ? JSON.parse(result.stdout) : null };
};

const SUBSETS = ["alpacaeval-easy", "llmbar-natural", "donotanswer", "my-own"];
const pairs = SUBSETS.flatMap((subset, s) =>
  Array.from({ length: 4 }, (_, i) => ({
    id: 10 * s + i,
    subset,
    prompt: `Name a number above ${10 * s + i}.`,
    chosen: `The number ${20 * s + i + 1} is above it.`,
    rejected: `It is ${i}, or so I heard${" again".repeat(s)}.`,
    rater: { kind: i < 2 ? "human" : "model" },
  })),
);
const tooLong = {
  id: 99,
  subset: "donotanswer",
  prompt: "Go on.",
  chosen: "on and on ".repeat(900),
  rejected: "No.",
};
const prompts = Array.from({ length: 6 }, (_, i) => ({
  id: i,
  subset: i < 3 ? "sums" : "names",
  prompt: `What is ${i} plus ${i}?`,
  responses: [`${i} plus ${i} is ${2 * i}.`, `It is ${2 * i + 1}.`, `I would say ${2 * i + 1}.`, "No idea."],
  labels: [1, 0, 0, 0],
}));

beforeAll(async () => {
  await writeSmallModel(at("first"), 1);
  await writeSmallModel(at("second"), 2);
  writeRows("bench.jsonl", [...pairs, tooLong]);
  writeRows("samples.jsonl", prompts);
  for (const [name, kind] of [
    ["bench", "pairs"],
    ["samples", "best-of-n"],
  ] as const) {
    const args = [
      "embed",
      "--backbone",
      "tiny",
      "--kind",
      kind,
      "--data",
      at(`${name}.jsonl`),
      "--out",
      at(`embedded-${name}`),
    ];
    expect((await runCli(args)).code).toBe(0);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("evaluate rewardbench", () => {
  test("gives subsets, sections and what is missing, the same from text and from embeddings", async () => {
    const { json: text, code } = await evaluate(
      "rewardbench",
      "--model",
      at("first"),
      "--data",
      at("bench.jsonl"),
    );
    expect(code).toBe(0);
    expect(text).toMatchObject({
      benchmark: "rewardbench",
      model: at("first"),
      n: 16,
      score: null,
      referenceCounts: false,
    });
    expect(text.subsets.donotanswer).toMatchObject({ n: 5, unscored: 1, section: "Safety", weight: 136 });
    expect(text.subsets["my-own"]).toMatchObject({ n: 4, section: null });
    expect(text.unknown).toEqual(["my-own"]);
    expect(text.missing.subsets).toHaveLength(20);
    expect(text.sections.Safety).toBe(text.subsets.donotanswer.accuracy);
    expect(text.rejected).toMatchObject([{ id: 99, subset: "donotanswer", kind: "too-long" }]);
    const { json: embedded } = await evaluate(
      "rewardbench",
      "--model",
      at("first"),
      "--embeddings",
      at("embedded-bench"),
    );
    const { rejected: _, ...rest } = embedded;
    const { rejected: __, ...same } = text;
    expect(rest).toEqual(same);
    expect(embedded.rejected).toMatchObject([{ id: 99, subset: "donotanswer", kind: "too-long" }]);
  });

  test("says it in a terminal too, beside what others have published", async () => {
    const args = ["rewardbench", "--model", at("first"), "--embeddings", at("embedded-bench")];
    const { stdout, code } = await runCli(["evaluate", ...args]);
    expect(code).toBe(0);
    for (const expected of [
      /^ {2}donotanswer +5 +136 +136 +\d+\.\d %/m,
      /outside the benchmark/,
      /no score: nothing of/,
      /another number of pairs than the official set/,
      /^published, not measured here/m,
      /ArmoRM-Llama3-8B-v0\.1 +90\.8 +89\.0/,
      /^prefer the longer/m,
    ]) {
      expect(stdout).toMatch(expected);
    }
    expect(stdout).toMatch(/rejected, too-long: 1/);
  });
});

describe("several models", () => {
  test("stand side by side, are compared pair by pair, and leave their rows in the folder", async () => {
    const args = [
      "pairs",
      "--model",
      at("first"),
      at("second"),
      "--data",
      at("bench.jsonl"),
      "--by",
      "rater.kind",
      "--out",
      at("both"),
    ];
    const { json } = await evaluate(...args);
    expect(json.models.map(({ model }: { model: string }) => model)).toEqual([at("first"), at("second")]);
    const [comparison] = json.comparisons;
    expect(comparison).toMatchObject({ first: at("first"), second: at("second"), n: 16, scoredByOne: 0 });
    const [a, b] = json.models;
    expect(comparison.difference).toBeCloseTo(b.score - a.score, 12);
    expect(Object.keys(a.groups["rater.kind"])).toEqual(["human", "model"]);
    for (const name of ["first.jsonl", "second.jsonl", "evaluation.json"])
      expect(readdirSync(at("both"))).toContain(name);
    const rows = readFileSync(at("both/first.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows).toHaveLength(17);
    const right = rows.filter((row) => row.chosen && row.chosen.score > row.rejected.score).length;
    expect(right / 16).toBe(a.score);
    const before = readFileSync(at("both/evaluation.json"), "utf8");
    // Once more: everything is there, and every digit is the same.
    expect((await evaluate(...args)).json).toEqual(json);
    expect(readFileSync(at("both/evaluation.json"), "utf8")).toBe(before);
    const other = await evaluate(
      "pairs",
      "--model",
      at("second"),
      "--data",
      at("bench.jsonl"),
      "--out",
      at("both"),
    );
    expect(other).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/expected no file or this run begun/),
    });
    expect(readFileSync(at("both/evaluation.json"), "utf8")).toBe(before);
  });

  test("are refused where one is named twice, and where the source is not clear", async () => {
    const twice = await evaluate("pairs", "--model", at("first"), at("first"), "--data", at("bench.jsonl"));
    expect(twice).toMatchObject({ code: 2, stderr: expect.stringMatching(/expected each model once/) });
    const both = ["--data", at("bench.jsonl"), "--embeddings", at("embedded-bench")];
    const unclear = await evaluate("pairs", "--model", at("first"), ...both);
    expect(unclear).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/expected one of --data and --embeddings/),
    });
    const by = await evaluate(
      "pairs",
      "--model",
      at("first"),
      "--embeddings",
      at("embedded-bench"),
      "--by",
      "rater.kind",
    );
    expect(by).toMatchObject({ code: 2, stderr: expect.stringMatching(/--by/) });
  });
});

describe("best of N", () => {
  test("is the same from text and from embeddings, beside the best there is and a vote", async () => {
    const { json: text, code } = await evaluate(
      "best-of-n",
      "--model",
      at("first"),
      "--data",
      at("samples.jsonl"),
      "--out",
      at("bon"),
    );
    expect(code).toBe(0);
    expect(text).toMatchObject({
      benchmark: "best-of-n",
      n: 6,
      responses: { least: 4, most: 4 },
      graded: false,
    });
    expect(text.curve.map(({ n }: { n: number }) => n)).toEqual([1, 2, 3, 4]);
    expect(text.curve[0]).toMatchObject({ accuracy: 0.25, oracle: 0.25, random: 0.25 });
    // Two of four say the wrong number: a vote loses. Somebody is always right.
    expect(text.curve[3]).toMatchObject({ oracle: 1, majority: 0 });
    expect(Object.keys(text.subsets)).toEqual(["sums", "names"]);
    const { json: embedded } = await evaluate(
      "best-of-n",
      "--model",
      at("first"),
      "--embeddings",
      at("embedded-samples"),
    );
    expect(embedded).toEqual(text);
    const shown = await runCli([
      "evaluate",
      "best-of-n",
      "--model",
      at("first"),
      "--embeddings",
      at("embedded-samples"),
    ]);
    expect(shown.stdout).toMatch(/n +prompts +this model +95 % interval +best there is +vote/);
  });

  test("RewardBench 2 counts what it is given and says what is missing", async () => {
    const rows = [
      { id: "0", subset: "Math", prompt: "1 + 1?", chosen: ["2"], rejected: ["3", "4", "5"], num_correct: 1 },
      {
        id: "ref:0",
        subset: "Ties",
        prompt: "A colour?",
        chosen: ["Red."],
        rejected: ["Seven."],
        num_correct: 1,
      },
      {
        id: "tied:0",
        subset: "Ties",
        prompt: "A colour, please?",
        chosen: ["Red.", "Blue."],
        rejected: ["Seven."],
        num_correct: 2,
      },
    ];
    const path = writeRows("bench2.jsonl", rows);
    const { json, code } = await evaluate(
      "rewardbench2",
      "--model",
      at("first"),
      at("second"),
      "--data",
      path,
    );
    expect(code).toBe(0);
    for (const model of json.models) {
      expect(model).toMatchObject({ benchmark: "rewardbench2", n: 3, score: null });
      expect(model.subsets.Math).toMatchObject({ n: 1, officialPrompts: 183 });
      expect(model.missing).toEqual(["Factuality", "Precise IF", "Safety", "Focus"]);
      expect(model.ties.prompts).toBe(1);
    }
    const shown = await runCli(["evaluate", "rewardbench2", "--model", at("first"), "--data", path]);
    expect(shown.stdout).toMatch(/no score: nothing of Factuality, Precise IF, Safety, Focus/);
    const wrong = await evaluate("rewardbench2", "--model", at("first"), "--data", at("bench.jsonl"));
    expect(wrong.code).toBe(2);
  });
});

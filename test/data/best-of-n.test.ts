import { describe, expect, test } from "vitest";
import { finalAnswersOf, readBestOfN } from "../../src/data/best-of-n.ts";
import { describeData } from "../../src/data/describe-data.ts";
import { detectKind } from "../../src/data/kind.ts";
import { promptHash } from "../../src/data/prompt-hash.ts";
import { promptOfRow } from "../../src/data/prompt-of-row.ts";
import type { BestOfNRow } from "../../src/data/records.ts";
import { collect, onlyError, rowsFile } from "./data-file.ts";

const user = (content: string) => ({ role: "user", content });
const ours = { prompt: "2 + 2?", responses: ["A: 4", "A: 5", "A: 4"], labels: [1, 0, 1] };
const rewardBench2 = {
  id: "tied:7",
  prompt: "Name a colour.",
  chosen: ["red", "blue"],
  rejected: ["seven"],
  num_correct: 2,
  num_incorrect: 1,
  total_completions: 3,
  models: ["m1", "m2", "m3"],
  subset: "Ties",
  additional_metadata: null,
};
const math = { prompt: "2 + 2?", answers: ["It is \\boxed{4}.", "5"], label: [1, 0] };

const one = async (row: object) => (await collect(readBestOfN([rowsFile(row)])))[0] as BestOfNRow;

describe("layouts", () => {
  test("a prompt with responses and labels", async () => {
    const location = rowsFile({ ...ours, id: 3, category: "sums" });
    expect(await collect(readBestOfN([location]))).toEqual([
      {
        kind: "best-of-n",
        id: 3,
        prompt: [user("2 + 2?")],
        responses: ours.responses,
        labels: [1, 0, 1],
        finalAnswers: null,
        subset: "sums",
        source: location.source,
        promptHash: promptHash("2 + 2?"),
      },
    ]);
  });

  test("RewardBench 2: chosen before rejected, the first num_correct are right, ids unchanged", async () => {
    expect(await one(rewardBench2)).toMatchObject({
      id: "tied:7",
      responses: ["red", "blue", "seven"],
      labels: [1, 1, 0],
      finalAnswers: null,
      subset: "Ties",
    });
    const { num_correct: _, num_incorrect: __, total_completions: ___, ...uncounted } = rewardBench2;
    expect(await one(uncounted)).toMatchObject({ labels: [1, 1, 0] });
  });

  test("math test sets: what answers hold are the responses, with label or labels", async () => {
    const { label, ...rest } = math;
    const expected = { responses: math.answers, labels: [1, 0], finalAnswers: null };
    expect(await one(math)).toMatchObject(expected);
    expect(await one({ ...rest, labels: label })).toMatchObject(expected);
  });

  test("labels may be true and false, or grades; messages may give the prompt", async () => {
    const messages = [user("a"), { role: "assistant", content: "b" }, user("c")];
    const graded = { messages, responses: ["x", "y", "z"], labels: [0.1, -3, true] };
    expect(await one(graded)).toMatchObject({ prompt: messages, labels: [0.1, -3, 1] });
  });

  test("one response, equal responses and an empty response are responses", async () => {
    expect(await one({ prompt: "p", responses: ["only"], labels: [0] })).toMatchObject({ labels: [0] });
    const row = { prompt: "p", responses: ["same", "same", ""], labels: [1, 1, 0] };
    expect(await one(row)).toMatchObject({ responses: ["same", "same", ""] });
  });
});

describe("final answers", () => {
  test("are normalised where the row gives them", async () => {
    const row = await one({ ...ours, answers: ["4.0", null, 4] });
    expect(row.finalAnswers).toEqual(["4", null, "4"]);
    expect(finalAnswersOf(row)).toEqual(["4", null, "4"]);
  });

  test("are extracted where it does not", async () => {
    expect(finalAnswersOf(await one(ours))).toEqual(["4", "5", "4"]);
    expect(finalAnswersOf(await one(math))).toEqual(["4", "5"]);
  });
});

describe("bad rows become errors that say what is wrong", () => {
  const cases: [name: string, row: unknown, error: RegExp][] = [
    ["no responses", { prompt: "p" }, /^row: expected responses with labels, or lists chosen and rej/],
    ["an empty list", { prompt: "p", responses: [], labels: [] }, /^responses: expected at least one/],
    ["empty lists", { ...rewardBench2, chosen: [], rejected: [] }, /at least one response, got none/],
    ["fewer labels", { ...ours, labels: [1] }, /^labels: expected one for each of 3 responses, got 1/],
    ["no labels", { prompt: "p", responses: ["x"] }, /^labels: expected an array of numbers, got nothing/],
    ["a label as text", { ...ours, labels: [1, "0", 1] }, /^labels\[1\]: .* got the string "0"/],
    ["a missing label", { ...ours, labels: [1, 0, null] }, /^labels\[2\]: .* got null/],
    [
      "a response as a number",
      { ...ours, responses: ["x", 2, "y"] },
      /^responses\[1\]: expected text, got 2/,
    ],
    ["responses as text", { ...ours, responses: "x" }, /^responses: expected an array of texts/],
    ["fewer answers", { ...ours, answers: ["4"] }, /^answers: expected a final answer .* 3 responses, got 1/],
    ["an answer as an object", { ...ours, answers: ["4", {}, null] }, /^answers\[1\]: .* got an object/],
    ["a wrong count", { ...rewardBench2, num_correct: 1 }, /^num_correct: expected 2 as in the lists, got 1/],
    ["a wrong count", { ...rewardBench2, num_incorrect: 3 }, /^num_incorrect: expected 1 .* got 3/],
    ["a wrong count", { ...rewardBench2, total_completions: 4 }, /^total_completions: expected 3 .* got 4/],
    ["a pair", { prompt: "p", chosen: "x", rejected: "y" }, /^chosen: expected an array of texts/],
    ["no prompt", { responses: ["x"], labels: [1] }, /^prompt: expected text or messages, got nothing/],
    ["no object", [1], /^row: expected an object with a prompt, responses and labels/],
  ];
  test.each(cases)("%s", async (_, row, error) => {
    expect(await onlyError(readBestOfN([rowsFile(row, ours)]))).toMatch(error);
  });

  test("numbers that JSON cannot hold are refused with the row", async () => {
    const { fileWith } = await import("./data-file.ts");
    const path = fileWith(`${JSON.stringify(ours)}\n{"prompt":"p","responses":["x"],"labels":[1e999]}`);
    expect(await onlyError(readBestOfN([{ path, source: "s", prefix: "" }]))).toMatch(/got Infinity/);
  });

  test("a file without one usable row is of another kind", async () => {
    const file = rowsFile({ prompt: "p", chosen: "x", rejected: "y" });
    await expect(collect(readBestOfN([file]))).rejects.toMatchObject({ code: "no-usable-rows" });
  });
});

describe("other tools know the kind", () => {
  test("it is told from pairs, whose lists hold messages, and from ratings", async () => {
    const kinds = [ours, rewardBench2, math, { prompt: "p", responses: ["x"] }].map(rowsFile);
    for (const location of kinds) expect(await detectKind(location)).toBe("best-of-n");
    const chosen = [user("a"), { role: "assistant", content: "x" }];
    expect(await detectKind(rowsFile({ chosen, rejected: "y" }))).toBe("pairs");
    const labels = { helpfulness: 3 };
    expect(await detectKind(rowsFile({ prompt: "p", response: "x", labels, responses: null }))).toBe(
      "ratings",
    );
  });

  test("prompts for splits and overlaps are those that the reader finds", async () => {
    const messages = [user("something longer")];
    for (const row of [ours, rewardBench2, math, { ...ours, messages }, { ...rewardBench2, messages }]) {
      const record = await one(row);
      expect(promptOfRow(row, { path: "", source: "", prefix: "" })).toEqual(record.prompt);
    }
  });

  test("describe counts prompts, responses and subsets", async () => {
    expect(
      await describeData(rowsFile(rewardBench2, rewardBench2, { ...rewardBench2, chosen: 3 })),
    ).toMatchObject({
      kind: "best-of-n",
      rows: 2,
      prompts: 1,
      duplicates: { rows: 1, contents: 1, contradictions: null },
      subsets: { Ties: 2 },
      lengths: { response: { texts: 6 } },
      chosenLonger: null,
      rejected: { count: 1 },
    });
  });
});

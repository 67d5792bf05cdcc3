import { describe, expect, test } from "vitest";
import { collectPairs } from "../../src/evaluation/collect-pairs.ts";
import { compareModels } from "../../src/evaluation/compare-models.ts";
import { evaluatePairs } from "../../src/evaluation/evaluate-pairs.ts";
import { type PairSketch, rejectedPair, scorerOf } from "./pair-fixture.ts";

const close = (value: number) => expect.closeTo(value, 12);

describe("an evaluation of pairs", () => {
  test("counts a tie as wrong, for the model and for every baseline", async () => {
    const evaluation = await evaluatePairs(
      scorerOf([
        { margin: { x: 1, y: 0 }, subset: "a", tokens: [8, 5] },
        { margin: { x: 0.5, y: -0.5 }, subset: "a", tokens: [3, 5] },
        { margin: { x: -1, y: 0 }, subset: "b", tokens: [5, 5] },
        { margin: { x: -0.5, y: 1 }, subset: "b", tokens: [9, 5] },
      ]),
      null,
    );
    expect(evaluation).toMatchObject({
      benchmark: "pairs",
      n: 4,
      prompts: 4,
      ties: 1,
      score: 0.5,
      overlaps: null,
    });
    expect(evaluation.subsets.a).toMatchObject({ n: 2, accuracy: 0.5 });
    expect(evaluation.baselines["regression mean"]!.accuracy).toBe(0.5);
    expect(evaluation.baselines["prefer the longer"]!.accuracy).toBe(0.5);
    expect(evaluation.baselines["prefer the shorter"]!.accuracy).toBe(0.25);
  });

  test("says what each objective does: alone, without it, and in the mean margin, which they sum to", async () => {
    const rows: PairSketch[] = [
      { margin: { x: 2, y: -1 }, tokens: [9, 1] },
      { margin: { x: -1, y: 3 }, tokens: [5, 1] },
      { margin: { x: 1, y: 1 }, tokens: [2, 1] },
    ];
    const { objectives, margins, length } = await evaluatePairs(scorerOf(rows), null);
    expect(objectives.x).toEqual({
      alone: close(2 / 3),
      without: close(2 / 3),
      flips: close(1 / 3),
      meanContribution: close(2 / 3),
      lengthCorrelation: close(0.5),
    });
    expect(objectives.y).toMatchObject({ alone: close(2 / 3), without: close(2 / 3), meanContribution: 1 });
    const sum = Object.values(objectives).reduce(
      (total, { meanContribution }) => total + meanContribution,
      0,
    );
    expect(sum).toBeCloseTo(margins.mean, 12);
    expect(length!.chosenLonger).toMatchObject({ n: 3, accuracy: 1 });
    expect(length!.chosenShorter.n).toBe(0);
  });

  test("names the pairs with the lowest margins and what each objective did to them", async () => {
    const rows = Array.from({ length: 30 }, (_, i) => ({ margin: { x: i % 7, y: -3 } }));
    const { hardest } = await evaluatePairs(scorerOf(rows), null);
    expect(hardest).toHaveLength(20);
    expect(hardest.slice(0, 5).map(({ index }) => index)).toEqual([0, 7, 14, 21, 28]);
    for (const { margin, contributions } of hardest) expect(contributions.x! + contributions.y!).toBe(margin);
  });

  test("holds accuracies by fields of the rows, and says which rows lack one", async () => {
    const rows = [
      { margin: { x: 1 }, fields: { rater: "human" } },
      { margin: { x: -1 }, fields: { rater: "model" } },
      { margin: { x: 1 }, fields: {} },
    ];
    const { groups } = await evaluatePairs(scorerOf(rows), null);
    expect(Object.keys(groups)).toEqual(["rater"]);
    expect(groups.rater).toMatchObject({
      human: { accuracy: 1 },
      model: { accuracy: 0 },
      "(none)": { n: 1 },
    });
  });

  test("counts repeated ids, prompts that training saw, and drops the latter on request", async () => {
    const rows = [
      { margin: { x: 1 }, id: 1, promptHash: "a" },
      { margin: { x: 1 }, id: 1, promptHash: "a" },
      { margin: { x: -1 }, id: 1, promptHash: "b" },
      { margin: { x: 1 }, id: 1, promptHash: "c", subset: "other" },
      rejectedPair(),
    ];
    const trainedOn = (hash: string) => hash === "a";
    const all = await evaluatePairs(scorerOf(rows), trainedOn);
    expect(all).toMatchObject({ n: 4, prompts: 3, overlaps: { found: 2, dropped: 0 }, score: 0.75 });
    expect(all.repeatedIds).toEqual({ samePrompt: 1, otherPrompt: 1 });
    expect(all.rejected).toHaveLength(1);
    const unseen = await evaluatePairs(scorerOf(rows), trainedOn, { dropOverlaps: true });
    expect(unseen).toMatchObject({ n: 2, overlaps: { found: 2, dropped: 2 }, score: 0.5 });
  });

  test("rejects scores that are no numbers, and refuses where nothing is left", async () => {
    const rows = [{ margin: { x: Number.NaN }, subset: "s" }, rejectedPair()];
    await expect(evaluatePairs(scorerOf(rows), null)).rejects.toMatchObject({
      code: "no-rows",
      message: expect.stringContaining(
        "got none of 2 (2 rejected, 0 overlaps; the first: the score is not a finite number",
      ),
    });
  });

  test("holds mean gating outputs by subset, and calibration where the margin scale is known", async () => {
    const rows = [
      { margin: { x: 1, y: 0 }, subset: "a", gate: { x: 0.2, y: 0.8 } },
      { margin: { x: -1, y: 0 }, subset: "b", gate: { x: 0.5, y: 0.5 } },
      { margin: { x: 1, y: 0 }, subset: "a", gate: { x: 0.4, y: 0.6 } },
    ];
    const evaluation = await evaluatePairs(scorerOf(rows), null, { marginScale: 2 });
    expect(evaluation.gating).toEqual({
      a: { n: 2, gatingOutput: { x: close(0.3), y: close(0.7) } },
      b: { n: 1, gatingOutput: { x: 0.5, y: 0.5 } },
    });
    const sigma = 1 / (1 + Math.exp(-2));
    expect(evaluation.calibration).toEqual({
      bins: [{ from: 0.85, to: 0.9, n: 3, predicted: close(sigma), observed: 2 / 3 }],
      calibrationError: close(sigma - 2 / 3),
      brierScore: close((2 * (1 - sigma) ** 2 + sigma ** 2) / 3),
      logLoss: close(-(2 * Math.log(sigma) + Math.log(1 - sigma)) / 3),
    });
    expect((await evaluatePairs(scorerOf(rows), null)).calibration).toBeNull();
  });

  test("is the same in every digit when it is made again", async () => {
    const rows = Array.from({ length: 200 }, (_, i) => ({
      margin: { x: Math.sin(i), y: Math.cos(3 * i) },
      promptHash: `${i % 90}`,
      subset: `${i % 3}`,
      tokens: [i % 17, i % 11] as const,
    }));
    const make = async () => JSON.stringify(await evaluatePairs(scorerOf(rows), null, { marginScale: 1 }));
    expect(await make()).toBe(await make());
  });
});

describe("two models on the same pairs", () => {
  const named = async (name: string, margins: readonly (number | null)[]) => ({
    name,
    collected: await collectPairs(
      scorerOf(margins.map((x, id) => (x === null ? rejectedPair({ id }) : { margin: { x } }))),
      null,
    ),
  });

  test("are compared where both could score", async () => {
    const first = await named("first", [1, 1, -1, -1, null, 1]);
    const second = await named("second", [1, -1, 1, 1, 1, 0]);
    expect(compareModels(first, second)).toMatchObject({
      first: "first",
      second: "second",
      n: 5,
      scoredByOne: 1,
      difference: 0,
      onlyFirst: 2,
      onlySecond: 2,
      pValue: 1,
    });
  });

  test("differ by an interval that is turned round with them", async () => {
    const margins = (shift: number) => Array.from({ length: 60 }, (_, i) => Math.sin(i * 7) + shift);
    const [weak, strong] = [await named("weak", margins(0)), await named("strong", margins(0.5))];
    const there = compareModels(weak, strong);
    const back = compareModels(strong, weak);
    expect(there.difference).toBeGreaterThan(0.1);
    expect(back.difference).toBe(-there.difference);
    expect(there.interval[0]).toBeGreaterThan(0);
    expect(back.interval).toEqual([close(-there.interval[1]), close(-there.interval[0])]);
    expect(there.onlyFirst).toBe(0);
    expect(there.pValue).toBeCloseTo(2 * 0.5 ** there.onlySecond, 12);
  });

  test("are refused where their rows are not the same", async () => {
    const other = {
      name: "other",
      collected: await collectPairs(scorerOf([{ margin: { x: 1 }, id: 7 }]), null),
    };
    const first = await named("first", [1]);
    expect(() => compareModels(first, other)).toThrow(
      "expected the same rows for first and other, got others at row 1",
    );
  });
});

test("where lengths are not known, as in imported embeddings, nothing is said about length", async () => {
  const rows = [
    { margin: { x: 1 }, tokens: [Number.NaN, Number.NaN] as const },
    // As it comes back from a file.
    { margin: { x: -1 }, tokens: [null, null] as unknown as readonly [number, number] },
  ];
  const { length, baselines, objectives } = await evaluatePairs(scorerOf(rows), null);
  expect(length).toBeNull();
  expect(Object.keys(baselines)).toEqual([]);
  expect(objectives.x!.lengthCorrelation).toBeNaN();
});

import { describe, expect, test } from "vitest";
import { groupBy } from "../../src/evaluation/accuracy.ts";
import { expectedBest, expectedMajority } from "../../src/evaluation/best-of-n.ts";
import type { BestOfNResult, BestOfNScores } from "../../src/evaluation/best-of-n-scores.ts";
import { evaluateBestOfN } from "../../src/evaluation/evaluate-best-of-n.ts";
import { evaluateRewardBench2 } from "../../src/evaluation/evaluate-reward-bench-2.ts";
import { PROMPTS_2, SUBSETS_2 } from "../../src/evaluation/reward-bench-2.ts";
import { createRandom } from "../../src/random.ts";
import { rejectedPair } from "./pair-fixture.ts";

/** Every subset of n of the numbers below N. */
function subsets(N: number, n: number): number[][] {
  if (n === 0) return [[]];
  if (N < n) return [];
  return [...subsets(N - 1, n), ...subsets(N - 1, n - 1).map((rest) => [...rest, N - 1])];
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("the expectation over all subsets", () => {
  const random = createRandom(3);
  const samples = Array.from({ length: 20 }, () => {
    const N = random.integer(1, 9);
    return {
      scores: Array.from({ length: N }, () => random.integer(0, 4)),
      labels: Array.from({ length: N }, () => random.integer(0, 3) / 3),
      answers: Array.from({ length: N }, () => (random.chance(0.2) ? null : String(random.integer(1, 3)))),
    };
  });

  test("of the best is what going through them gives, equal scores included", () => {
    for (const { scores, labels } of samples) {
      const expected = expectedBest(scores, labels);
      for (let n = 1; n <= scores.length; n++) {
        const brute = subsets(scores.length, n).map((subset) => {
          const highest = Math.max(...subset.map((i) => scores[i]!));
          return mean(subset.filter((i) => scores[i] === highest).map((i) => labels[i]!));
        });
        expect(expected[n - 1]).toBeCloseTo(mean(brute), 12);
      }
    }
  });

  test("of the majority is what going through them gives, equal votes and missing answers included", () => {
    for (const { answers, labels } of samples) {
      for (let n = 1; n <= answers.length; n++) {
        const brute = subsets(answers.length, n).map((subset) => {
          const votes = groupBy(
            subset.filter((i) => answers[i] !== null),
            (i) => answers[i]!,
          );
          const most = Math.max(0, ...[...votes.values()].map((list) => list.length));
          const winners = [...votes.values()].filter((list) => list.length === most);
          return winners.length === 0 ? 0 : mean(winners.map((list) => mean(list.map((i) => labels[i]!))));
        });
        expect(expectedMajority(answers, labels, n, "test")).toBeCloseTo(mean(brute), 12);
      }
    }
  });

  test("of the majority is drawn where there are too many subsets, and near the truth", () => {
    // 40 responses, 60 % of them right and of one answer, the others all different: of 9 the right answer nearly always wins.
    const answers = Array.from({ length: 40 }, (_, i) => (i < 24 ? "right" : `wrong ${i}`));
    const labels = answers.map((answer) => Number(answer === "right"));
    const value = expectedMajority(answers, labels, 9, "test");
    expect(value).toBeGreaterThan(0.99);
    expect(value).toBe(expectedMajority(answers, labels, 9, "test"));
    // Of one, the share itself.
    expect(expectedMajority(answers, labels, 1, "test")).toBeCloseTo(0.6, 12);
    expect(expectedMajority([null, null], [1, 1], 2, "test")).toBe(0);
  });

  test("stays exact with hundreds of responses", () => {
    const N = 800;
    const labels = Array.from({ length: N }, (_, i) => Number(i % 2 === 0));
    const scores = Array.from({ length: N }, (_, i) => i);
    const best = expectedBest(scores, labels);
    expect(best[0]).toBeCloseTo(0.5, 12);
    // The highest has label 0; of N − 1 it is missing once in N.
    expect(best[N - 1]).toBeCloseTo(0, 12);
    expect(best[N - 2]).toBeCloseTo(1 / N, 12);
    expect(expectedBest(labels, labels)[1]).toBeCloseTo(1 - 0.5 * ((N / 2 - 1) / (N - 1)), 12);
  });
});

interface Sketch extends Partial<BestOfNScores> {
  readonly scores: readonly number[];
  readonly labels: readonly number[];
  readonly tokens?: readonly number[];
}

const scorerOf = (rows: readonly (Sketch | BestOfNResult)[]) =>
  async function* (skip: (hash: string) => boolean): AsyncGenerator<BestOfNResult> {
    for (const [i, row] of rows.entries()) {
      if (!("scores" in row)) yield row;
      else {
        const { scores, tokens, ...about } = row;
        const result: BestOfNScores = {
          id: i,
          source: "made-up",
          subset: null,
          promptHash: `prompt ${i}`,
          finalAnswers: scores.map(() => null),
          ...about,
          responses: scores.map((score, r) => ({
            score,
            rewards: { x: score },
            adjustedRewards: { x: score },
            contributions: { x: score },
            gatingOutput: { x: 1 },
            tokens: tokens?.[r] ?? 1,
          })),
        };
        yield skip(result.promptHash) ? { promptHash: result.promptHash, skipped: true } : result;
      }
    }
  };

describe("best of N of a model", () => {
  test("stands beside the best there is, a vote, chance and length, over the prompts with enough responses", async () => {
    const evaluation = await evaluateBestOfN(
      scorerOf([
        {
          scores: [3, 2, 1],
          labels: [1, 0, 0],
          finalAnswers: ["7", "8", "8"],
          tokens: [1, 2, 3],
          subset: "a",
        },
        { scores: [1, 2], labels: [1, 0], finalAnswers: ["7", "7"], tokens: [2, 1], subset: "b" },
        rejectedPair(),
      ]),
      null,
    );
    expect(evaluation).toMatchObject({
      benchmark: "best-of-n",
      score: 0.5,
      n: 2,
      graded: false,
      responses: { least: 2, most: 3 },
      subsets: { a: { n: 1, accuracy: 1 }, b: { n: 1, accuracy: 0 } },
    });
    expect(evaluation.scoreCountingRejected).toBeCloseTo(1 / 3, 12);
    const [one, two, three] = evaluation.curve;
    expect(one!.accuracy).toBeCloseTo((1 / 3 + 1 / 2) / 2, 12);
    expect(one!.accuracy).toBeCloseTo(one!.random, 12);
    expect(one!.oracle).toBeCloseTo(one!.random, 12);
    expect(two).toMatchObject({ n: 2, prompts: 2 });
    expect(two!.accuracy).toBeCloseTo((2 / 3 + 0) / 2, 12);
    expect(two!.oracle).toBeCloseTo((2 / 3 + 1) / 2, 12);
    expect(three).toMatchObject({
      n: 3,
      prompts: 1,
      accuracy: 1,
      oracle: 1,
      majority: 0,
      longest: 0,
      shortest: 1,
    });
  });

  test("takes grades, and needs no final answers", async () => {
    const { graded, curve } = await evaluateBestOfN(scorerOf([{ scores: [1, 2], labels: [0.2, 4] }]), null);
    expect(graded).toBe(true);
    expect(curve.at(-1)).toMatchObject({ n: 2, accuracy: 4, oracle: 4, majority: null });
  });

  test("rejects a prompt with a score that is no number", async () => {
    const rows = [
      { scores: [1, Number.NaN], labels: [1, 0] },
      { scores: [1, 0], labels: [1, 0] },
    ];
    const { n, rejected, scoreCountingRejected } = await evaluateBestOfN(scorerOf(rows), null);
    expect({ n, rejected: rejected.length, scoreCountingRejected }).toEqual({
      n: 1,
      rejected: 1,
      scoreCountingRejected: 0.5,
    });
  });
});

describe("RewardBench 2 of a model", () => {
  const row = (subset: string, i: number, right: boolean): Sketch => ({
    subset,
    id: subset === "Ties" ? `${i % 2 ? "ref" : "tied"}:${i >> 1}` : `${i}`,
    scores: right ? [2, 0, 1, 0] : [0, 2, 1, 0],
    labels: [1, 0, 0, 0],
    tokens: [4, 3, 2, 1],
  });
  const whole = (count: number, right: (i: number) => boolean) =>
    SUBSETS_2.flatMap((subset) => Array.from({ length: count }, (_, i) => row(subset, i, right(i))));

  test("is the mean of six, with intervals, beside length", async () => {
    const { score, interval, subsets, baselines, missing } = await evaluateRewardBench2(
      scorerOf(whole(20, (i) => i < 10)),
      null,
    );
    expect(missing).toEqual([]);
    for (const name of SUBSETS_2.slice(0, 5)) expect(subsets[name]).toMatchObject({ n: 20, accuracy: 0.5 });
    expect(subsets.Math!.officialPrompts).toBe(PROMPTS_2.Math);
    expect(score).toBeCloseTo(mean(Object.values(subsets).map(({ accuracy }) => accuracy)), 12);
    expect(interval[0]).toBeLessThan(score);
    expect(interval[1]).toBeGreaterThan(score);
    expect(interval[1] - interval[0]).toBeLessThan(0.4);
    expect(baselines["prefer the longer"]!.subsets.Math).toBe(1);
    expect(baselines["prefer the shorter"]!.subsets.Math).toBe(0);
  });

  test("counts prompts that could not be scored as wrong, where they belong", async () => {
    const rows = [row("Math", 0, true), row("math", 1, true), row("mine", 2, true)];
    const evaluation = await evaluateRewardBench2(
      scorerOf([
        ...rows,
        rejectedPair({ subset: "Math" }),
        { ...row("Math", 3, true), scores: [Number.NaN, 0, 0, 0] },
      ]),
      null,
    );
    expect(evaluation.subsets.Math).toMatchObject({ n: 4, unscored: 2, accuracy: 0.5 });
    expect(evaluation.subsets.mine).toMatchObject({ n: 1, officialPrompts: null });
    expect(evaluation.score).toBeNaN();
    expect(evaluation.interval[0]).toBeNaN();
    expect(evaluation.missing).toHaveLength(5);
  });

  test("rejects what its rules cannot judge", async () => {
    const rows = [
      row("Math", 0, true),
      { ...row("Math", 1, true), labels: [1, 1, 1, 1] },
      row("Ties", 0, true),
      row("Ties", 0, true),
      { ...row("Ties", 1, true), id: "7" },
    ];
    const { rejected, subsets } = await evaluateRewardBench2(scorerOf(rows), null);
    expect(rejected.map(({ reason }) => reason)).toEqual([
      "expected right and wrong answers, got 4 of 4 right",
      "expected each id of Ties once, got tied:0 again",
      "expected an id ref:<n> or tied:<n>, got 7",
    ]);
    expect(subsets.Math).toMatchObject({ n: 2, accuracy: 0.5 });
  });

  test("needs right answers first nowhere: labels say which they are", async () => {
    const rows = [{ ...row("Math", 0, true), labels: [0, 0, 1, 0], scores: [0, 1, 2, 0] }];
    expect((await evaluateRewardBench2(scorerOf(rows), null)).subsets.Math!.accuracy).toBe(1);
  });
});

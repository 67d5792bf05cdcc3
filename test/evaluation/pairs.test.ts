import { expect, test } from "vitest";
import { wilsonInterval } from "../../src/evaluation/intervals.ts";
import { reportPairs, type ScoredPair } from "../../src/evaluation/pairs.ts";

const pair = (subset: string, margin: number, lengthDifference: number, mean: number): ScoredPair => ({
  id: null,
  subset,
  margin,
  lengthDifference,
  baselines: { mean },
});

test("a tie counts as wrong, for the model and for every baseline", () => {
  const report = reportPairs([
    pair("a", 1, 3, 0),
    pair("a", 0, -2, 1),
    pair("b", -1, 0, 1),
    pair("b", 0.5, 5, -1),
  ]);
  expect(report).toMatchObject({ benchmark: "pairs", n: 4, ties: 1, score: 0.5 });
  expect(report.subsets.a).toMatchObject({ n: 2, accuracy: 0.5 });
  expect(report.subsets.b).toMatchObject({ n: 2, accuracy: 0.5 });
  expect(report.baselines.mean!.accuracy).toBe(0.5);
  expect(report.baselines["prefer the longer"]!.accuracy).toBe(0.5);
  expect(report.baselines["prefer the shorter"]!.accuracy).toBe(0.25);
});

test("the Wilson interval solves its defining quadratic", () => {
  const z = 1.959963984540054;
  for (const [successes, n] of [
    [0, 10],
    [3, 10],
    [10, 10],
    [617, 1000],
  ] as const) {
    const [low, high] = wilsonInterval(successes, n);
    const share = successes / n;
    for (const bound of [low, high]) {
      expect((share - bound) ** 2).toBeCloseTo((z ** 2 * bound * (1 - bound)) / n, 12);
    }
    expect(low).toBeLessThanOrEqual(share + 1e-12);
    expect(high).toBeGreaterThanOrEqual(share - 1e-12);
  }
});

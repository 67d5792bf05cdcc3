import { expect, test } from "vitest";
import { deadObjectives } from "../../src/armo/dead-objectives.ts";
import { describeGateWarning, fixedWeightsEffect, gateWarnings } from "../../src/armo/gate-effect.ts";
import { gateEntropy, meanOfRows } from "../../src/armo/gate-entropy.ts";
import { meanAndDeviation } from "../../src/armo/mean-and-deviation.ts";
import { objectiveAccuracies } from "../../src/armo/objective-accuracy.ts";
import { compareSeeds } from "../../src/armo/seed-sensitivity.ts";

const names = ["x", "y", "z"];
const warningsOf = (rows: readonly (readonly number[])[]) =>
  gateWarnings(rows.flat(), meanOfRows(rows.flat(), 3), names);
const times = <T>(count: number, value: T): T[] => Array<T>(count).fill(value);

test("entropy is 0 where one objective takes all, 1 where all weigh alike, and counts the objectives in effect", () => {
  const rows = [
    [1, 0, 0],
    [0.5, 0.5, 0],
    [1 / 3, 1 / 3, 1 / 3],
  ];
  const found = gateEntropy(rows.flat(), ["one", "two", "two"], meanOfRows(rows.flat(), 3));
  const half = Math.log(2) / Math.log(3);
  expect(found.entropy).toBeCloseTo((0 + half + 1) / 3, 12);
  expect(found.effectiveObjectives).toBeCloseTo((1 + 2 + 3) / 3, 12);
  expect(found.bySource.one).toEqual({ n: 1, entropy: 0, effectiveObjectives: 1 });
  expect(found.bySource.two!.entropy).toBeCloseTo((half + 1) / 2, 12);
  expect(found.histogram.filter(({ n }) => n > 0).map(({ from }) => from)).toEqual([0, 0.6, 0.95]);
  expect(gateEntropy([1, 1], ["a", "b"], [1])).toMatchObject({ entropy: Number.NaN, histogram: [] });
});

test("weights depend on the prompt not at all where all rows are alike, and wholly where each has its own objective", () => {
  const dependence = (rows: readonly (readonly number[])[]) =>
    gateEntropy(rows.flat(), times(rows.length, "s"), meanOfRows(rows.flat(), 3)).promptDependence;
  expect(dependence(times(5, [0.7, 0.2, 0.1]))).toBeCloseTo(0, 12);
  expect(
    dependence([
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]),
  ).toBeCloseTo(1, 12);
});

test("a collapsed gate is named with its objective, one that never moved and one that mixes all prompts alike are told apart", () => {
  const collapsed = warningsOf([...times(97, [0.01, 0.98, 0.01]), ...times(3, [0.4, 0.3, 0.3])]);
  expect(collapsed).toEqual([{ code: "collapsed", objective: "y", share: 0.97 }]);
  expect(describeGateWarning(collapsed[0]!)).toContain("y takes more than 95 % of the weight for 97.0 %");
  expect(warningsOf(times(9, [0.34, 0.33, 0.33]))).toEqual([{ code: "uniform", objective: null, share: 1 }]);
  expect(warningsOf(times(9, [0.6, 0.3, 0.1]))[0]!.code).toBe("same-for-all");
  // Sure of one objective, but of another for other prompts: that is what a gate is for.
  expect(warningsOf([...times(50, [0.98, 0.01, 0.01]), ...times(50, [0.01, 0.98, 0.01])])).toEqual([]);
  expect(warningsOf([...times(90, [0.01, 0.98, 0.01]), ...times(10, [0.4, 0.3, 0.3])])).toEqual([]);
});

test("fixed weights are judged beside the gate: how often they are right, and how often they prefer otherwise", () => {
  const differences = [1, -1, 0, 2, 1, 0, -3, 1, 0];
  expect(fixedWeightsEffect([1, 1, -1], differences, [0.5, 0.25, 0.25])).toEqual({
    accuracy: 2 / 3,
    changed: 0,
  });
  expect(fixedWeightsEffect([1, -1, -1], differences, [0, 1, 0])).toEqual({ accuracy: 2 / 3, changed: 1 });
});

test("objectives are dead that are constant, weigh nothing anywhere, or turn no preference over", () => {
  const accuracies = objectiveAccuracies({
    names,
    margins: [1, -0.5],
    contributions: [0.9, 0.1, 0, -0.9, 0.4, 0],
    rewardDifferences: [1, 1, 2, -1, 1, 2],
    lengthDifferences: [5, -5],
  });
  expect(accuracies.x).toMatchObject({ alone: 0.5, without: 1, flips: 0.5, meanContribution: 0 });
  expect(accuracies.x!.lengthCorrelation).toBeCloseTo(1, 12);
  expect(accuracies.y).toMatchObject({ alone: 1, without: 0.5, flips: 0 });
  const use = {
    names,
    accuracies,
    spread: [
      { raw: 2, adjusted: 1 },
      { raw: 2, adjusted: 2 },
      { raw: 3, adjusted: 1e-9 },
    ],
  };
  const meanWeights = [
    [0.9, 0.02, 0.08],
    [0.7, 0.03, 0.27],
  ];
  expect(deadObjectives({ ...use, meanWeights })).toEqual([
    { name: "y", causes: ["low-weight", "no-flips"], largestMeanWeight: 0.03 },
    { name: "z", causes: ["constant", "no-flips"], largestMeanWeight: 0.27 },
  ]);
  // One kind of prompts that needs it is enough.
  expect(deadObjectives({ ...use, meanWeights: [...meanWeights, [0.2, 0.6, 0.2]] })[0]!.causes).toEqual([
    "no-flips",
  ]);
});

test("seeds are compared two by two", () => {
  const outcome = (seed: number, margins: number[], x: number) => ({
    ...{ seed, margins, accuracy: seed / 10, loss: 1 - seed / 10, bestStep: 7 },
    weights: { x, y: 1 - x },
  });
  const found = compareSeeds([
    outcome(1, [1, 1, -1, 1], 0.2),
    outcome(2, [1, -1, -1, 1], 0.4),
    outcome(3, [1, -1, 1, 1], 0.6),
  ]);
  // 3, 2 and 3 of 4 pairs.
  expect(found.agreement).toBeCloseTo(8 / 12, 12);
  expect(found.accuracy.mean).toBeCloseTo(0.2, 12);
  expect(found.accuracy.standardDeviation).toBeCloseTo(0.1, 12);
  expect(found.weightDeviations.x).toBeCloseTo(0.2, 12);
  expect(found.runs[0]).not.toHaveProperty("margins");
  expect(meanAndDeviation([4])).toEqual({ mean: 4, standardDeviation: Number.NaN });
});

import { expect, test } from "vitest";
import { calibrationBins, calibrationError, calibrationOf } from "../../src/armo/calibration.ts";

/** The margin that σ(β · margin) turns into a probability. */
const marginOf = (probability: number, beta: number) => Math.log(probability / (1 - probability)) / beta;

test("a bin holds the mean probability of the preferred response, and how often people prefer it too", () => {
  const beta = 2.5;
  const margins = [
    marginOf(0.62, beta),
    -marginOf(0.64, beta),
    marginOf(0.63, beta),
    marginOf(0.93, beta),
    marginOf(0.91, beta),
  ];
  const [low, high, ...others] = calibrationBins(margins, beta);
  expect(others).toEqual([]);
  expect(low).toMatchObject({ from: 0.6, to: 0.65, n: 3 });
  expect(low!.predicted).toBeCloseTo(0.63, 12);
  expect(low!.observed).toBeCloseTo(2 / 3, 12);
  expect(high).toMatchObject({ from: 0.9, to: 0.95, n: 2, observed: 1 });
  expect(high!.predicted).toBeCloseTo(0.92, 12);
});

test("a tie counts as half right, and a certain pair falls into the last bin", () => {
  expect(calibrationBins([0, 0, 1], 1000)).toEqual([
    { from: 0.5, to: 0.55, n: 2, predicted: 0.5, observed: 0.5 },
    { from: 0.95, to: 1, n: 1, predicted: 1, observed: 1 },
  ]);
  expect(calibrationBins([], 1)).toEqual([]);
});

test("the probabilities of a Bradley–Terry model are calibrated", () => {
  const beta = 1.7;
  // Each probability occurs with exactly its share of right pairs.
  const margins = [0.6, 0.7, 0.8, 0.9].flatMap((p) =>
    Array.from({ length: 10 }, (_, i) => marginOf(p + 0.01, beta) * (i < Math.round(10 * p) ? 1 : -1)),
  );
  for (const { n, predicted, observed } of calibrationBins(margins, beta)) {
    expect(n).toBe(10);
    expect(predicted - observed).toBeCloseTo(0.01, 10);
  }
});

test("error, Brier score and log loss are those of a sum over pairs; a coin has 0.25 and ln 2", () => {
  const [margins, beta] = [[2, -0.5, 0.1, 1.3, -3, 0.7], 0.9];
  const found = calibrationOf(margins, beta);
  const p = margins.map((margin) => 1 / (1 + Math.exp(-beta * margin)));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(found.brierScore).toBeCloseTo(mean(p.map((x) => (1 - x) ** 2)), 12);
  expect(found.logLoss).toBeCloseTo(mean(p.map((x) => -Math.log(x))), 12);
  const distances = found.bins.map(({ n, predicted, observed }) => (n / 6) * Math.abs(predicted - observed));
  expect(found.calibrationError).toBeCloseTo(
    distances.reduce((sum, value) => sum + value, 0),
    12,
  );
  expect(calibrationOf([0, 0], beta)).toMatchObject({
    brierScore: 0.25,
    logLoss: Math.LN2,
    calibrationError: 0,
  });
  expect(Number.isFinite(calibrationOf([-2000], 1).logLoss)).toBe(true);
  expect(calibrationError([])).toBeNaN();
});

import { describe, expect, test } from "vitest";
import { accuracyOf } from "../../src/evaluation/accuracy.ts";
import { accuracyInterval, percentileInterval, resampleMean } from "../../src/evaluation/bootstrap.ts";
import { wilsonInterval } from "../../src/evaluation/intervals.ts";
import { summarizeMargins } from "../../src/evaluation/margins.ts";
import { mcnemar } from "../../src/evaluation/mcnemar.ts";
import { createRandom } from "../../src/random.ts";

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

describe("the bootstrap over prompts", () => {
  const coin = (n: number, seed: number) => {
    const random = createRandom(seed);
    return Array.from({ length: n }, () => random.chance(0.7));
  };

  test("gives the binomial interval where every prompt has one pair", () => {
    const right = coin(400, 1);
    const { accuracy, interval } = accuracyOf(
      right.map((value, i) => ({ promptHash: `${i}`, right: value })),
      "test",
    );
    const deviation = Math.sqrt((accuracy * (1 - accuracy)) / 400);
    // 2,000 resamples know a 2.5 % point to about a tenth of a standard deviation.
    expect(Math.abs(interval[0] - (accuracy - 1.96 * deviation))).toBeLessThan(0.2 * deviation);
    expect(Math.abs(interval[1] - (accuracy + 1.96 * deviation))).toBeLessThan(0.2 * deviation);
  });

  test("knows that copies of a prompt add nothing", () => {
    const right = coin(100, 2);
    const once = right.map((value, i) => ({ promptHash: `${i}`, right: value }));
    const copied = once.flatMap((pair) => Array(9).fill(pair));
    expect(accuracyOf(copied, "test").interval).toEqual(accuracyOf(once, "test").interval);
  });

  test("covers the truth in about 95 of 100 samples", () => {
    let covered = 0;
    for (let seed = 0; seed < 200; seed++) {
      const values = coin(150, 1000 + seed).map((right, i) => ({ promptHash: `${i}`, value: right ? 1 : 0 }));
      const [low, high] = accuracyInterval(resampleMean(values, `${seed}`));
      if (low <= 0.7 && 0.7 <= high) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(181); // of 200; a fair 95 % falls below once in 400 times
  });

  test("comes to the same interval where it draws means instead of prompts, as with very many prompts", () => {
    const random = createRandom(4);
    const values = Array.from({ length: 6000 }, (_, i) => ({
      promptHash: `${Math.floor(i / (1 + (i % 3)))}`,
      value: random.chance(0.3 + 0.4 * ((i % 7) / 6)) ? 1 : 0,
    }));
    const drawn = percentileInterval(resampleMean(values, "test").resampled);
    const normal = percentileInterval(resampleMean(values, "test", { largest: 100 }).resampled);
    const width = drawn[1] - drawn[0];
    // Each end is known to about 0.04 of the width from 2,000 draws.
    for (const end of [0, 1] as const) expect(Math.abs(drawn[end] - normal[end])).toBeLessThan(0.08 * width);
  });

  test("leaves the doubt to Wilson where all are right, and has none to give where there is nothing", () => {
    const all = accuracyOf(
      [1, 2, 3, 3].map((hash) => ({ promptHash: `${hash}`, right: true })),
      "test",
    );
    expect(all).toEqual({ n: 4, accuracy: 1, interval: wilsonInterval(3, 3) });
    expect(accuracyOf([], "test")).toEqual({
      n: 0,
      accuracy: Number.NaN,
      interval: [Number.NaN, Number.NaN],
    });
    expect(percentileInterval(Float64Array.from({ length: 1001 }, (_, i) => 1000 - i))).toEqual([25, 975]);
  });
});

describe("McNemar's exact test", () => {
  const outcomes = (onlyFirst: number, onlySecond: number, both: number) => {
    const [a, b] = [
      [...Array(onlyFirst).fill(true), ...Array(onlySecond).fill(false), ...Array(both).fill(true)],
      [...Array(onlyFirst).fill(false), ...Array(onlySecond).fill(true), ...Array(both).fill(true)],
    ];
    return mcnemar(a, b);
  };

  // Exact by hand: 2 · Σ C(n, i) / 2ⁿ.
  test.each([
    [0, 0, 1],
    [5, 5, 1],
    [1, 9, (2 * (1 + 10)) / 1024],
    [3, 12, (2 * (1 + 15 + 105 + 455)) / 32768],
    [0, 60, 2 ** -59],
  ])("%i against %i", (onlyFirst, onlySecond, pValue) => {
    const result = outcomes(onlyFirst, onlySecond, 7);
    expect(result).toMatchObject({ onlyFirst, onlySecond });
    expect(result.pValue / pValue).toBeCloseTo(1, 10);
    expect(outcomes(onlySecond, onlyFirst, 0).pValue).toBe(result.pValue);
  });

  test("does not underflow with many pairs", () => {
    expect(outcomes(1000, 1100, 0).pValue).toBeCloseTo(0.0308, 3); // normal approximation 0.0307 with correction
    expect(() => mcnemar([true], [])).toThrow("expected as many outcomes of both, got 1 and 0");
  });
});

test("margins are summed up, and every one is in a bin that 0 does not cut", () => {
  const margins = [-0.31, -0.2, 0, 0.1, 0.25, 0.6, 1.19];
  const { mean, percentiles, histogram } = summarizeMargins(margins);
  expect(mean).toBeCloseTo(margins.reduce((a, b) => a + b) / 7, 12);
  expect(percentiles.p50).toBe(0.1);
  expect(percentiles.p25).toBeCloseTo((-0.2 + 0) / 2, 12);
  expect(histogram.reduce((sum, { n }) => sum + n, 0)).toBe(7);
  expect(histogram.some(({ from }) => from === 0)).toBe(true);
  for (const { from, to, n } of histogram) {
    const inside = margins.filter((m) => m >= from && (m < to || (m === 1.19 && to >= 1.19)));
    expect(inside).toHaveLength(n);
  }
  expect(summarizeMargins([0, 0]).histogram.reduce((sum, { n }) => sum + n, 0)).toBe(2);
});

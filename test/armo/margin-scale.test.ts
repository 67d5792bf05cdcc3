import { expect, test } from "vitest";
import { fitMarginScale } from "../../src/armo/margin-scale.ts";
import { createRandom } from "../../src/random.ts";

test("the scale that made the preferences is found again, whatever the unit of the margins", () => {
  const random = createRandom(5);
  const margins = Array.from({ length: 40_000 }, () => {
    const margin = random.normal();
    return random.chance(1 / (1 + Math.exp(-3 * margin))) ? margin : -margin;
  });
  const beta = fitMarginScale(margins);
  expect(beta).toBeCloseTo(3, 0);
  expect(Math.abs(beta - 3)).toBeLessThan(0.1);
  expect(fitMarginScale(margins.map((margin) => margin / 100)) / beta).toBeCloseTo(100, 6);
});

test("margins that explain everything, nothing or the opposite still give a scale to start from", () => {
  expect(fitMarginScale([1, 1, 1])).toBeCloseTo(10, 6);
  expect(fitMarginScale([1, -1, 1, -1])).toBeCloseTo(0.1, 6);
  expect(fitMarginScale([-1, -1, -1])).toBeCloseTo(0.1, 6);
  expect(fitMarginScale([0, 0])).toBe(1);
});

import { expect, test } from "vitest";
import { createRandom } from "../src/random.ts";

const draw = (seed: number, stream?: string) => {
  const random = createRandom(seed, stream);
  return Array.from({ length: 2000 }, () => random.uniform());
};

test("seed and stream decide the sequence", () => {
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  expect(draw(1, "a")).not.toEqual(draw(1, "b"));
});

test("draws have the moments of their distributions", () => {
  const random = createRandom(3);
  const n = 20_000;
  const moments = (next: () => number) => {
    const values = Array.from({ length: n }, next);
    const mean = values.reduce((sum, value) => sum + value) / n;
    return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n];
  };
  const [uniformMean, uniformVariance] = moments(random.uniform);
  expect(uniformMean).toBeCloseTo(0.5, 1.7);
  expect(uniformVariance).toBeCloseTo(1 / 12, 2);
  const [normalMean, normalVariance] = moments(random.normal);
  expect(Math.abs(normalMean!)).toBeLessThan(0.03);
  expect(Math.abs(normalVariance! - 1)).toBeLessThan(0.05);
  const [logisticMean, logisticVariance] = moments(random.logistic);
  expect(Math.abs(logisticMean!)).toBeLessThan(0.06);
  expect(Math.abs(logisticVariance! - Math.PI ** 2 / 3)).toBeLessThan(0.2);
});

test("whole numbers cover both ends, and shuffling loses nothing", () => {
  const random = createRandom(4);
  const numbers = new Set(Array.from({ length: 200 }, () => random.integer(3, 6)));
  expect([...numbers].sort()).toEqual([3, 4, 5, 6]);
  const items = [1, 2, 3, 4, 5, 6, 7, 8];
  const shuffled = random.shuffled(items);
  expect(shuffled).not.toEqual(items);
  expect([...shuffled].sort()).toEqual(items);
});

test("a generator that is restored repeats what came after it was saved", () => {
  const [random, other] = [createRandom(7), createRandom(8)];
  for (let i = 0; i < 100; i++) random.normal();
  const saved = random.save();
  const after = Array.from({ length: 100 }, () => random.nextUint32());
  other.restore(saved);
  expect(Array.from({ length: 100 }, () => other.nextUint32())).toEqual(after);
  expect(random.save()).toEqual(other.save());
  expect(saved).not.toEqual(random.save());
});

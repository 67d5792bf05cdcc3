import { expect, test } from "vitest";
import { cosineDecay, createAdamW, warmUpThenDecay } from "../../src/engine/optimizer.ts";

test("the first step moves every weight by the learning rate against the sign of its gradient", () => {
  const weights = Float64Array.of(1, 2, 3);
  const norm = createAdamW([weights]).step([Float64Array.of(3, -4, 0)], 0.1);
  expect(norm).toBe(5);
  expect(weights[0]).toBeCloseTo(0.9, 8);
  expect(weights[1]).toBeCloseTo(2.1, 8);
  expect(weights[2]).toBe(3);
});

test("the second step weighs both gradients and undoes the bias towards zero", () => {
  const weights = Float64Array.of(0);
  const optimizer = createAdamW([weights], { beta1: 0.5, beta2: 0.75, epsilon: 1e-12 });
  optimizer.step([Float64Array.of(1)], 1);
  expect(weights[0]).toBeCloseTo(-1, 10);
  optimizer.step([Float64Array.of(3)], 1);
  // m = ½·½·1 + ½·3 = 1.75 over 1 − ¼;  v = ¾·¼·1 + ¼·9 = 2.4375 over 1 − 9/16
  expect(weights[0]).toBeCloseTo(-1 - 1.75 / 0.75 / Math.sqrt(2.4375 / 0.4375), 10);
});

test("weight decay shrinks weights by the learning rate times the decay, whatever the gradient", () => {
  const weights = Float64Array.of(10, -10);
  createAdamW([weights], { weightDecay: 0.5 }).step([Float64Array.of(0, 0)], 0.1);
  expect([...weights]).toEqual([9.5, -9.5]);
});

test("the norm is that of all gradients together, and f32 weights stay f32", () => {
  const weights = [Float32Array.of(1, 1), Float32Array.of(1)];
  const norm = createAdamW(weights).step([Float32Array.of(1, 2), Float32Array.of(2)], 0);
  expect(norm).toBe(3);
  expect(weights.map((w) => [...w])).toEqual([[1, 1], [1]]);
});

test("a gradient of another length and options out of range are refused", () => {
  const optimizer = createAdamW([new Float32Array(3)]);
  expect(() => optimizer.step([new Float32Array(2)], 1)).toThrow(
    "step: gradient 0 must have 3 numbers, got 2",
  );
  expect(() => createAdamW([], { beta1: 1 })).toThrow("createAdamW: beta1 must be in [0, 1), got 1");
  expect(() => createAdamW([], { weightDecay: -1 })).toThrow(RangeError);
});

test("the cosine falls from the initial rate over a half to zero", () => {
  expect(cosineDecay(0.4, 0, 10)).toBe(0.4);
  expect(cosineDecay(0.4, 5, 10)).toBeCloseTo(0.2, 15);
  expect(cosineDecay(0.4, 10, 10)).toBe(0);
  expect(cosineDecay(0.4, 3, 10)).toBeCloseTo(0.2 * (1 + Math.cos(0.3 * Math.PI)), 15);
});

test("a warm-up rises by equal amounts below the full rate, which the cosine begins with", () => {
  const rates = Array.from({ length: 7 }, (_, step) => warmUpThenDecay(0.4, step, 6, 3));
  expect(rates).toEqual([0.1, 0.2, (0.4 * 3) / 4, 0.4, cosineDecay(0.4, 1, 3), cosineDecay(0.4, 2, 3), 0]);
  expect(warmUpThenDecay(0.4, 2, 5, 0)).toBe(cosineDecay(0.4, 2, 5));
});

test("an optimizer that takes the state of another one goes on as that one does", () => {
  const [weights, copy] = [Float32Array.of(1, 2, 3), Float32Array.of(0, 0, 0)];
  const [one, other] = [createAdamW([weights]), createAdamW([copy])];
  for (const rate of [0.1, 0.2]) one.step([Float32Array.of(1, -2, 0.3)], rate);
  copy.set(weights);
  other.state.steps = one.state.steps;
  other.state.means[0]!.set(one.state.means[0]!);
  other.state.squares[0]!.set(one.state.squares[0]!);
  for (const optimizer of [one, other]) optimizer.step([Float32Array.of(-1, 2, 5)], 0.05);
  expect(copy).toEqual(weights);
});

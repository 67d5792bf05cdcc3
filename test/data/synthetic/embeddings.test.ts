import { describe, expect, test } from "vitest";
import { generateDemoData } from "../../../src/data/synthetic/demo-data.ts";
import { constructEmbeddings } from "../../../src/data/synthetic/embeddings.ts";
import type { DemoTruth } from "../../../src/data/synthetic/objectives.ts";

const data = generateDemoData({ seed: 2, ratings: 90, pairs: 60, evaluationPairs: 30 });
const H = 24;
const K = 6;
const constructed = constructEmbeddings(data, { hiddenSize: H, seed: 3 });
const clean = constructEmbeddings(data, { hiddenSize: H, noise: 0, seed: 3 });

const row = (array: Float32Array, index: number, width: number) =>
  array.subarray(index * width, (index + 1) * width);
const distance = (a: Float32Array, b: Float32Array) => Math.hypot(...a.map((value, i) => value - b[i]!));

test("arrays have the shapes of their legend", () => {
  expect(constructed.ratings.embeddings.length).toBe(90 * H);
  expect(constructed.ratings.labels.length).toBe(90 * K);
  expect(constructed.pairs.embeddings.length).toBe(60 * 2 * H);
  expect(constructed.pairs.promptEmbeddings.length).toBe(60 * H);
  expect(constructed.evaluation.truth.length).toBe(30 * 2 * K);
  expect(constructed.pairs.groups).toEqual(data.pairs.map(({ promptHash }) => promptHash));
});

test("the seed decides the values", () => {
  expect(constructEmbeddings(data, { hiddenSize: H, seed: 3 })).toEqual(constructed);
  expect(constructEmbeddings(data, { hiddenSize: H, seed: 4 })).not.toEqual(constructed);
});

test("labels are the ratings, NaN where a source does not rate", () => {
  data.ratings.forEach(({ ratings }, n) => {
    data.objectives.forEach((objective, k) => {
      expect(constructed.ratings.labels[n * K + k]).toBe(Math.fround(ratings[objective] ?? Number.NaN));
    });
  });
});

test("without noise an embedding is an offset plus one direction per objective, in ratings and pairs alike", () => {
  const truthWith = (value: (k: number) => number) =>
    Object.fromEntries(data.objectives.map((objective, k) => [objective, value(k)])) as unknown as DemoTruth;
  const none = truthWith(() => 0);
  const units = data.objectives.map((_, one) => truthWith((k) => (k === one ? 1 : 0)));
  const pairs = units.map((unit) => ({ ...data.pairs[0]!, truth: { chosen: unit, rejected: none } }));
  const axes = constructEmbeddings({ ...data, pairs }, { hiddenSize: H, noise: 0, seed: 3 }).pairs.embeddings;
  const offset = row(axes, 1, H);
  for (const { embeddings, truth } of [clean.ratings, clean.evaluation]) {
    for (let n = 0; n < truth.length / K; n++) {
      for (let h = 0; h < H; h++) {
        const directions = row(truth, n, K).map((t, k) => t * (row(axes, 2 * k, H)[h]! - offset[h]!));
        const expected = directions.reduce((sum, value) => sum + value, offset[h]!);
        expect(Math.abs(embeddings[n * H + h]! - expected)).toBeLessThan(1e-5);
      }
    }
  }
});

test("noise has the given size", () => {
  let sum = 0;
  constructed.ratings.embeddings.forEach((value, i) => {
    sum += (value - clean.ratings.embeddings[i]!) ** 2;
  });
  expect(Math.sqrt(sum / constructed.ratings.embeddings.length)).toBeCloseTo(0.1, 2);
});

test("prompt embeddings are clusters, two to a family", () => {
  const { promptEmbeddings, families } = clean.pairs;
  const centres = new Map<string, Set<string>>();
  families.forEach((family, n) => {
    const known = centres.get(family) ?? new Set();
    centres.set(family, known.add(row(promptEmbeddings, n, H).join()));
  });
  expect([...centres.values()].map(({ size }) => size)).toEqual([2, 2, 2, 2, 2, 2]);
  for (let n = 0; n < families.length; n++) {
    const noisy = row(constructed.pairs.promptEmbeddings, n, H);
    expect(distance(noisy, row(promptEmbeddings, n, H))).toBeLessThan(1.5);
  }
});

describe("refusals", () => {
  test("sizes and noise out of range", () => {
    expect(() => constructEmbeddings(data, { hiddenSize: 6, seed: 1 })).toThrow(
      /hiddenSize must be .* > 6, got 6/,
    );
    expect(() => constructEmbeddings(data, { hiddenSize: H, noise: -1, seed: 1 })).toThrow(
      /noise must be ≥ 0/,
    );
  });
});

// What the method promises, on embeddings constructed from a truth that is known: no backbone, no luck.

import { beforeAll, expect, test } from "vitest";
import { solveWithTruth, type TruthReport } from "../../src/cli/demo-truth.ts";
import { type DemoData, generateDemoData } from "../../src/data/synthetic/demo-data.ts";

let data: DemoData;
let truth: TruthReport;
beforeAll(async () => {
  data = generateDemoData({ seed: 11, ratings: 1200, pairs: 1500, evaluationPairs: 600 });
  truth = await solveWithTruth(data, { debias: "verbosity", seed: 11 });
}, 120_000);

test("objectives are recovered", () => {
  for (const name of data.objectives) expect(truth.r2[name]).toBeGreaterThan(0.95);
});

test("objectives are correlated with verbosity before debiasing, and not after", () => {
  for (const name of data.objectives.filter((objective) => objective !== "verbosity")) {
    expect(truth.before[name]).toBeGreaterThan(0.25);
    expect(Math.abs(truth.after[name]!)).toBeLessThan(1e-3);
  }
});

test("the gate is more accurate than the best fixed weights, and those than uniform ones", () => {
  const { accuracy } = truth;
  expect(accuracy["trained gate"]).toBeGreaterThan(accuracy["best fixed weights"] + 0.02);
  expect(accuracy["best fixed weights"]).toBeGreaterThan(accuracy["uniform gate"]);
  expect(accuracy["trained gate"]).toBeGreaterThan(0.93);
});

test("families are gated differently: each gives most weight to what decides its preferences", () => {
  for (const family of data.families) {
    const weights = data.weights[family]!;
    const largest = (values: Readonly<Record<string, number>>) =>
      Object.entries(values)
        .filter(([name]) => name !== "verbosity")
        .sort(([, a], [, b]) => b - a)[0]![0];
    const decisive = Math.max(...data.objectives.map((name) => weights[name]));
    expect(weights[largest(truth.gating[family]!) as (typeof data.objectives)[number]]).toBe(decisive);
  }
});

// Differences from the reference code that no other test shows: docs/reference-differences.md lists them all.

import { expect, test } from "vitest";
import { trainGating } from "../../src/armo/gating-training.ts";
import { sideOfRow } from "../../src/armo/split.ts";
import { promptKey } from "../../src/armo/training-rows.ts";
import { promptHash } from "../../src/data/prompt-hash.ts";
import { gradients } from "../../src/engine/differentiate.ts";
import { Graph, type Value } from "../../src/engine/graph.ts";
import * as op from "../../src/engine/operators.ts";
import { openSession } from "../../src/engine/session.ts";
import { createRandom } from "../../src/random.ts";

const [N, H, K] = [256, 8, 3];

/** Two kinds of prompts: in one the first objective decides, in the other the second. */
function twoKinds() {
  const random = createRandom(2);
  const promptEmbeddings = new Float32Array(N * H);
  const chosen = new Float32Array(N * K);
  const rejected = new Float32Array(N * K);
  for (let n = 0; n < N; n++) {
    const kind = n % 2;
    for (let h = 0; h < H; h++)
      promptEmbeddings[n * H + h] = (h % 2 === kind ? 1 : -1) + 0.1 * random.normal();
    for (let k = 0; k < K; k++) {
      const difference = k === kind ? 0.1 : 0.4 * random.normal();
      chosen[n * K + k] = difference;
    }
  }
  return { promptEmbeddings, chosen, rejected };
}

const options = {
  hiddenSize: H,
  numObjectives: K,
  hiddenDim: 64,
  steps: 300,
  batchSize: 64,
};

/** The gradient of the loss by the gate's weights, with the softmax over the named axis of the logits `[B, 2, K]`. */
async function gateGradient(over: "responses" | "objectives"): Promise<Float64Array> {
  const [B, random, graph] = [16, createRandom(3), new Graph()];
  const noise = (length: number) => Float64Array.from({ length }, () => random.normal());
  const weights = graph.input("weights", "f64", [K, H]);
  const prompts = graph.constant(noise(B * H), [B, H]);
  const logits = op.reshape(op.gemm(prompts, weights, { transB: true }), [B, 1, K]);
  // Both responses of a pair have the same prompt embedding, so both rows of the logits are the same.
  const pair = op.add(logits, graph.constant(new Float64Array(B * 2 * K), [B, 2, K]));
  const swap = (x: Value) => op.transpose(x, [0, 2, 1]);
  const gate = over === "objectives" ? op.softmax(pair) : swap(op.softmax(swap(pair)));
  const scores = op.reduceSum(op.mul(gate, graph.constant(noise(B * 2 * K), [B, 2, K])), [2]); // [B, 2]
  const margins = op.matmul(scores, graph.constant([1, -1], [2, 1], "f64"));
  const loss = op.reduceMean(op.softplus(op.neg(margins)));
  graph.output("gradient", gradients(loss, [weights])[0]!);
  const session = await openSession(graph, { threads: 1 });
  const { gradient } = await session.run({ weights: { data: noise(K * H), shape: [K, H] } });
  await session.close();
  return gradient!.data as Float64Array;
}

test("a softmax across chosen and rejected leaves the gate nothing to learn; over objectives it learns", async () => {
  const largest = (values: Float64Array) => Math.max(...values.map(Math.abs));
  expect(largest(await gateGradient("responses"))).toBeLessThan(1e-15);
  expect(largest(await gateGradient("objectives"))).toBeGreaterThan(1e-2);
});

test("the softmax over objectives learns what decides for which prompt", async () => {
  const data = twoKinds();
  const { history } = await trainGating(data, {
    ...options,
    split: { train: range(0, 192), validation: range(192, N) },
  });
  const uniform = range(192, N).filter((n) => sum(data.chosen.subarray(n * K, (n + 1) * K)) > 0).length / 64;
  expect(history.validationAccuracy).toBeGreaterThan(0.95);
  expect(uniform).toBeLessThan(0.75);
});

test("the gate is trained and validated on adjusted rewards: what the transform takes out cannot be learned", async () => {
  const data = twoKinds();
  // Only the third objective tells the responses apart, and T takes it out.
  for (let n = 0; n < N; n++) data.chosen.set([0, 0, 1], n * K);
  const transform = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 0);
  const split = { train: range(0, 192), validation: range(192, N) };
  const raw = await trainGating(data, { ...options, split });
  const adjusted = await trainGating(data, { ...options, split, transform });
  expect(raw.history.validationAccuracy).toBe(1);
  expect(adjusted.history.validationAccuracy).toBe(0);
  for (const loss of adjusted.history.loss) expect(loss).toBeCloseTo(Math.LN2, 6);
});

test("a prompt is on one side only, in both stages, whatever its white space and case", () => {
  const prompts = Array.from({ length: 500 }, (_, i) => `Question ${i % 250}, is it so?`);
  const variants = prompts.map((prompt, i) =>
    i < 250 ? prompt : `  ${prompt.toUpperCase().replaceAll(" ", "\n ")} `,
  );
  const groups = BigUint64Array.from(variants, (prompt) => promptKey(promptHash(prompt)));
  const side = sideOfRow({ fraction: 0.2, seed: 4, groups });
  const backwards = sideOfRow({ fraction: 0.2, seed: 4, groups: groups.toReversed() });
  const held = groups.reduce((count, _, row) => count + Number(side(row) === "validation"), 0);
  for (let row = 0; row < 250; row++) {
    expect(side(row)).toBe(side(row + 250));
    expect(side(row)).toBe(backwards(499 - row));
  }
  expect(held / 500).toBeGreaterThan(0.12);
  expect(held / 500).toBeLessThan(0.28);
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);

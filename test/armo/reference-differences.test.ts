// Differences from the reference code that no other test shows: docs/reference-differences.md lists them all, with numbers.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createParameters, type Parameter } from "../../src/armo/gating-parameters.ts";
import { trainGating } from "../../src/armo/gating-training.ts";
import type { Heads } from "../../src/armo/heads.ts";
import { fitRewardTransform } from "../../src/armo/reward-transform.ts";
import { runGate, scoreEmbedding } from "../../src/armo/score.ts";
import { sideOfRow } from "../../src/armo/split.ts";
import { promptKey } from "../../src/armo/training-rows.ts";
import { promptHash } from "../../src/data/prompt-hash.ts";
import { gradients } from "../../src/engine/differentiate.ts";
import { Graph, type Value } from "../../src/engine/graph.ts";
import * as op from "../../src/engine/operators.ts";
import { cosineDecay, createAdamW } from "../../src/engine/optimizer.ts";
import { type Feed, openSession } from "../../src/engine/session.ts";
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

test("1: a softmax across chosen and rejected leaves the gate nothing to learn; over objectives it learns", async () => {
  const largest = (values: Float64Array) => Math.max(...values.map(Math.abs));
  expect(largest(await gateGradient("responses"))).toBeLessThan(1e-15);
  expect(largest(await gateGradient("objectives"))).toBeGreaterThan(1e-2);
});

/** Four kinds of prompts, each decided by one of four objectives and by it alone: the best gate is right on every pair. */
function fourKinds() {
  const [N, H, K] = [1280, 8, 4];
  const random = createRandom(12);
  const promptEmbeddings = new Float32Array(N * H);
  const chosen = new Float32Array(N * K);
  const rejected = new Float32Array(N * K);
  for (let n = 0; n < N; n++) {
    const kind = n % K;
    for (let h = 0; h < H; h++)
      promptEmbeddings[n * H + h] = (h % K === kind ? 1 : 0) + 0.2 * random.normal();
    for (let k = 0; k < K; k++) {
      const [a, b] = [random.normal(), random.normal()];
      chosen[n * K + k] = k === kind ? Math.max(a, b) : a;
      rejected[n * K + k] = k === kind ? Math.min(a, b) : b;
    }
  }
  return { N, H, K, promptEmbeddings, chosen, rejected };
}

/**
 * The reference's training loop (stage-2_train.py): the gate on both responses' rows of the same prompt embedding,
 * softmax over dim 1 of `[B, 2, K]`, a learned factor, AdamW under a cosine. Changes the parameters.
 */
async function trainAsReference(
  parameters: readonly Parameter[],
  { H, K, promptEmbeddings, chosen, rejected }: ReturnType<typeof fourKinds>,
  { batches, learningRate, temperature }: { batches: number[][]; learningRate: number; temperature: number },
): Promise<void> {
  const [B, graph] = [batches[0]!.length, new Graph()];
  const swap = (x: Value) => op.transpose(x, [0, 2, 1]);
  const inputs = parameters.map(({ name, shape }) => graph.input(name, "f64", shape));
  let activation = graph.input("prompts", "f64", [B * 2, H]);
  for (let i = 0; i + 2 < inputs.length; i += 2) {
    activation = op.gemm(activation, inputs[i]!, { transB: true, bias: inputs[i + 1]! });
    if (i + 4 < inputs.length) activation = op.relu(activation);
  }
  const logits = op.reshape(op.div(activation, op.scalar(activation, temperature)), [B, 2, K]);
  const weights = op.mul(swap(op.softmax(swap(logits))), inputs.at(-1)!);
  const scores = op.reduceSum(op.mul(weights, graph.input("rewards", "f64", [B, 2, K])), [2]);
  const margins = op.matmul(scores, graph.constant([1, -1], [2, 1], "f64"));
  const loss = op.reduceMean(op.softplus(op.neg(margins)));
  for (const [i, gradient] of gradients(loss, inputs).entries()) graph.output(String(i), gradient);
  const session = await openSession(graph, { threads: 1 });
  const optimizer = createAdamW(parameters.map(({ data }) => data));
  const feeds: Record<string, Feed> = Object.fromEntries(
    parameters.map(({ name, shape, data }) => [name, { data, shape }]),
  );
  for (const [step, batch] of batches.entries()) {
    const rows = (values: Float32Array, width: number) =>
      batch.map((n) => [...values.subarray(n * width, (n + 1) * width)]);
    const prompts = Float64Array.from(rows(promptEmbeddings, H).flatMap((row) => [...row, ...row]));
    const [a, b] = [rows(chosen, K), rows(rejected, K)];
    const rewards = Float64Array.from(a.flatMap((row, i) => [...row, ...b[i]!]));
    const results = await session.run({
      ...feeds,
      prompts: { data: prompts, shape: [B * 2, H] },
      rewards: { data: rewards, shape: [B, 2, K] },
    });
    const found = parameters.map((_, i) => results[String(i)]!.data as Float64Array);
    optimizer.step(found, cosineDecay(learningRate, step, batches.length));
  }
  await session.close();
}

test("1: the reference's formulation stays at no gate; ours, on the same data, batches and weights, is at the truth", async () => {
  const data = fourKinds();
  const { N, H, K } = data;
  const random = createRandom(6);
  const [train, held] = [1024, range(1024, N)];
  const batches = range(0, 300).map(() => range(0, 64).map(() => random.integer(0, train - 1)));
  const hyper = { batches, learningRate: 0.01, temperature: 1 };
  const shape = { widths: [H, 32, K], preset: "reference", initialScale: 1, dtype: "f64" } as const;
  const start = () => createParameters(shape, undefined, createRandom(9));
  const accuracy = (weightsOf: (n: number) => ArrayLike<number>) =>
    held.filter((n) => {
      const weights = weightsOf(n);
      return (
        range(0, K).reduce(
          (m, k) => m + weights[k]! * (data.chosen[n * K + k]! - data.rejected[n * K + k]!),
          0,
        ) > 0
      );
    }).length / held.length;

  const parameters = start();
  const { gate } = await trainGating(data, {
    ...{ ...hyper, hiddenSize: H, numObjectives: K, preset: "reference", dtype: "f64" },
    initial: Object.fromEntries(
      start().map(({ name, shape, data }) => [
        name,
        { dtype: "F64" as const, shape, data: data as Float64Array },
      ]),
    ),
  });
  await trainAsReference(parameters, data, hyper);
  // Its validation weighs both responses' rows by softmax over dim 1 as well: every objective by a half.
  const reference = accuracy(() => new Float32Array(K).fill(0.5 * parameters.at(-1)!.data[0]!));
  const noGate = accuracy(() => new Float32Array(K).fill(1));
  const ours = accuracy((n) => runGate(gate, data.promptEmbeddings.subarray(n * H, (n + 1) * H)));
  expect(parameters.at(-1)!.data[0]).toBeLessThan(0.9); // The factor does learn, and changes no preference.
  expect(reference).toBe(noGate);
  expect(noGate).toBeLessThan(0.75);
  expect(ours).toBeGreaterThan(0.95);
  // Nor is there anything in the weights that another softmax could read: they are where they began.
  for (const [i, { data: weights }] of start().slice(0, -1).entries()) {
    const moved = Array.from(parameters[i]!.data, (w, j) => Math.abs(w - weights[j]!));
    expect(Math.max(...moved)).toBeLessThan(1e-9);
  }
});

test("2: the gate is trained and validated on adjusted rewards: what the transform takes out cannot be learned", async () => {
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

test("7: a prompt is on one side only, in both stages, whatever its white space and case", () => {
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

test("3: the gate without its transform prefers another response than the model that keeps both", () => {
  // The gate weighs quality and length alike; T takes length out.
  const layer = { weight: new Float32Array(2), bias: Float32Array.of(0, 0), inputs: 1, outputs: 2 };
  const heads: Heads = {
    objectives: [{ name: "quality" }, { name: "length" }],
    hiddenSize: 2,
    regression: Float32Array.of(1, 0, 0, 1),
    transform: Float32Array.of(1, 0, 0, 0),
    gate: { layers: [layer], temperature: 10, logitScale: 1 },
    marginScale: 1,
  };
  const gatingOutput = runGate(heads.gate, Float32Array.of(1));
  const margin = (transform: Float32Array) => {
    const [good, long] = [Float32Array.of(0.6, 0.2), Float32Array.of(0.5, 0.9)].map(
      (embedding) => scoreEmbedding({ ...heads, transform }, embedding, gatingOutput).score,
    );
    return good! - long!;
  };
  expect(margin(heads.transform)).toBeGreaterThan(0);
  expect(margin(Float32Array.of(1, 0, 0, 1))).toBeLessThan(0);
});

test("4: objectives that never pass the grid, or have no correlation, get λ = 1 there; here their root, or a status", () => {
  const random = createRandom(5);
  const [rows, K] = [400, 4];
  const rewards = new Float64Array(rows * K);
  for (let n = 0; n < rows; n++) {
    const length = random.normal();
    // Length; one that rises with it; one that rises too steeply for any λ of the grid; one that is not always a number.
    const wit = n === 7 ? Number.NaN : random.normal();
    rewards.set([length, 0.3 * length + random.normal(), 40 * length + random.normal(), wit], n * K);
  }
  const options = { numObjectives: K, targets: [0] };
  const grid = fitRewardTransform(rewards, { ...options, method: "grid" });
  expect([...grid.penalties.subarray(2)]).toEqual([1, 1]);
  const { penalties, correlationsAfter, status } = fitRewardTransform(rewards, options);
  expect(status).toEqual(["target", "ok", "ok", "not-finite"]);
  expect(Math.abs(correlationsAfter[1]!)).toBeLessThan(1e-3);
  expect(Math.abs(correlationsAfter[2]!)).toBeLessThan(1e-3);
  expect(penalties[2]).toBeGreaterThan(30);
  expect(penalties[3]).toBe(0);
});

test("every difference has its row in the documentation, with a test that exists", () => {
  const root = join(import.meta.dirname, "../..");
  const text = readFileSync(join(root, "docs/reference-differences.md"), "utf8");
  const numbers = [...text.matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
  expect(numbers).toEqual(expect.arrayContaining([1, 2, 3, 4, 5, 6, 7, 9, 10]));
  for (const line of text.split("\n").filter((row) => /^\| \d+ \|/.test(row))) {
    const named = [...line.matchAll(/`((?:test|bench)\/[^`]+)`/g)].map((match) => match[1]!);
    expect(named.length, line).toBeGreaterThan(0);
    for (const path of named) expect(existsSync(join(root, path)), path).toBe(true);
  }
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

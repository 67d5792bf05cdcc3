// Real models carry a few activations hundreds of times larger than the rest, at BOS above all (arXiv:2402.17762). What int8 may do to a model like that is bounded here; per-tensor quantization would not survive it.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openBackbone } from "../../../src/backbone/backbone.ts";
import type { Tensor } from "../../../src/checkpoint/safetensors.ts";
import { configOf, randomNumbers, randomTensors, type Shape, writeCheckpoint } from "../random-decoder.ts";

const shape: Shape = {
  vocab_size: 300,
  hidden_size: 256,
  intermediate_size: 512,
  num_hidden_layers: 4,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 32,
};
const BOS = 0;
const PLANTED = [17, 201];
const MASSIVE = 400;

/** Plants massive activations: the embedding of BOS lies far out along two dimensions of the stream. */
function plant(tensors: Map<string, Tensor>): Map<string, Tensor> {
  const H = shape.hidden_size;
  const table = tensors.get("model.embed_tokens.weight")!.data as Float32Array;
  for (const dimension of PLANTED) table[BOS * H + dimension] = MASSIVE;
  return tensors;
}

let folder: string;
let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "massive-cache-"));
  vi.stubEnv("ARMORM_CACHE", cache);
  folder = await writeCheckpoint(configOf(shape), plant(randomTensors(shape)));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
  await rm(cache, { recursive: true });
});

/** Last hidden states of random conversations that begin with BOS. */
async function lastStates(dtype: "f32" | "int8" | "int4"): Promise<Float32Array[]> {
  const next = randomNumbers(7);
  const requests = Array.from({ length: 64 }, () => {
    const length = 5 + Math.floor(next() * 40);
    const ids = [BOS, ...Array.from({ length }, () => 1 + Math.floor(next() * 299))];
    return { ids, positions: [ids.length - 1] };
  });
  await using backbone = await openBackbone(folder, { dtype });
  return await backbone.hiddenStates(requests);
}

const rms = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

/** Relative error of the states, change of margins between neighbours under a random reward, and margins whose sign flips. */
function compare(exact: Float32Array[], rough: Float32Array[]) {
  const differences = exact.flatMap((state, i) => [...state].map((value, h) => rough[i]![h]! - value));
  const next = randomNumbers(3);
  const reward = Array.from({ length: shape.hidden_size }, () => 2 * next() - 1);
  const scores = (states: Float32Array[]) =>
    states.map((state) => state.reduce((sum, value, h) => sum + value * reward[h]!, 0));
  const margins = (values: number[]) => values.slice(1).map((value, i) => value - values[i]!);
  const [want, got] = [margins(scores(exact)), margins(scores(rough))];
  return {
    state: rms(differences) / rms(exact.flatMap((state) => [...state])),
    margin: rms(want.map((margin, i) => margin - got[i]!)) / rms(want),
    flipped: want.filter((margin, i) => margin > 0 !== got[i]! > 0).length / want.length,
  };
}

test("int8 moves hidden states by a few percent, and flips only preferences that were nearly even", async () => {
  const exact = await lastStates("f32");
  const error = compare(exact, await lastStates("int8"));
  expect(error.state).toBeGreaterThan(0);
  expect(error.state).toBeLessThan(0.04);
  expect(error.margin).toBeLessThan(0.05);
  expect(error.flipped).toBeLessThan(0.05);
});

test("int4 is rougher than int8, and still far from noise", async () => {
  const exact = await lastStates("f32");
  const int8 = compare(exact, await lastStates("int8"));
  const int4 = compare(exact, await lastStates("int4"));
  expect(int4.state).toBeGreaterThan(2 * int8.state);
  expect(int4.state).toBeLessThan(0.5);
});

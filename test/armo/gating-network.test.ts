import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { GatingBatch } from "../../src/armo/gating-batches.ts";
import { openGatingNetwork } from "../../src/armo/gating-network.ts";
import { createParameters } from "../../src/armo/gating-parameters.ts";
import { drawMask } from "../../src/armo/gating-sampling.ts";
import { readSafetensors, toFloat64 } from "../../src/checkpoint/safetensors.ts";
import { createRandom } from "../../src/random.ts";

const folder = new URL("../golden/gating/", import.meta.url).pathname;
const [set] = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")).sets;
const pairs = await readSafetensors(join(folder, set.data));
const initial = await readSafetensors(join(folder, set.init));
const [H, K, B] = [set.d as number, set.k as number, set.batch_size as number];
const widths = [H, ...Array<number>(set.n_hidden).fill(set.hidden), K];
const batch = Array.from((pairs.get("batches")!.data as BigInt64Array).slice(0, B), Number);

const plain = { labelSmoothing: 0, centering: 0, targets: false, scaledScores: false };

function firstBatch(dtype: "f32" | "f64"): GatingBatch {
  const promptRows = new Float32Array(B * H);
  const differences = dtype === "f32" ? new Float32Array(B * K) : new Float64Array(B * K);
  const take = (name: string) => toFloat64(pairs.get(name)!);
  const [prompts, chosen, rejected] = [
    take("prompt_embedding"),
    take("rewards_chosen"),
    take("rewards_rejected"),
  ];
  for (const [i, row] of batch.entries()) {
    promptRows.set(prompts.subarray(row * H, (row + 1) * H), i * H);
    for (let k = 0; k < K; k++) differences[i * K + k] = chosen[row * K + k]! - rejected[row * K + k]!;
  }
  return { prompts: promptRows, differences, targets: null, sums: null };
}

test.each(["f64", "f32"] as const)("every gradient of the first step is golden, in %s", async (dtype) => {
  for (const run of set.runs as { init_logit_scale: number; expected_file: string }[]) {
    const shape = { widths, preset: "reference", initialScale: run.init_logit_scale, dtype } as const;
    const parameters = createParameters(shape, initial, createRandom(0));
    const { temperature } = set;
    await using network = await openGatingNetwork(parameters, {
      batchSize: B,
      temperature,
      dtype,
      dropout: false,
      ...plain,
    });
    await network.step(firstBatch(dtype));
    const expected = await readSafetensors(join(folder, run.expected_file));
    for (const [i, { name }] of parameters.entries()) {
      const wanted = toFloat64(expected.get(`${dtype === "f64" ? "grad0" : "grad0_f32"}.${name}`)!);
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const tolerance = dtype === "f64" ? 1e-11 : 1e-4 * largest;
      const errors = Array.from(network.gradients[i]!, (value, j) => Math.abs(value - wanted[j]!));
      expect(errors).toHaveLength(wanted.length);
      expect(Math.max(...errors), name).toBeLessThanOrEqual(tolerance);
    }
  }
});

test("a dropped unit passes nothing on, and its weights get no gradient", async () => {
  const shape = { widths, preset: "paper", initialScale: 100, dtype: "f64" } as const;
  const parameters = createParameters(shape, undefined, createRandom(0));
  const options = { batchSize: B, temperature: 10, dtype: "f64", dropout: true, ...plain } as const;
  await using network = await openGatingNetwork(parameters, options);
  const batch = firstBatch("f64");
  for (const mask of network.masks) mask.fill(1);
  const D = widths[1]!;
  for (let n = 0; n < B; n++) network.masks[0]![n * D + 3] = 0;
  const loss = await network.step(batch);
  const [weight, bias, next] = network.gradients;
  expect(weight!.subarray(3 * H, 4 * H).every((g) => g === 0)).toBe(true);
  expect(bias![3]).toBe(0);
  expect(weight!.some((g) => g !== 0)).toBe(true);
  for (let d = 0; d < D; d++) expect(next![d * D + 3]).toBe(0);
  // Whatever the dropped unit's weights are, the loss is the same.
  parameters[0]!.data.fill(5, 3 * H, 4 * H);
  expect(await network.step(batch)).toBe(loss);
});

test("a mask drops the share asked for and keeps the mean", () => {
  const mask = new Float64Array(100_001);
  drawMask(mask, 0.2, createRandom(1));
  expect(new Set(mask)).toEqual(new Set([0, 1.25]));
  const mean = mask.reduce((sum, value) => sum + value, 0) / mask.length;
  expect(Math.abs(mean - 1)).toBeLessThan(0.01);
});

test("initial weights are uniform within 1/√in", () => {
  const shape = { widths: [400, 300, 5], preset: "paper", initialScale: 100, dtype: "f32" } as const;
  const parameters = createParameters(shape, undefined, createRandom(2));
  const [weight, bias, scale] = [parameters[0], parameters[1], parameters[4]].map((parameter) =>
    Array.from(parameter!.data),
  );
  const largest = weight!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const square = weight!.reduce((sum, value) => sum + value * value, 0) / weight!.length;
  expect(largest).toBeLessThanOrEqual(Math.fround(1 / 20));
  expect(Math.sqrt(square)).toBeCloseTo(1 / 20 / Math.sqrt(3), 3);
  expect(bias!.some((value) => value !== 0)).toBe(true);
  expect(scale).toEqual([100]);
});

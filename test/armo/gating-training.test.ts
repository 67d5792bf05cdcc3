import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type TrainedGate, trainGating } from "../../src/armo/gating-training.ts";
import { runGate } from "../../src/armo/score.ts";
import { sideOfRow } from "../../src/armo/split.ts";
import { readSafetensors, type Tensor, toFloat64 } from "../../src/checkpoint/safetensors.ts";
import { createRandom } from "../../src/random.ts";

const folder = new URL("../golden/gating/", import.meta.url).pathname;
const golden = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8"));
const [set] = golden.sets;
const [H, K] = [set.d as number, set.k as number];
const pairs = await readSafetensors(join(folder, set.data));
const initial = await readSafetensors(join(folder, set.init));
const data = {
  promptEmbeddings: pairs.get("prompt_embedding")!.data as Float32Array,
  chosen: pairs.get("rewards_chosen")!.data as Float32Array,
  rejected: pairs.get("rewards_rejected")!.data as Float32Array,
};
const rows = Array.from(pairs.get("batches")!.data as BigInt64Array, Number);
const batches = Array.from({ length: set.steps }, (_, t) =>
  rows.slice(t * set.batch_size, (t + 1) * set.batch_size),
);
const size = { hiddenSize: H, numObjectives: K };
const small = { ...size, hiddenDim: 16, hiddenLayers: 1, batchSize: 64 };

/** The largest excess of |actual − expected| over atol + rtol · |expected|. */
function excess(actual: ArrayLike<number>, expected: ArrayLike<number>, atol: number, rtol = 0): number {
  expect(actual.length).toBe(expected.length);
  const excesses = Array.from(expected, (e, i) => Math.abs(actual[i]! - e) - atol - rtol * Math.abs(e));
  return Math.max(...excesses);
}

interface Trajectory {
  readonly loss: number[];
  readonly grad_norm: number[];
}

interface Run {
  readonly name: string;
  readonly init_logit_scale: number;
  readonly weight_decay: number;
  readonly expected_file: string;
  readonly float64: Trajectory & { readonly lr: number[] };
  readonly float32: Trajectory;
}

describe.each(["paper", "reference"] as const)("the preset %s, with one scale to start from", (preset) => {
  const scaleName = preset === "paper" ? "margin_scale" : "logit_scale";

  test.each(set.runs as Run[])("follows the golden trajectory $name in f64 and in f32", async (run) => {
    const expected = await readSafetensors(join(folder, run.expected_file));
    for (const dtype of ["f64", "f32"] as const) {
      const { gate, marginScale, history } = await trainGating(data, {
        ...size,
        preset,
        dtype,
        initial,
        batches,
        initialScale: run.init_logit_scale,
        weightDecay: run.weight_decay,
        temperature: set.temperature,
        dropout: 0,
      });
      const trajectory = dtype === "f64" ? run.float64 : run.float32;
      const [atol, rtol] = dtype === "f64" ? [1e-9, 0] : [1e-5, 1e-5];
      expect(excess(history.loss, trajectory.loss, atol, rtol)).toBeLessThanOrEqual(0);
      expect(excess(history.learningRate, run.float64.lr, 1e-15)).toBeLessThanOrEqual(0);
      // The norm has no tolerance of its own; it is held to the one of the loss, and of gradients in f32.
      const normTolerance = dtype === "f64" ? 1e-9 : 1e-4 * Math.max(...trajectory.grad_norm);
      expect(excess(history.gradientNorm, trajectory.grad_norm, normTolerance)).toBeLessThanOrEqual(0);

      const weightTolerance = dtype === "f64" ? 1e-7 : 3e-4;
      const final = (name: string) => toFloat64(expected.get(`final.${name}`)!);
      for (const [i, { weight, bias }] of gate.layers.entries()) {
        expect(excess(weight, final(`layers.${i}.weight`), weightTolerance)).toBeLessThanOrEqual(0);
        expect(excess(bias, final(`layers.${i}.bias`), weightTolerance)).toBeLessThanOrEqual(0);
      }
      const scale = preset === "paper" ? marginScale! : gate.logitScale;
      expect(Math.abs(scale - final("logit_scale")[0]!)).toBeLessThanOrEqual(weightTolerance);
      expect(preset === "paper" ? gate.logitScale : marginScale).toBe(preset === "paper" ? 1 : null);
    }
  });

  test("takes the scale from the initial tensors under its own name only", async () => {
    const scale: Tensor = { dtype: "F32", shape: [1], data: Float32Array.of(7) };
    const start = { ...size, preset, batches: batches.slice(0, 1), learningRate: 1e-30, dropout: 0 };
    const named = await trainGating(data, { ...start, initial: new Map([...initial, [scaleName, scale]]) });
    expect(named.marginScale ?? named.gate.logitScale).toBe(7);
    const other = preset === "paper" ? "logit_scale" : "margin_scale";
    const wrong = trainGating(data, { ...start, initial: new Map([...initial, [other, scale]]) });
    await expect(wrong).rejects.toThrow(`trainGating: initial has no use for ${other}`);
  });
});

/** The same numbers as in the history, from the forward pass of the heads in plain TypeScript. */
function validate({ gate, marginScale }: TrainedGate, rows: readonly number[]) {
  let loss = 0;
  let right = 0;
  for (const row of rows) {
    const mix = runGate(gate, data.promptEmbeddings.subarray(row * H, (row + 1) * H));
    let margin = 0;
    for (let k = 0; k < K; k++) margin += mix[k]! * (data.chosen[row * K + k]! - data.rejected[row * K + k]!);
    loss += Math.log1p(Math.exp(-(marginScale ?? 1) * margin));
    if (margin > 0) right++;
  }
  return { loss: loss / rows.length, accuracy: right / rows.length };
}

test.each(["paper", "reference"] as const)(
  "a gate of preset %s scores as its history says",
  async (preset) => {
    const validation = Array.from({ length: 56 }, (_, i) => i * 3);
    const train = Array.from({ length: 200 }, (_, i) => i).filter((row) => !validation.includes(row));
    const trained = await trainGating(data, { ...small, preset, steps: 20, split: { train, validation } });
    const { loss, accuracy } = validate(trained, validation);
    expect(trained.history.trainRows).toBe(train.length);
    expect(trained.history.validationLoss).toBeCloseTo(loss, 6);
    expect(trained.history.validationAccuracy).toBe(accuracy);
  },
);

test("the same seed gives the same gate, another seed another one", async () => {
  const train = (seed: number) => trainGating(data, { ...small, steps: 5, dropout: 0.3, seed });
  const [first, again, other] = [await train(1), await train(1), await train(2)];
  expect(again).toEqual(first);
  expect(other.history.loss).not.toEqual(first.history.loss);
});

test("a transform acts like rewards that were transformed before", async () => {
  const T = Float64Array.from({ length: K * K }, (_, i) => (i % (K + 1) === 0 ? 1 : 0) - ((i * 7) % 5) / 50);
  const through = (rewards: Float32Array) => {
    const adjusted = new Float64Array(rewards.length);
    for (let n = 0; n < rewards.length; n += K)
      for (let j = 0; j < K; j++)
        for (let k = 0; k < K; k++) adjusted[n + k]! += rewards[n + j]! * T[j * K + k]!;
    return adjusted;
  };
  const options = { ...size, initial, batches: batches.slice(0, 5), dtype: "f64" } as const;
  const inside = await trainGating(data, { ...options, transform: T });
  const before = await trainGating(
    { ...data, chosen: through(data.chosen), rejected: through(data.rejected) },
    options,
  );
  expect(excess(inside.history.loss, before.history.loss, 1e-12)).toBeLessThanOrEqual(0);
});

test("rows gathered from elsewhere train the same gate as rows in memory", async () => {
  const gathered = {
    rows: set.pairs as number,
    gather: async (indices: ArrayLike<number>, out: Float32Array) => {
      for (let i = 0; i < indices.length; i++) {
        out.set(data.promptEmbeddings.subarray(indices[i]! * H, (indices[i]! + 1) * H), i * H);
      }
    },
  };
  const options = { ...small, steps: 3, split: { fraction: 0.3 } };
  const memory = await trainGating(data, options);
  expect(await trainGating({ ...data, promptEmbeddings: gathered }, options)).toEqual(memory);
});

test("training stops when validation does not improve, and the best weights come back", async () => {
  const split = { fraction: 0.5, seed: 3 };
  const options = { ...small, split, evaluateEvery: 2, patience: 3, learningRate: 0.05 };
  const trained = await trainGating(data, options);
  const { evaluations, bestStep, loss, validationLoss } = trained.history;
  const losses = evaluations.map((evaluation) => evaluation.loss);
  const best = losses.indexOf(Math.min(...losses));
  expect(trained.history.options.steps).toBe(10_000);
  expect(evaluations[best]!.step).toBe(bestStep);
  expect(evaluations.length).toBe(best + 1 + 3);
  expect(loss.length).toBe(bestStep + 3 * 2);

  const side = sideOfRow(split);
  const held = Array.from({ length: set.pairs as number }, (_, row) => row).filter(
    (row) => side(row) === "validation",
  );
  expect(validationLoss).toBe(losses[best]);
  expect(validate(trained, held).loss).toBeCloseTo(losses[best]!, 6);
});

test("a gate that learns overtakes one that does not", async () => {
  // The first prompt coordinate says which of the objectives decides.
  const random = createRandom(4);
  const N = 600;
  const draw = (count: number) => Float32Array.from({ length: count }, () => 2 * random.uniform() - 1);
  const promptEmbeddings = draw(N * H);
  const [chosen, rejected] = [draw(N * K), draw(N * K)];
  for (let n = 0; n < N; n++) {
    const k = promptEmbeddings[n * H]! > 0 ? 0 : 1;
    const [high, low] = [chosen[n * K + k]!, rejected[n * K + k]!].sort((x, y) => y - x);
    chosen[n * K + k] = high!;
    rejected[n * K + k] = low!;
  }
  const { history } = await trainGating(
    { promptEmbeddings, chosen, rejected },
    { ...small, steps: 400, temperature: 1, learningRate: 0.01, split: { fraction: 0.3 } },
  );
  expect(history.evaluations[0]!.accuracy).toBeLessThan(0.8);
  expect(history.validationAccuracy).toBeGreaterThan(0.9);
});

test("a batch is the whole set where there are fewer pairs", async () => {
  const { history } = await trainGating(data, { ...size, hiddenDim: 8, steps: 2 });
  expect(history.options.batchSize).toBe(256);
  expect(history.evaluations).toEqual([]);
  expect(history.bestStep).toBe(2);
  expect(history.validationLoss).toBeNull();
});

test("an abort ends training at the next step", async () => {
  const controller = new AbortController();
  const onProgress = (done: number, total: number) => {
    expect(total).toBe(50);
    if (done === 2) controller.abort(new Error("enough"));
    expect(done).toBeLessThanOrEqual(2);
  };
  const training = trainGating(data, { ...small, steps: 50, signal: controller.signal, onProgress });
  await expect(training).rejects.toThrow("enough");
});

test.each([
  [{ dropout: 1 }, "trainGating: dropout must be in [0, 1), got 1"],
  [{ steps: 0 }, "trainGating: steps must be an integer ≥ 1, got 0"],
  [{ temperature: 0 }, "trainGating: temperature must be > 0, got 0"],
  [{ hiddenLayers: -1 }, "trainGating: hiddenLayers must be an integer ≥ 0, got -1"],
  [{ batches: [[0, 1], [2]] }, "trainGating: batches must have one length, got 1 at step 1"],
  [{ batches: [[0, 256]] }, "trainGating: batches must name rows below 256, got 256 at step 0"],
  [{ batches: [[0]], steps: 2 }, "trainGating: steps must be at most the 1 batches given, got 2"],
  [{ numObjectives: 4 }, "trainGating: chosen must be [256, 4], got 1280 numbers"],
  [{ hiddenSize: 15 }, "trainGating: promptEmbeddings must be [N, 15], got 4096 numbers"],
  [{ transform: new Float64Array(4) }, "trainGating: transform must be [5, 5], got 4 numbers"],
  [{ initial: new Map() }, "trainGating: initial must hold layers.0.weight, got none"],
  [
    { split: { train: [], validation: [1] } },
    "trainGating: expected pairs to train on, got 256, none on the training side",
  ],
])("options that cannot be are refused: %o", async (wrong, message) => {
  await expect(trainGating(data, { ...small, steps: 1, ...wrong })).rejects.toThrow(message);
});

test("rewards that are not finite end training with a reason", async () => {
  const chosen = data.chosen.slice().fill(Number.NaN, 0, K);
  const training = trainGating({ ...data, chosen }, { ...small, batchSize: 256 });
  await expect(training).rejects.toMatchObject({ name: "InputError", code: "not-finite" });
  // Row 0 is never trained on here, only looked at.
  const split = { train: [1, 2, 3], validation: [0] };
  const looking = trainGating({ ...data, chosen }, { ...small, split });
  await expect(looking).rejects.toMatchObject({ name: "InputError", code: "not-finite" });
});

test("rewards that go against the preferences neither turn β round nor count as right", async () => {
  const against = {
    ...data,
    chosen: new Float32Array(data.chosen.length).fill(-1),
    rejected: new Float32Array(data.rejected.length),
  };
  const split = {
    train: Array.from({ length: 200 }, (_, i) => i),
    validation: Array.from({ length: 56 }, (_, i) => 200 + i),
  };
  for (const preset of ["fitted", "paper"] as const) {
    const { marginScale, history } = await trainGating(against, {
      ...small,
      preset,
      split,
      steps: 800,
      learningRate: 0.01,
      patience: Number.POSITIVE_INFINITY,
    });
    expect(marginScale).toBeGreaterThan(0);
    expect(history.validationAccuracy).toBe(0);
  }
});

import { expect, test } from "vitest";
import { resolveGatingOptions } from "../../src/armo/gating-presets.ts";
import { type TrainGatingOptions, trainGating } from "../../src/armo/gating-training.ts";
import { createRandom } from "../../src/random.ts";

const size = { hiddenSize: 4, numObjectives: 2 };
const resolve = (options: Partial<TrainGatingOptions>) =>
  resolveGatingOptions({ ...size, ...options }, 100_000, () => 3);

/** What all presets share: arXiv:2406.12845 §4 and the defaults of the reference's stage-2_train.py. */
const shared = {
  ...{ batchSize: 1024, hiddenDim: 1024, hiddenLayers: 3, temperature: 10, learningRate: 1e-3, warmup: 0 },
  ...{
    weightDecay: 0,
    labelSmoothing: 0,
    targetMargins: "off",
    centering: 0,
    balance: "off",
    seed: 0,
    dtype: "f32",
  },
};
const toTheEnd = { patience: Number.POSITIVE_INFINITY, keep: "last" };

test("the preset paper: β from 100, 10,000 steps to the end", () => {
  expect(resolve({ preset: "paper" })).toMatchObject({
    ...{ ...shared, ...toTheEnd, steps: 10_000, initialScale: 100, dropout: 0, replacement: false },
  });
});

test("the preset reference: a factor from 1, dropout 0.2, 2,000 steps on batches drawn with replacement", () => {
  expect(resolve({ preset: "reference" })).toMatchObject({
    ...{ ...shared, ...toTheEnd, steps: 2000, initialScale: 1, dropout: 0.2, replacement: true },
  });
});

test("the default preset: β fitted to the margins, stopped by validation, the best weights", () => {
  expect(resolve({})).toMatchObject({
    ...{
      ...shared,
      steps: 10_000,
      initialScale: 3,
      dropout: 0,
      replacement: false,
      patience: 10,
      keep: "best",
    },
    preset: "fitted",
  });
});

const random = createRandom(1);
const noise = (length: number) => Float32Array.from({ length }, () => random.normal());
const data = { promptEmbeddings: noise(200), chosen: noise(100), rejected: noise(100) };
const small = { ...size, hiddenDim: 8, hiddenLayers: 1, batchSize: 10 };

test.each(["paper", "reference"] as const)(
  "%s looks at validation pairs, and goes on to its last weights all the same",
  async (preset) => {
    const run = {
      ...small,
      preset,
      steps: 120,
      learningRate: 0.1,
      evaluateEvery: 5,
      split: { fraction: 0.3 },
    };
    const { history } = await trainGating(data, run);
    const losses = history.evaluations.map(({ loss }) => loss);
    expect(losses).toHaveLength(25);
    expect(history.loss).toHaveLength(120);
    expect(history.bestStep).toBe(120);
    expect(history.validationLoss).toBe(losses.at(-1));
    // The validation loss was lower before: `keep` is what decides.
    const best = await trainGating(data, { ...run, keep: "best" });
    expect(best.history.validationLoss).toBe(Math.min(...losses));
    expect(best.history.loss).toEqual(history.loss);
    expect(best.history.bestStep).toBeLessThan(120);
  },
);

test("the learning rate rises by equal amounts, is at its highest after the warm-up, and falls to 0", async () => {
  const rates = async (warmup: number, steps: number) =>
    (await trainGating(data, { ...small, warmup, steps, learningRate: 0.4 })).history.learningRate;
  const cosine = (step: number, steps: number) => 0.2 * (1 + Math.cos((Math.PI * step) / steps));
  expect(await rates(3, 8)).toEqual([
    0.1,
    0.2,
    (0.4 * 3) / 4,
    0.4,
    cosine(1, 5),
    cosine(2, 5),
    cosine(3, 5),
    cosine(4, 5),
  ]);
  expect(await rates(0, 2)).toEqual([0.4, cosine(1, 2)]);
  // A share counts in steps, rounded up; a run has one step at the full rate at least.
  expect(await rates(0.3, 8)).toEqual(await rates(3, 8));
  expect(await rates(0.9, 1)).toEqual([0.4]);
});

test.each([
  [{ warmup: 5, steps: 5 }, "trainGating: warmup must be a share in [0, 1) or steps below 5, got 5"],
  [{ warmup: 1.5 }, "trainGating: warmup must be a share in [0, 1) or steps below 10000, got 1.5"],
  [{ warmup: -1 }, "trainGating: warmup must be"],
  [{ labelSmoothing: 0.5 }, "trainGating: labelSmoothing must be in [0, 0.5), got 0.5"],
  [{ labelSmoothing: Number.NaN }, "trainGating: labelSmoothing must be in [0, 0.5), got NaN"],
  [{ centering: -1 }, "trainGating: centering must be ≥ 0, got -1"],
  [{ targetMargins: { scale: 0 } }, "trainGating: targetMargins must be off or have a scale > 0, got 0"],
  [
    { targetMargins: "on" as "off" },
    "trainGating: targetMargins must be off or have a scale > 0, got undefined",
  ],
  [{ balance: "even" as "equal" }, "trainGating: balance must be off, equal or weights by name, got even"],
  [{ keep: "first" as "best" }, "trainGating: keep must be best or last, got first"],
  [{ patience: 0 }, "trainGating: patience must be ≥ 1, got 0"],
  [{ learningRate: Number.POSITIVE_INFINITY }, "trainGating: learningRate must be > 0, got Infinity"],
  [{ preset: "papers" as "paper" }, "trainGating: preset must be fitted, paper or reference, got papers"],
])("options out of range are refused: %o", (options, message) => {
  expect(() => resolve(options)).toThrow(RangeError);
  expect(() => resolve(options)).toThrow(message);
});

test.each([
  [
    { targetMargins: { scale: 1 } },
    {},
    "trainGating: targetMargins needs the margins of the pairs, got none",
  ],
  [{ balance: "equal" }, {}, "trainGating: balance needs the groups of the pairs, got none"],
  [{}, { margins: new Float32Array(3) }, "trainGating: margins must be [50], got 3 numbers"],
  [{}, { groups: ["chat"] }, "trainGating: groups must be [50], got 1 numbers"],
] as const)("margins and groups must be there for what needs them: %o %o", async (options, more, message) => {
  await expect(trainGating({ ...data, ...more }, { ...small, ...options })).rejects.toThrow(
    new TypeError(message),
  );
});

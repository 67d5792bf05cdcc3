import { expect, test } from "vitest";
import type { GatingBatch } from "../../src/armo/gating-batches.ts";
import { pairLoss } from "../../src/armo/gating-loss.ts";
import { openGatingNetwork } from "../../src/armo/gating-network.ts";
import { createParameters } from "../../src/armo/gating-parameters.ts";
import { trainGating } from "../../src/armo/gating-training.ts";
import { createRandom } from "../../src/random.ts";

const [B, H, K, D] = [6, 4, 3, 5];
const random = createRandom(5);
const noise = (length: number) => Float64Array.from({ length }, () => random.normal());

interface Case {
  readonly labelSmoothing: number;
  readonly centering: number;
  readonly targets: boolean;
  readonly scaledScores: boolean;
}

async function openCase({ labelSmoothing, centering, targets, scaledScores }: Case) {
  const preset = scaledScores ? "reference" : "paper";
  const shape = { widths: [H, D, K], preset, initialScale: 1.7, dtype: "f64" } as const;
  const parameters = createParameters(shape, undefined, createRandom(1));
  const network = await openGatingNetwork(parameters, {
    ...{ batchSize: B, temperature: 2, dtype: "f64", dropout: false },
    ...{ labelSmoothing, centering, targets, scaledScores },
  });
  const batch: GatingBatch = {
    prompts: Float32Array.from(noise(B * H)),
    differences: noise(B * K),
    targets: targets ? noise(B) : null,
    sums: centering > 0 ? noise(B * K) : null,
  };
  return { parameters, network, batch };
}

const cases: [name: string, Case][] = [
  ["label smoothing", { labelSmoothing: 0.2, centering: 0, targets: false, scaledScores: false }],
  ["target margins", { labelSmoothing: 0, centering: 0, targets: true, scaledScores: false }],
  ["centering", { labelSmoothing: 0, centering: 0.3, targets: false, scaledScores: false }],
  ["all three", { labelSmoothing: 0.1, centering: 0.3, targets: true, scaledScores: false }],
  [
    "all three with a factor on scores",
    { labelSmoothing: 0.1, centering: 0.3, targets: true, scaledScores: true },
  ],
];

test.each(cases)("gradients with %s are the slopes of the loss, in every parameter", async (_, options) => {
  const { parameters, network, batch } = await openCase(options);
  await network.step(batch);
  const gradients = network.gradients.map((gradient) => gradient.slice());
  const h = 1e-5;
  for (const [i, { data }] of parameters.entries()) {
    for (let j = 0; j < data.length; j++) {
      const value = data[j]!;
      data[j] = value + h;
      const above = await network.step(batch);
      data[j] = value - h;
      const below = await network.step(batch);
      data[j] = value;
      expect(gradients[i]![j]).toBeCloseTo((above - below) / (2 * h), 8);
    }
  }
  await network[Symbol.asyncDispose]();
});

test.each(cases)("the loss with %s is the mean of its definition over the pairs", async (_, options) => {
  const { parameters, network, batch } = await openCase(options);
  const loss = await network.step(batch);
  const { margins, scoreSums } = await network.look(batch);
  const scale = parameters.at(-1)!.data[0]!;
  const { labelSmoothing: e, centering } = options;
  let defined = 0;
  let inNumbers = 0;
  for (let n = 0; n < B; n++) {
    const z = scale * margins[n]! - (batch.targets?.[n] ?? 0);
    const sum = scoreSums?.[n] ?? 0;
    const smooth = (1 - e) * Math.log(1 + Math.exp(-z)) + e * Math.log(1 + Math.exp(z));
    defined += (smooth + centering * sum ** 2) / B;
    inNumbers += pairLoss(z, sum, options) / B;
  }
  expect(loss).toBeCloseTo(defined, 13);
  expect(inNumbers).toBeCloseTo(defined, 13);
  await network[Symbol.asyncDispose]();
});

// A gate without hidden layers whose weights are 0 weighs both objectives by ½: differences (2, 0) give a margin of 1 and
// sums (6, 0) a score sum of 3.
test.each([
  [{}, Math.log(1 + Math.exp(-2))],
  [{ labelSmoothing: 0.25 }, 0.75 * Math.log(1 + Math.exp(-2)) + 0.25 * Math.log(1 + Math.exp(2))],
  [{ targetMargins: { scale: 0.5 } }, Math.log(1 + Math.exp(-(2 - 0.5 * 3)))],
  [{ centering: 0.1 }, Math.log(1 + Math.exp(-2)) + 0.1 * 9],
  [{ centering: 0.1, preset: "reference" }, Math.log(1 + Math.exp(-2)) + 0.1 * (2 * 3) ** 2],
] as const)("a loss computed by hand: %o", async (options, expected) => {
  const zero = (...shape: number[]) => ({
    dtype: "F64" as const,
    shape,
    data: new Float64Array(shape.reduce((product, d) => product * d, 1)),
  });
  const { history } = await trainGating(
    {
      promptEmbeddings: Float32Array.of(1, 2),
      chosen: Float64Array.of(4, 0),
      rejected: Float64Array.of(2, 0),
      margins: Float64Array.of(3),
    },
    {
      ...{ hiddenSize: 2, numObjectives: 2, steps: 1, dtype: "f64", preset: "paper", dropout: 0 },
      ...{ initial: { "layers.0.weight": zero(2, 2), "layers.0.bias": zero(2) }, initialScale: 2 },
      ...options,
    },
  );
  expect(history.loss[0]).toBeCloseTo(expected, 14);
});

test("centering brings scores to lie around zero where the gate can", async () => {
  const N = 64;
  const rng = createRandom(8);
  const promptEmbeddings = Float32Array.from({ length: N * 2 }, () => rng.normal());
  // Both objectives tell the responses apart equally well; the first lies around 2, the second around −2.
  const rewards = (shift: number) =>
    Float32Array.from({ length: N * 2 }, (_, i) => (i % 2 === 0 ? 3 : -1) + shift);
  const data = { promptEmbeddings, chosen: rewards(0.5), rejected: rewards(-0.5) };
  const options = { hiddenSize: 2, numObjectives: 2, hiddenLayers: 0, temperature: 1, dtype: "f64" } as const;
  const run = { ...options, preset: "paper", initialScale: 1, steps: 600, learningRate: 0.05 } as const;
  const { gate } = await trainGating(data, { ...run, centering: 1 });
  // 3g − (1 − g) = 0 at g = ¼: the bias alone can say so.
  const [{ bias }] = gate.layers as [(typeof gate.layers)[number]];
  const share = 1 / (1 + Math.exp(bias[1]! - bias[0]!));
  expect(share).toBeCloseTo(0.25, 2);
});

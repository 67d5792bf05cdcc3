// The whole forward pass of the heads, without native parts: it runs wherever JavaScript does.
// K objectives, H hidden size. Sums are accumulated in f64.

import { type ScoreParts, weighRewards } from "../scoring/score-parts.ts";
import type { Gate, Heads, LinearLayer } from "./heads.ts";

/**
 * Scores one response.
 *
 * rewards = W · x,  adjusted rewards = rewards @ T,  coefficients = g @ Tᵀ,  score = Σ_k coefficients_k · rewards_k
 *
 * @param embedding x `[H]`, hidden state of the last token.
 * @param gatingOutput g `[K]`, from `runGate`: all responses to one prompt share it.
 * @throws {TypeError} If a length is not H or K.
 *
 * Cost: K·H + 2K² multiply-adds. Source: arXiv:2406.12845 §3; docs/equations.md.
 */
export function scoreEmbedding(
  heads: Heads,
  embedding: Float32Array,
  gatingOutput: Float64Array,
): ScoreParts {
  const { hiddenSize: H, regression: W, transform: T } = heads;
  const K = heads.objectives.length;
  requireLength("scoreEmbedding: embedding", embedding, H);
  requireLength("scoreEmbedding: gating output", gatingOutput, K);

  const rewards = multiply(W, Float64Array.from(embedding), K); // W · x

  const adjustedRewards = new Float64Array(K);
  for (let j = 0; j < K; j++) for (let k = 0; k < K; k++) adjustedRewards[k]! += rewards[j]! * T[j * K + k]!; // rewards @ T
  return { rewards, adjustedRewards, gatingOutput, ...weighRewards(rewards, gatingOutput, T) };
}

/**
 * Mixes the objectives for one prompt: g = softmax(MLP(p) / temperature) · logitScale.
 *
 * @param promptEmbedding p `[H]`, hidden state of the gating token. @returns g `[K]`.
 */
export function runGate(
  { layers, temperature, logitScale }: Gate,
  promptEmbedding: Float32Array,
): Float64Array {
  requireLength("runGate: prompt embedding", promptEmbedding, layers[0]!.inputs);
  let activation: Float64Array = Float64Array.from(promptEmbedding);
  for (const [i, layer] of layers.entries())
    activation = applyLayer(layer, activation, i < layers.length - 1);
  const logits = Array.from(activation, (logit) => logit / temperature);
  const largest = Math.max(...logits);
  const weights = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => (weight / sum) * logitScale);
}

function applyLayer({ weight, bias, outputs }: LinearLayer, x: Float64Array, relu: boolean): Float64Array {
  const y = multiply(weight, x, outputs);
  for (let o = 0; o < outputs; o++) y[o] = relu ? Math.max(0, y[o]! + bias[o]!) : y[o]! + bias[o]!;
  return y;
}

/** y = A · x for A `[rows, columns]`, four rows at a time: one sum alone would wait for each addition. */
function multiply(a: Float32Array, x: Float64Array, rows: number): Float64Array {
  const columns = x.length;
  const y = new Float64Array(rows);
  let row = 0;
  for (; row + 3 < rows; row += 4) {
    const from = row * columns;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let i = 0; i < columns; i++) {
      const value = x[i]!;
      s0 += a[from + i]! * value;
      s1 += a[from + columns + i]! * value;
      s2 += a[from + 2 * columns + i]! * value;
      s3 += a[from + 3 * columns + i]! * value;
    }
    y[row] = s0;
    y[row + 1] = s1;
    y[row + 2] = s2;
    y[row + 3] = s3;
  }
  for (; row < rows; row++) {
    for (let i = 0; i < columns; i++) y[row]! += a[row * columns + i]! * x[i]!;
  }
  return y;
}

function requireLength(what: string, values: ArrayLike<number>, length: number): void {
  if (values.length !== length)
    throw new TypeError(`${what} must have ${length} numbers, got ${values.length}`);
}

// The whole forward pass of the heads, without native parts: it runs wherever JavaScript does.
// K objectives, H hidden size. Sums are accumulated in f64.

import type { ByObjective, ComparedPair, Comparison, Score } from "../reward-model.ts";
import type { Gate, Heads, LinearLayer, Objective } from "./heads.ts";

/** A score and its parts, `[K]` each, in the order of the objectives. */
export interface ScoreParts {
  readonly score: number;
  readonly rewards: Float64Array;
  readonly adjustedRewards: Float64Array;
  readonly gatingOutput: Float64Array;
  readonly coefficients: Float64Array;
  readonly contributions: Float64Array;
}

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

  const rewards = new Float64Array(K);
  for (let k = 0; k < K; k++) rewards[k] = dot(W, k * H, embedding, H); // W · x

  const adjustedRewards = new Float64Array(K);
  const coefficients = new Float64Array(K);
  for (let j = 0; j < K; j++) {
    for (let k = 0; k < K; k++) {
      const t = T[j * K + k]!;
      adjustedRewards[k]! += rewards[j]! * t; // rewards @ T
      coefficients[j]! += gatingOutput[k]! * t; // g @ Tᵀ
    }
  }
  const contributions = coefficients.map((coefficient, k) => coefficient * rewards[k]!);
  const score = contributions.reduce((sum, contribution) => sum + contribution, 0);
  return { score, rewards, adjustedRewards, gatingOutput, coefficients, contributions };
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
  let activation: Float32Array | Float64Array = promptEmbedding;
  for (const [i, layer] of layers.entries())
    activation = applyLayer(layer, activation, i < layers.length - 1);
  const logits = Array.from(activation, (logit) => logit / temperature);
  const largest = Math.max(...logits);
  const weights = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => (weight / sum) * logitScale);
}

/** Parts as the object that users see: numbers by objective name, and shares. */
export function toScore(
  parts: ScoreParts,
  objectives: readonly Objective[],
  about: Pick<Score, "index" | "tokens" | "dtype" | "model">,
): Score {
  const byName = (values: Float64Array): ByObjective =>
    Object.fromEntries(objectives.map(({ name }, k) => [name, values[k]!]));
  const total = parts.contributions.reduce((sum, contribution) => sum + Math.abs(contribution), 0);
  return {
    index: about.index,
    score: parts.score,
    rewards: byName(parts.rewards),
    adjustedRewards: byName(parts.adjustedRewards),
    gatingOutput: byName(parts.gatingOutput),
    coefficients: byName(parts.coefficients),
    contributions: byName(parts.contributions),
    shares: byName(parts.contributions.map((c) => (total === 0 ? 0 : Math.abs(c) / total))),
    tokens: about.tokens,
    dtype: about.dtype,
    model: about.model,
  };
}

/**
 * Ranks scored responses to one prompt and splits their margins by objective.
 *
 * @param marginScale β of P(better ≻ worse) = σ(β · margin), or null: then there are no probabilities.
 */
export function compareScores(responses: readonly Score[], marginScale: number | null): Comparison {
  const ranking = responses
    .map((_, i) => i)
    .sort((a, b) => responses[b]!.score - responses[a]!.score || a - b);
  const neighbours = ranking.slice(1).map((worse, place) => pairOf(ranking[place]!, worse));
  const ends = ranking.length > 2 ? [pairOf(ranking[0]!, ranking.at(-1)!)] : [];
  return { responses, ranking, pairs: [...neighbours, ...ends] };

  function pairOf(better: number, worse: number): ComparedPair {
    const [a, b] = [responses[better]!, responses[worse]!];
    const contributions = Object.fromEntries(
      Object.entries(a.contributions).map(([name, value]) => [name, value - b.contributions[name]!]),
    );
    const margin = a.score - b.score;
    const probability = marginScale === null ? null : 1 / (1 + Math.exp(-marginScale * margin));
    return { better, worse, margin, probability, contributions };
  }
}

function applyLayer(
  { weight, bias, inputs, outputs }: LinearLayer,
  x: Float32Array | Float64Array,
  relu: boolean,
): Float64Array {
  const y = new Float64Array(outputs);
  for (let o = 0; o < outputs; o++) {
    const sum = dot(weight, o * inputs, x, inputs) + bias[o]!;
    y[o] = relu ? Math.max(0, sum) : sum;
  }
  return y;
}

/** Σ_i a[start + i] · x[i], in four running sums: one would wait for each addition. */
function dot(a: Float32Array, start: number, x: Float32Array | Float64Array, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < length; i += 4) {
    s0 += a[start + i]! * x[i]!;
    s1 += a[start + i + 1]! * x[i + 1]!;
    s2 += a[start + i + 2]! * x[i + 2]!;
    s3 += a[start + i + 3]! * x[i + 3]!;
  }
  for (; i < length; i++) s0 += a[start + i]! * x[i]!;
  return s0 + s1 + (s2 + s3);
}

function requireLength(what: string, values: ArrayLike<number>, length: number): void {
  if (values.length !== length)
    throw new TypeError(`${what} must have ${length} numbers, got ${values.length}`);
}

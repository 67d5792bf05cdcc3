// A score as numbers in the order of the objectives, and as the object that users see. K objectives.

import type { ByObjective, Objective, Score } from "../reward-model.ts";

/** A score and its parts, `[K]` each, in the order of the objectives. */
export interface ScoreParts {
  readonly score: number;
  readonly rewards: Float64Array;
  readonly adjustedRewards: Float64Array;
  readonly gatingOutput: Float64Array;
  readonly coefficients: Float64Array;
  readonly contributions: Float64Array;
  /** What the model says without steering; absent where it is not steered. */
  readonly unsteered?: Pick<ScoreParts, "score" | "contributions">;
}

/**
 * What a mixture makes of rewards: coefficients = g @ Tᵀ, contributions = coefficients · rewards, score = their sum.
 *
 * @param rewards `[K]`. @param gatingOutput g `[K]`. @param transform T `[K, K]`, rows first; null stands for the identity.
 */
export function weighRewards(
  rewards: Float64Array,
  gatingOutput: Float64Array,
  transform: ArrayLike<number> | null,
): Pick<ScoreParts, "score" | "coefficients" | "contributions"> {
  const K = rewards.length;
  const coefficients = transform ? new Float64Array(K) : gatingOutput.slice();
  if (transform) {
    for (let j = 0; j < K; j++)
      for (let k = 0; k < K; k++) coefficients[j]! += gatingOutput[k]! * transform[j * K + k]!; // g @ Tᵀ
  }
  const contributions = coefficients.map((coefficient, k) => coefficient * rewards[k]!);
  const score = contributions.reduce((sum, contribution) => sum + contribution, 0);
  return { score, coefficients, contributions };
}

/** Parts as the object that users see: numbers by objective name, ratings where an objective has a scale, and shares. */
export function toScore(
  parts: ScoreParts,
  objectives: readonly Objective[],
  about: Pick<Score, "index" | "tokens" | "dtype" | "model">,
): Score {
  const byName = (values: Float64Array): ByObjective =>
    Object.fromEntries(objectives.map(({ name }, k) => [name, values[k]!]));
  const { unsteered } = parts;
  const total = parts.contributions.reduce((sum, contribution) => sum + Math.abs(contribution), 0);
  return {
    index: about.index,
    score: parts.score,
    rewards: byName(parts.rewards),
    ratings: Object.fromEntries(
      objectives.flatMap(({ name, scale }, k) =>
        scale ? [[name, parts.rewards[k]! * scale.multiply + scale.add]] : [],
      ),
    ),
    adjustedRewards: byName(parts.adjustedRewards),
    gatingOutput: byName(parts.gatingOutput),
    coefficients: byName(parts.coefficients),
    contributions: byName(parts.contributions),
    shares: byName(parts.contributions.map((c) => (total === 0 ? 0 : Math.abs(c) / total))),
    tokens: about.tokens,
    dtype: about.dtype,
    model: about.model,
    ...(unsteered
      ? { unsteered: { score: unsteered.score, contributions: byName(unsteered.contributions) } }
      : {}),
  };
}

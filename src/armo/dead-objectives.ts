// Objectives that the model could do without. V pairs, K objectives.

import type { ObjectiveAccuracy } from "./objective-accuracy.ts";

/**
 * - `constant`: its debiased reward is the same for all responses; so are those of the objectives debiased against, by design.
 * - `low-weight`: its mean weight is below a tenth of an equal share for every source and every cluster of prompts.
 * - `no-flips`: no preference changes when its contribution is left out.
 */
export type DeathCause = "constant" | "low-weight" | "no-flips";

export interface DeadObjective {
  readonly name: string;
  /** At least one. */
  readonly causes: readonly DeathCause[];
  /** Its largest mean weight among sources and clusters. */
  readonly largestMeanWeight: number;
}

/** Of an equal share 1 / K. */
const LOW_WEIGHT = 0.1;
/** Spread of debiased rewards over that of raw ones: what rounding leaves of a constant. */
const CONSTANT = 1e-6;

export interface ObjectiveUse {
  readonly names: readonly string[];
  /** Mean weights `[K]` of every source and every cluster. */
  readonly meanWeights: readonly ArrayLike<number>[];
  /** Least and greatest reward per objective, before and after debiasing. */
  readonly spread: readonly { readonly raw: number; readonly adjusted: number }[];
  readonly accuracies: Readonly<Record<string, ObjectiveAccuracy>>;
}

/** In the order of the objectives. A model of one objective has none. */
export function deadObjectives({ names, meanWeights, spread, accuracies }: ObjectiveUse): DeadObjective[] {
  const K = names.length;
  if (K === 1) return [];
  return names.flatMap((name, k) => {
    const largestMeanWeight = Math.max(...meanWeights.map((weights) => weights[k]!));
    const { raw, adjusted } = spread[k]!;
    const causes: DeathCause[] = [];
    if (!(adjusted > CONSTANT * raw)) causes.push("constant");
    if (largestMeanWeight < LOW_WEIGHT / K) causes.push("low-weight");
    if (accuracies[name]!.flips === 0) causes.push("no-flips");
    return causes.length === 0 ? [] : [{ name, causes, largestMeanWeight }];
  });
}

const EXPLANATIONS: Readonly<Record<DeathCause, string>> = {
  constant: "debiasing leaves nothing of it",
  "low-weight": "the gate hardly weighs it anywhere",
  "no-flips": "no preference changes without it",
};

/** A cause, for people. */
export const explainDeath = (cause: DeathCause): string => EXPLANATIONS[cause];

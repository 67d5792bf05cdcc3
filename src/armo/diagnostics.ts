// What a trained model does on validation pairs, beyond its accuracy. V pairs, K objectives.

import { type DeadObjective, deadObjectives } from "./dead-objectives.ts";
import {
  type FixedWeights,
  type FixedWeightsEffect,
  fixedWeightsEffect,
  type GateWarning,
  gateWarnings,
} from "./gate-effect.ts";
import { type GateEntropy, gateEntropy, meanOfRows } from "./gate-entropy.ts";
import type { Heads } from "./heads.ts";
import { type LengthCorrelations, lengthCorrelations } from "./length-correlations.ts";
import { type ObjectiveAccuracy, objectiveAccuracies } from "./objective-accuracy.ts";
import { type ClusteredPairs, describeClusters, type PromptClusters } from "./prompt-clusters.ts";
import type { SeedSensitivity } from "./seed-sensitivity.ts";
import type { PairRewards } from "./training-pairs.ts";

/** Figures of the validation pairs. docs/diagnostics.md says what each means and what to do about it. */
export interface TrainingDiagnostics {
  readonly gate: {
    readonly entropy: GateEntropy;
    /** What weights do that are the same for all prompts: nothing else than the gate, where it does nothing. */
    readonly fixed: Readonly<Record<FixedWeights, FixedWeightsEffect>>;
    readonly warnings: readonly GateWarning[];
  };
  readonly clusters: PromptClusters;
  /** Every objective alone, and the score without it. */
  readonly objectives: Readonly<Record<string, ObjectiveAccuracy>>;
  readonly dead: readonly DeadObjective[];
  /** Null where the length of a response is not known. */
  readonly length: LengthCorrelations | null;
  /** Null where no further seeds were asked for. */
  readonly seeds: SeedSensitivity | null;
}

export interface DiagnosedPairs extends Omit<ClusteredPairs, "names" | "logitScale"> {
  readonly rewards: PairRewards;
  /** Adjusted rewards `[V, K]`, chosen − rejected. */
  readonly differences: Float64Array;
  /** `[V]` */
  readonly margins: readonly number[];
}

/** @param pairs At least one. */
export async function diagnose(
  { objectives, transform, gate: { logitScale } }: Pick<Heads, "objectives" | "transform" | "gate">,
  pairs: DiagnosedPairs,
): Promise<Omit<TrainingDiagnostics, "seeds">> {
  const { weights, differences, margins, named, rewards, groupOf } = pairs;
  const names = objectives.map(({ name }) => name);
  const K = names.length;
  const groups = named.map(groupOf);
  const meanWeights = meanOfRows(weights, K);
  const gatingOutput = weights.map((weight) => weight * logitScale); // [V, K]
  const { clusters, meanWeights: clusterWeights } = await describeClusters({ ...pairs, names, logitScale });
  const accuracies = objectiveAccuracies({
    names,
    margins,
    ...decompose(rewards, named, transform, gatingOutput, K),
    lengthDifferences: named.map((row) => rewards.tokens[2 * row]! - rewards.tokens[2 * row + 1]!),
  });
  const sourceWeights = [...new Set(groups)].map((group) =>
    meanOfRows(
      groups.flatMap((name, n) => (name === group ? [...weights.subarray(n * K, (n + 1) * K)] : [])),
      K,
    ),
  );
  return {
    gate: {
      entropy: gateEntropy(weights, groups, meanWeights),
      fixed: {
        "mean weights": fixedWeightsEffect(
          margins,
          differences,
          meanWeights.map((weight) => weight * logitScale),
        ),
        "uniform gate": fixedWeightsEffect(margins, differences, new Float64Array(K).fill(1 / K)),
      },
      warnings: gateWarnings(weights, meanWeights, names),
    },
    clusters,
    objectives: accuracies,
    dead: deadObjectives({
      names,
      meanWeights: [...sourceWeights, ...clusterWeights],
      spread: spreads(rewards, named, transform, K),
      accuracies,
    }),
    length: lengthCorrelations({ names, rewards, transform, named, gatingOutput }),
  };
}

/** What each raw reward adds to the margins: coefficients = g @ Tᵀ. */
function decompose(
  { chosen, rejected }: PairRewards,
  named: readonly number[],
  T: ArrayLike<number>,
  gatingOutput: Float32Array,
  K: number,
) {
  const rewardDifferences = new Float64Array(named.length * K);
  const contributions = new Float64Array(named.length * K);
  for (const [n, row] of named.entries()) {
    for (let j = 0; j < K; j++) {
      const difference = chosen[row * K + j]! - rejected[row * K + j]!;
      let coefficient = 0;
      for (let k = 0; k < K; k++) coefficient += gatingOutput[n * K + k]! * T[j * K + k]!;
      rewardDifferences[n * K + j] = difference;
      contributions[n * K + j] = coefficient * difference;
    }
  }
  return { rewardDifferences, contributions };
}

/** Greatest − least reward of each objective over the responses, before and after debiasing. */
function spreads(
  { chosen, rejected }: PairRewards,
  named: readonly number[],
  T: ArrayLike<number>,
  K: number,
): { raw: number; adjusted: number }[] {
  return Array.from({ length: K }, (_, k) => {
    const [raw, adjusted] = [createRange(), createRange()];
    for (const row of named) {
      for (const rewards of [chosen, rejected]) {
        raw.add(rewards[row * K + k]!);
        let sum = 0;
        for (let j = 0; j < K; j++) sum += rewards[row * K + j]! * T[j * K + k]!;
        adjusted.add(sum);
      }
    }
    return { raw: raw.width, adjusted: adjusted.width };
  });
}

function createRange() {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  return {
    add(value: number): void {
      low = Math.min(low, value);
      high = Math.max(high, value);
    },
    get width() {
      return high - low;
    },
  };
}

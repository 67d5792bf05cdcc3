// How much a result owes to the seed: the gate trained again with other initial weights and batches, on the same pairs.

import type { ByObjective } from "../reward-model.ts";
import { gateWeights } from "./gate-batches.ts";
import { meanOfRows } from "./gate-entropy.ts";
import type { TrainedGate } from "./gating-training.ts";
import type { Heads } from "./heads.ts";
import { type MeanAndDeviation, meanAndDeviation } from "./mean-and-deviation.ts";
import { marginsOf, type ValidationPairs, validationDifferences } from "./validation.ts";

/** What one seed came to, on the validation pairs. */
export interface SeedRun {
  readonly seed: number;
  readonly accuracy: number;
  readonly loss: number;
  /** Updates that its gate has seen. */
  readonly bestStep: number;
  /** Mean of the gate's softmax by objective. */
  readonly weights: ByObjective;
}

export interface SeedSensitivity {
  /** The seed that was asked for first: its gate is the one that is kept. */
  readonly runs: readonly SeedRun[];
  readonly accuracy: MeanAndDeviation;
  readonly loss: MeanAndDeviation;
  /** Share of validation pairs in which two of the gates prefer the same response, mean over all twos. */
  readonly agreement: number;
  /** Standard deviation of the mean weights over seeds, by objective. */
  readonly weightDeviations: ByObjective;
}

/** A gate as far as it is compared. */
export interface SeedOutcome extends SeedRun {
  /** `[V]` of the validation pairs. */
  readonly margins: ArrayLike<number>;
}

/** @param outcomes At least two. */
export function compareSeeds(outcomes: readonly SeedOutcome[]): SeedSensitivity {
  let [agreeing, compared] = [0, 0];
  for (const [i, { margins: a }] of outcomes.entries()) {
    for (const { margins: b } of outcomes.slice(i + 1)) {
      for (let n = 0; n < a.length; n++) if (Math.sign(a[n]!) === Math.sign(b[n]!)) agreeing++;
      compared += a.length;
    }
  }
  const deviationOf = (name: string) =>
    meanAndDeviation(outcomes.map(({ weights }) => weights[name]!)).standardDeviation;
  return {
    runs: outcomes.map(({ margins: _, ...run }) => run),
    accuracy: meanAndDeviation(outcomes.map(({ accuracy }) => accuracy)),
    loss: meanAndDeviation(outcomes.map(({ loss }) => loss)),
    agreement: agreeing / compared,
    weightDeviations: Object.fromEntries(
      Object.keys(outcomes[0]!.weights).map((name) => [name, deviationOf(name)]),
    ),
  };
}

export interface SeedTraining {
  /** The gate that is kept, and its seed. */
  readonly seed: number;
  readonly trained: TrainedGate;
  /** Gates to train beside it: with the next seeds. */
  readonly further: number;
  /** Trains on the same pairs with the same split. */
  readonly train: (seed: number, place: number) => Promise<TrainedGate>;
}

/** Trains further gates, which are compared and not kept. Cost: `further` trainings. @param pairs At least one. */
export async function measureSeeds(
  heads: Heads,
  pairs: ValidationPairs,
  { seed, trained, further, train }: SeedTraining,
): Promise<SeedSensitivity> {
  const names = heads.objectives.map(({ name }) => name);
  const differences = validationDifferences(heads, pairs);
  const outcomeOf = async (of: number, { gate, history }: TrainedGate): Promise<SeedOutcome> => {
    const weights = await gateWeights(gate, pairs.prompts, pairs.named);
    const means = meanOfRows(weights, names.length);
    return {
      seed: of,
      accuracy: history.validationAccuracy!,
      loss: history.validationLoss!,
      bestStep: history.bestStep,
      weights: Object.fromEntries(names.map((name, k) => [name, means[k]!])),
      margins: marginsOf(weights, differences, gate.logitScale, names.length),
    };
  };
  const outcomes = [await outcomeOf(seed, trained)];
  for (let i = 0; i < further; i++) {
    const next = seed + 1 + i;
    outcomes.push(await outcomeOf(next, await train(next, i)));
  }
  return compareSeeds(outcomes);
}

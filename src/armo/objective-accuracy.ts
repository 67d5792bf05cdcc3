// What single objectives do for preferences. N pairs, K objectives.

import { spearman } from "./spearman.ts";

/** What one objective does for the accuracy. */
export interface ObjectiveAccuracy {
  /** Of the objective's own reward, before debiasing. */
  readonly alone: number;
  /** Of the score without its contribution; NaN for a model of one objective. */
  readonly without: number;
  /** Share of pairs whose preferred response is another one without its contribution; NaN for a model of one objective. */
  readonly flips: number;
  /** Mean contribution to the margin; they sum to the mean margin. */
  readonly meanContribution: number;
  /** Spearman's correlation of its reward difference with the length difference; NaN where a length is not known. */
  readonly lengthCorrelation: number;
}

/** Preference pairs, chosen − rejected throughout. */
export interface DecomposedPairs {
  /** Of the K objectives. */
  readonly names: readonly string[];
  /** `[N]`, at least one. */
  readonly margins: ArrayLike<number>;
  /** `[N, K]`: coefficient · reward difference; a pair's sum to its margin. */
  readonly contributions: ArrayLike<number>;
  /** `[N, K]`, before debiasing. */
  readonly rewardDifferences: ArrayLike<number>;
  /** `[N]` in tokens, NaN where one is not known. */
  readonly lengthDifferences: ArrayLike<number>;
}

/**
 * Every objective alone, and the score without it. Nothing is trained again: its contribution is left out of each margin. A tie
 * counts as wrong.
 */
export function objectiveAccuracies(pairs: DecomposedPairs): Record<string, ObjectiveAccuracy> {
  const { names, margins, contributions, rewardDifferences, lengthDifferences } = pairs;
  const [N, K] = [margins.length, names.length];
  return Object.fromEntries(
    names.map((name, k) => {
      let [alone, without, flips, sum] = [0, 0, 0, 0];
      for (let n = 0; n < N; n++) {
        const contribution = contributions[n * K + k]!;
        // Summed anew: margin − contribution would leave rounding where the others are 0.
        let rest = 0;
        for (let j = 0; j < K; j++) if (j !== k) rest += contributions[n * K + j]!;
        if (rewardDifferences[n * K + k]! > 0) alone++;
        if (rest > 0) without++;
        if (rest > 0 !== margins[n]! > 0) flips++;
        sum += contribution;
      }
      const rewards = Float64Array.from({ length: N }, (_, n) => rewardDifferences[n * K + k]!);
      const figures: ObjectiveAccuracy = {
        alone: alone / N,
        without: K === 1 ? Number.NaN : without / N,
        flips: K === 1 ? Number.NaN : flips / N,
        meanContribution: sum / N,
        lengthCorrelation: spearman(rewards, lengthDifferences),
      };
      return [name, figures];
    }),
  );
}

/*
 * The reward transform: rewards made independent of what nobody wants to be rewarded, length for one.
 *
 *   N  rows of the reference distribution
 *   K  objectives
 *   V  target objectives, against which the others are debiased
 *   λ  [V, K] penalties:  r′_k = r_k − Σ_v λ_vk · r_v
 */

import { pearson } from "./pearson.ts";
import { solvePearson } from "./pearson-penalties.ts";
import {
  type DebiasStatus,
  type ObjectiveFit,
  openTarget,
  searchGrid,
  solveRoots,
  type Target,
} from "./penalties.ts";
import { compareRanks, openRankSorter } from "./ranks.ts";

export type { DebiasStatus } from "./penalties.ts";

export type Correlation = "spearman" | "pearson";

export interface RewardTransformOptions {
  /** K. */
  readonly numObjectives: number;
  /** Indices of the objectives to debias against; none gives the identity. */
  readonly targets: readonly number[];
  /**
   * `root` finds the penalty at which the correlation is zero. `grid` repeats the reference code: the first penalty of
   * its grid whose correlation is ≤ threshold, for one target. Default `root`.
   */
  readonly method?: "root" | "grid";
  /**
   * The correlation that is brought to zero. `pearson` has a closed form; `grid` goes with `spearman` alone. Default
   * `spearman`, as in the paper.
   */
  readonly correlation?: Correlation;
  /** Largest correlation that counts as debiased, in (0, 1). Default 0.03. */
  readonly threshold?: number;
  /** Allow negative penalties, which reward what correlates negatively with a target. `root` only. Default false. */
  readonly signed?: boolean;
}

/** What a training run may choose of it. */
export type DebiasingOptions = Pick<
  RewardTransformOptions,
  "method" | "correlation" | "threshold" | "signed"
>;

/** The same with the defaults filled in. */
export const resolveDebiasing = ({
  method = "root",
  correlation = "spearman",
  threshold = 0.03,
  signed = false,
}: DebiasingOptions = {}): Required<DebiasingOptions> => ({ method, correlation, threshold, signed });

export interface RewardTransform {
  /** T `[K, K]`: adjusted rewards = rewards @ T. The identity less the penalties in the targets' rows. */
  readonly transform: Float64Array;
  /** λ `[V, K]`, a row per target; 1 for a target itself. */
  readonly penalties: Float64Array;
  /** Correlation of every objective with every target `[V, K]`, before debiasing. */
  readonly correlationsBefore: Float64Array;
  /** The same at the chosen penalties, or, where the status names a failure, the best that was reached. */
  readonly correlationsAfter: Float64Array;
  readonly status: DebiasStatus[];
}

/**
 * Finds the penalties that take the targets out of every other objective's rewards.
 *
 * λ is such that Spearman(r_k − λ·r_v, r_v) = 0. This is a step function of λ that never increases; the step across zero is
 * located to 2e-7 of the ratio of standard deviations. With several targets λ_1k … λ_Vk are found in turn until none moves.
 * With `pearson`, λ solves the linear system of covariances, for all targets at once.
 * An objective without a solution keeps its rewards (penalty 0) under `root`; under `grid` it gets 1, as in the reference.
 * Both are named in `status`.
 *
 * @param rewards `[N, K]` in row-major order, over the distribution that penalties are to hold for.
 * @returns The transform, its penalties and correlations; entries of a target with itself are 1.
 * @throws {TypeError} where `rewards` is no multiple of K. @throws {RangeError} where a target or option is out of range.
 *
 * Cost: about seven sorts of N values per objective and target; with `pearson`, N·V² multiply-adds per objective.
 * Source: arXiv:2406.12845 eq. 3; reference stage-2_train.py. Differs: two-sided, exact, failures are named.
 *
 * @example
 * fitRewardTransform(rewards, { numObjectives: 19, targets: [4] }).penalties;
 */
export function fitRewardTransform(
  rewards: ArrayLike<number>,
  options: RewardTransformOptions,
): RewardTransform {
  const { numObjectives: K, targets } = options;
  const { method, correlation, threshold, signed } = resolveDebiasing(options);
  requireOptions(rewards, options, threshold);
  const N = rewards.length / K;
  const columns = Array.from({ length: K }, (_, k) =>
    Float64Array.from({ length: N }, (_, n) => rewards[n * K + k]!),
  );
  const sorter = openRankSorter(N);
  const finite = columns.map((column) => column.every(Number.isFinite));
  const sides = targets.map((v) => openTarget(columns[v]!, finite[v]!, sorter));

  const result: RewardTransform = {
    transform: new Float64Array(K * K),
    penalties: new Float64Array(targets.length * K),
    correlationsBefore: new Float64Array(targets.length * K).fill(Number.NaN),
    correlationsAfter: new Float64Array(targets.length * K).fill(Number.NaN),
    status: [],
  };
  for (let k = 0; k < K; k++) {
    const fit = fitObjective(k);
    result.status.push(fit.status);
    if (!targets.includes(k)) result.transform[k * K + k] = 1;
    targets.forEach((v, i) => {
      result.penalties[i * K + k] = fit.penalties[i]!;
      result.correlationsBefore[i * K + k] = fit.before[i]!;
      result.correlationsAfter[i * K + k] = fit.after[i]!;
      if (v !== k && !targets.includes(k)) result.transform[v * K + k] = -fit.penalties[i]!;
    });
  }
  return result;

  function correlate(column: Float64Array, side: Target): number {
    return correlation === "pearson"
      ? pearson(column, side.values)
      : compareRanks(column, side.ranks, sorter).correlation;
  }

  function fitObjective(k: number): ObjectiveFit {
    const column = columns[k]!;
    if (targets.includes(k)) {
      const own = targets.map((v) => (v === k ? 1 : 0));
      const before = sides.map((side, i) =>
        targets[i] === k ? 1 : finite[k] && side.usable ? correlate(column, side) : Number.NaN,
      );
      return { status: "target", penalties: own, before, after: before };
    }
    const failed = method === "grid" ? 1 : 0;
    const reason = !finite[k] ? "not-finite" : sides.some((side) => !side.usable) ? "constant-target" : null;
    if (reason) {
      const nothing = targets.map(() => Number.NaN);
      return { status: reason, penalties: targets.map(() => failed), before: nothing, after: nothing };
    }
    if (correlation === "pearson") {
      return solvePearson(
        column,
        sides.map(({ values }) => values),
        { threshold, signed },
      );
    }
    return method === "grid"
      ? searchGrid(column, sides, threshold, sorter)
      : solveRoots(column, sides, { threshold, signed }, sorter);
  }
}

function requireOptions(
  rewards: ArrayLike<number>,
  options: RewardTransformOptions,
  threshold: number,
): void {
  const { numObjectives: K, targets, method } = options;
  if (!Number.isInteger(K) || K < 1) {
    throw new RangeError(`fitRewardTransform: numObjectives must be a positive integer, got ${K}`);
  }
  if (rewards.length % K !== 0) {
    throw new TypeError(`fitRewardTransform: rewards must be [N, ${K}], got ${rewards.length} values`);
  }
  for (const target of targets) {
    if (!Number.isInteger(target) || target < 0 || target >= K) {
      throw new RangeError(`fitRewardTransform: targets must be in [0, ${K}), got ${target}`);
    }
  }
  if (new Set(targets).size !== targets.length) {
    throw new RangeError(
      `fitRewardTransform: targets must differ from each other, got ${targets.join(", ")}`,
    );
  }
  if (method === "grid" && targets.length > 1) {
    throw new RangeError(`fitRewardTransform: grid takes one target, got ${targets.length}; use root`);
  }
  if (method === "grid" && options.correlation === "pearson") {
    throw new RangeError("fitRewardTransform: grid goes with spearman, got pearson; use root");
  }
  if (!(threshold > 0 && threshold < 1)) {
    throw new RangeError(`fitRewardTransform: threshold must be in (0, 1), got ${threshold}`);
  }
}

/*
 * The penalties of one objective against the targets.
 *
 *   N  rows of the reference distribution
 *   V  targets
 *   λ  [V] penalties:  r′ = r − Σ_v λ_v · r_v
 */

import {
  type CentredRanks,
  centredRanks,
  compareRanks,
  openRankSorter,
  type RankAgreement,
  type RankSorter,
} from "./ranks.ts";
import { locateSignChange } from "./sign-change.ts";

/** Penalties that the reference code tries, in its order. */
const REFERENCE_GRID: readonly number[] = [
  0, 0.01, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7,
  0.75, 0.8, 0.85, 0.9, 0.95,
];

/**
 * What became of one objective.
 *
 * - `ok`: the correlation is zero as nearly as ranks allow, or it is not positive and so needs no penalty.
 * - `target`: debiased against itself, so its adjusted reward is zero.
 * - `constant`: the rewards do not vary, a correlation has no meaning.
 * - `constant-target`: a target does not vary.
 * - `not-finite`: NaN or Infinity among the rewards.
 * - `jump`: the correlation jumps over zero, as for a copy of the target; no penalty comes within the threshold.
 * - `no-joint-solution`: no penalties found that satisfy all targets at once.
 * - `not-reached`: no penalty of the grid brings the correlation down to the threshold.
 */
export type DebiasStatus =
  | "ok"
  | "target"
  | "constant"
  | "constant-target"
  | "not-finite"
  | "jump"
  | "no-joint-solution"
  | "not-reached";

/** A target objective `[N]` and what every objective needs to know of it. */
export interface Target {
  readonly values: Float64Array;
  readonly ranks: CentredRanks;
  readonly deviation: number;
  /** Finite and not constant. */
  readonly usable: boolean;
}

export interface ObjectiveFit {
  readonly status: DebiasStatus;
  /** One entry per target, as in the other two. */
  readonly penalties: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Ranks a target `[N]` once for all objectives. */
export function openTarget(values: Float64Array, finite: boolean, sorter: RankSorter): Target {
  const ranks = finite ? centredRanks(values, sorter) : { doubled: new Int32Array(0), sumOfSquares: 0 };
  return { values, ranks, deviation: standardDeviation(values), usable: ranks.sumOfSquares > 0 };
}

/**
 * The first penalty of the grid at which the correlation is ≤ threshold.
 *
 * The rank covariance never increases with λ and is never above a positive correlation, so the last grid point where it
 * exceeds the threshold, found by bisection, proves that all points before it fail too.
 */
export function searchGrid(
  column: Float64Array,
  sides: readonly Target[],
  threshold: number,
  sorter: RankSorter,
): ObjectiveFit {
  const grid = REFERENCE_GRID;
  const [side] = sides;
  if (side === undefined) return { status: "ok", penalties: [], before: [], after: [] };
  const adjusted = new Float64Array(column.length);
  const known = grid.map(() => undefined as RankAgreement | undefined);
  const at = (index: number) => {
    known[index] ??= compareRanks(subtract(column, grid[index]!, side.values, adjusted), side.ranks, sorter);
    return known[index];
  };
  const before = [at(0).correlation];
  let first = 0;
  for (let end = grid.length; first < end; ) {
    const middle = (first + end) >> 1;
    if (at(middle).covariance > threshold) first = middle + 1;
    else end = middle;
  }
  for (let index = first; index < grid.length; index++) {
    const { correlation } = at(index);
    if (correlation <= threshold) {
      return { status: "ok", penalties: [grid[index]!], before, after: [correlation] };
    }
  }
  const status = Number.isNaN(before[0]) ? "constant" : "not-reached";
  const last = at(grid.length - 1);
  // Where nothing ties at the last penalty, its covariance, the smallest of all, is its correlation.
  if (last.correlation === last.covariance)
    return { status, penalties: [1], before, after: [last.correlation] };
  const correlations = grid.map((_, index) => at(index).correlation);
  const best = correlations.reduce((least, value) => (value < least || Number.isNaN(least) ? value : least));
  return { status, penalties: [1], before, after: [best] };
}

/** Sweeps over the targets with several of them; one is solved at once. */
const MAX_SWEEPS = 200;
/** Width of the bracket around a root, relative to the ratio of standard deviations. */
const ROOT_TOLERANCE = 2e-7;
/** A sweep that moves no penalty further than this, on the same scale, ends the search. */
const SWEEP_TOLERANCE = 2 * ROOT_TOLERANCE;

/**
 * The penalties at which no target has a rank correlation with the objective, each found with the others held fixed, in
 * turn, until none moves.
 */
export function solveRoots(
  column: Float64Array,
  sides: readonly Target[],
  { threshold, signed }: { threshold: number; signed: boolean },
  sorter: RankSorter,
): ObjectiveFit {
  const spread = standardDeviation(column);
  const agreements = (values: Float64Array) => sides.map((side) => compareRanks(values, side.ranks, sorter));
  const untouched = agreements(column);
  const before = untouched.map(({ correlation }) => correlation);
  const zeros = sides.map(() => 0);
  if (before.some(Number.isNaN)) return { status: "constant", penalties: zeros, before, after: before };

  const penalties = [...zeros];
  let after: number[] = [];
  if (sides.length === 1) {
    const scale = spread / sides[0]!.deviation;
    const root = solveRoot(column, sides[0]!, { scale, signed, near: null, atZero: untouched[0]! }, sorter);
    penalties[0] = root.penalty;
    after = [root.correlation];
  } else {
    const rest = new Float64Array(column.length);
    for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
      let moved = 0;
      sides.forEach((side, i) => {
        adjust(column, sides, penalties.with(i, 0), rest);
        const scale = spread / side.deviation;
        const near = sweep === 0 ? null : penalties[i]!;
        const { penalty } = solveRoot(rest, side, { scale, signed, near }, sorter);
        moved = Math.max(moved, Math.abs(penalty - penalties[i]!) / scale);
        penalties[i] = penalty;
      });
      if (moved <= SWEEP_TOLERANCE) break;
    }
    after = agreements(adjust(column, sides, penalties, rest)).map(({ correlation }) => correlation);
  }
  const solved = after.every(
    (value, i) => Math.abs(value) <= threshold || (!signed && penalties[i] === 0 && value < 0),
  );
  if (solved) return { status: "ok", penalties, before, after };
  return { status: sides.length === 1 ? "jump" : "no-joint-solution", penalties: zeros, before, after };
}

/** Rows that the first guess is made from. */
const SAMPLE_ROWS = 4096;

/** The λ at which `values − λ·target` has no rank correlation with the target, and the correlation there. */
function solveRoot(
  values: Float64Array,
  side: Target,
  options: { scale: number; signed: boolean; near: number | null; atZero?: RankAgreement },
  sorter: RankSorter,
): { penalty: number; correlation: number } {
  const { scale, signed, near, atZero } = options;
  const adjusted = new Float64Array(values.length);
  const known = new Map<number, RankAgreement>();
  if (atZero) known.set(0, atZero);
  const agreement = (penalty: number): RankAgreement => {
    const found =
      known.get(penalty) ??
      compareRanks(subtract(values, penalty, side.values, adjusted), side.ranks, sorter);
    known.set(penalty, found);
    return found;
  };
  const result = (penalty: number) => ({ penalty, correlation: agreement(penalty).correlation });
  const f = (penalty: number) => agreement(penalty).covariance;
  if (!signed && f(0) <= 0) return result(0);
  const guess = near === null ? guessFromSample(values, side, scale) : { start: near, step: 1e-4 * scale };
  const found = locateSignChange(f, { ...guess, tolerance: ROOT_TOLERANCE * scale });
  if (found === null) return result(0);
  const [low, high] = [result(signed ? found.low : Math.max(0, found.low)), result(found.high)];
  return Math.abs(high.correlation) < Math.abs(low.correlation) ? high : low;
}

/** Root and slope over every so many rows: a start from which the whole set needs few evaluations. */
function guessFromSample(
  values: Float64Array,
  side: Target,
  scale: number,
): { start: number; step: number; slope?: number } {
  const stride = Math.floor(values.length / SAMPLE_ROWS);
  const wide = { start: 0, step: 0.5 * scale };
  if (stride < 4) return wide;
  const rows = Math.floor(values.length / stride);
  const every = (from: Float64Array) => Float64Array.from({ length: rows }, (_, i) => from[i * stride]!);
  const sample = every(values);
  const target = every(side.values);
  const sorter = openRankSorter(rows);
  const ranks = centredRanks(target, sorter);
  if (ranks.sumOfSquares === 0) return wide;
  const adjusted = new Float64Array(rows);
  const f = (penalty: number) =>
    compareRanks(subtract(sample, penalty, target, adjusted), ranks, sorter).covariance;
  const found = locateSignChange(f, { ...wide, tolerance: 0.02 * scale });
  if (found === null) return wide;
  const start = (found.low + found.high) / 2;
  return { start, step: 0.05 * scale, ...(found.slope < 0 ? { slope: found.slope } : {}) };
}

/** out = values − λ·target. */
function subtract(
  values: Float64Array,
  penalty: number,
  target: Float64Array,
  out: Float64Array,
): Float64Array {
  for (let n = 0; n < out.length; n++) out[n] = values[n]! - penalty * target[n]!;
  return out;
}

/** out = values − Σ λ_v·target_v. */
function adjust(
  values: Float64Array,
  sides: readonly Target[],
  penalties: readonly number[],
  out: Float64Array,
): Float64Array {
  out.set(values);
  sides.forEach((side, i) => {
    if (penalties[i] !== 0) subtract(out, penalties[i]!, side.values, out);
  });
  return out;
}

function standardDeviation(values: Float64Array): number {
  let mean = 0;
  for (const value of values) mean += value / values.length;
  let sum = 0;
  for (const value of values) sum += (value - mean) ** 2;
  return Math.sqrt(sum / values.length);
}

import { centredRanks, compareRanks, openRankSorter } from "./ranks.ts";

/**
 * Spearman's rank correlation: Pearson's correlation of midranks.
 *
 * Equal values share the mean of the positions they occupy. ±Infinity rank as the largest and smallest values,
 * −0 equals 0.
 *
 * @param a Values `[N]`.
 * @param b Values `[N]`.
 * @returns A number in [−1, 1]; NaN where a side has no rank variance (all equal, or fewer than two values) or holds a NaN.
 * @throws {TypeError} where the lengths differ.
 *
 * Cost: two sorts. Source: `scipy.stats.spearmanr`, whose value it equals within 1e-12.
 *
 * @example
 * spearman([1, 2, 3, 4], [10, 20, 40, 30]); // 0.8
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) {
    throw new TypeError(`spearman: both sides must have one length, got ${a.length} and ${b.length}`);
  }
  if (hasNaN(a) || hasNaN(b)) return Number.NaN;
  const sorter = openRankSorter(a.length);
  const ranks = centredRanks(Float64Array.from(b), sorter);
  const { correlation } = compareRanks(Float64Array.from(a), ranks, sorter);
  return Math.min(1, Math.max(-1, correlation)); // rounding may pass 1 by a last bit; NaN stays NaN
}

function hasNaN(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return true;
  return false;
}

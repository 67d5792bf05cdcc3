/*
 * Penalties against Pearson's correlation, in closed form.
 *
 *   N  rows of the reference distribution
 *   V  targets
 *   λ  [V] penalties:  r′ = r − Σ_v λ_v · r_v
 *
 * No target is correlated with r′ where C·λ = c, C the targets' covariances and c those of the objective with them. With λ ≥ 0 a
 * correlation may stay below zero, its penalty then being 0: the conditions for the least ‖r′‖² over λ ≥ 0.
 */

import { centre, dot } from "./pearson.ts";
import type { ObjectiveFit } from "./penalties.ts";

/** A target whose share in the others' span leaves less than this of its variance adds nothing to them. */
const DEPENDENT = 1e-12;
/** What is left of an objective that is made of the targets, relative to its variance. */
const NOTHING_LEFT = 1e-20;

/**
 * The penalties at which no target is correlated with the objective; exact up to rounding.
 *
 * Of targets that are linear combinations of each other, the first are used and the others get 0.
 *
 * @param column `[N]`, finite. @param targets `[N]` each, finite, not constant.
 *
 * Cost: N·V² multiply-adds, and V³ for every step of the search for λ ≥ 0, of which there are about V.
 * Source: the search is Lawson and Hanson, Solving Least Squares Problems (1974), chapter 23.
 */
export function solvePearson(
  column: Float64Array,
  targets: readonly Float64Array[],
  { threshold, signed }: { threshold: number; signed: boolean },
): ObjectiveFit {
  const r = centre(column);
  const x = targets.map(centre);
  const zeros = targets.map(() => 0);
  const variance = dot(r, r);
  const norms = x.map((target) => Math.sqrt(dot(target, target)));
  const correlate = (values: Float64Array) => {
    const norm = Math.sqrt(dot(values, values));
    return x.map((target, v) => Math.min(1, Math.max(-1, dot(values, target) / norm / norms[v]!)));
  };
  const before = correlate(r);
  if (variance === 0) return { status: "constant", penalties: zeros, before, after: before };

  // Targets of unit norm: C holds correlations, and λ is scaled back at the end.
  const C = x.map((a, i) => x.map((b, j) => dot(a, b) / norms[i]! / norms[j]!));
  const c = x.map((target, v) => dot(target, r) / norms[v]!);
  const scaled = signed ? solveSubset(C, c, [...C.keys()]) : solveNonNegative(C, c, Math.sqrt(variance));
  const penalties = scaled.map((value, v) => value / norms[v]!);

  const rest = r.slice();
  for (const [v, target] of x.entries()) {
    for (let n = 0; n < rest.length; n++) rest[n]! -= penalties[v]! * target[n]!;
  }
  if (dot(rest, rest) > NOTHING_LEFT * variance) {
    const after = correlate(rest);
    const solved = after.every(
      (value, v) => Math.abs(value) <= threshold || (!signed && penalties[v] === 0 && value < 0),
    );
    if (solved) return { status: "ok", penalties, before, after };
  }
  return {
    status: targets.length === 1 ? "jump" : "no-joint-solution",
    penalties: zeros,
    before,
    after: before,
  };
}

/** C·λ = c over a subset of the targets, 0 for the others and for those that depend on earlier ones. By Cholesky. */
function solveSubset(
  C: readonly (readonly number[])[],
  c: readonly number[],
  subset: readonly number[],
): number[] {
  const rows: { target: number; factor: number[]; right: number }[] = [];
  for (const target of subset) {
    const factor: number[] = [];
    for (const other of rows) {
      let entry = C[target]![other.target]!;
      for (let k = 0; k < factor.length; k++) entry -= factor[k]! * other.factor[k]!;
      factor.push(entry / other.factor[factor.length]!);
    }
    const pivot = C[target]![target]! - factor.reduce((sum, entry) => sum + entry * entry, 0);
    if (!(pivot > DEPENDENT)) continue;
    const right = c[target]! - factor.reduce((sum, entry, k) => sum + entry * rows[k]!.right, 0);
    factor.push(Math.sqrt(pivot));
    rows.push({ target, factor, right: right / Math.sqrt(pivot) });
  }
  const solution = C.map(() => 0);
  for (let i = rows.length - 1; i >= 0; i--) {
    let rest = rows[i]!.right;
    for (let j = i + 1; j < rows.length; j++) rest -= rows[j]!.factor[i]! * solution[rows[j]!.target]!;
    solution[rows[i]!.target] = rest / rows[i]!.factor[i]!;
  }
  return solution;
}

/** λ ≥ 0 with C·λ ≥ c, and equality where λ > 0. `scale`: the objective's norm. */
function solveNonNegative(C: readonly (readonly number[])[], c: readonly number[], scale: number): number[] {
  const V = c.length;
  let solution = c.map(() => 0);
  const used = new Set<number>();
  const gradient = (v: number) => c[v]! - C[v]!.reduce((sum, entry, j) => sum + entry * solution[j]!, 0);
  for (let step = 0; step < 3 * V; step++) {
    const idle = [...C.keys()].filter((v) => !used.has(v));
    const entering = idle.reduce<number | null>(
      (best, v) => (best === null || gradient(v) > gradient(best) ? v : best),
      null,
    );
    if (entering === null || gradient(entering) <= 1e-13 * scale) break;
    used.add(entering);
    let next = solveSubset(C, c, [...used]);
    // Back on the way from the old solution to the new one to where the first penalty would turn negative.
    while ([...used].some((v) => next[v]! <= 0)) {
      const leaving = [...used].filter((v) => next[v]! <= 0);
      const share = Math.min(...leaving.map((v) => solution[v]! / (solution[v]! - next[v]! || 1)));
      solution = solution.map((value, v) => value + share * (next[v]! - value));
      const zero = leaving.filter((v) => solution[v]! <= 1e-15 * scale);
      for (const v of zero.length > 0 ? zero : leaving.slice(0, 1)) {
        used.delete(v);
        solution[v] = 0;
      }
      next = solveSubset(C, c, [...used]);
    }
    solution = next;
  }
  return solution;
}

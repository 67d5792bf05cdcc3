/*
 * The equations of ridge regression, solved and judged from statistics.
 *
 *   H  hidden size      K  objectives
 *   A  penalties        R  objectives of one group, which share XᵀX
 *
 * With an intercept the same equations are solved for centred rows, whose Gram matrix is XᵀX − s·sᵀ/n, s = Σ x: the intercept
 * ȳ − w·x̄ then carries no penalty.
 */

import { openCholesky } from "../engine/cholesky.ts";
import { Graph } from "../engine/graph.ts";
import { matmul, mul, reduceSum } from "../engine/operators.ts";
import { openSession } from "../engine/session.ts";
import type { ObjectiveGroup, StatisticsView } from "./statistics-view.ts";

/** One objective at every penalty; NaN where it was not tried or has no stable solution. */
export interface PenaltyPath {
  /** `[A, H]`. */
  readonly weights: Float64Array;
  /** `[A]`, zeros without an intercept. */
  readonly intercepts: Float64Array;
  /** `[A]`, lower bounds of the condition number of XᵀX + αI. */
  readonly conditions: Float64Array;
}

export interface RidgeSolver {
  /**
   * (XᵀX + αI)·w = Xᵀy for every objective and penalty; one factorization per penalty serves all objectives of a group.
   *
   * @param tried Which of `alphas` to try, by objective, as indices.
   */
  fitPaths(
    train: StatisticsView,
    alphas: readonly number[],
    tried: ReadonlyMap<number, readonly number[]>,
  ): Promise<Map<number, PenaltyPath>>;
  /** Mean squared errors `[A]` of every path over the rated rows: (Σy² − 2·w·Xᵀy + wᵀXᵀX·w) / n, without intercept. */
  measurePaths(
    validation: StatisticsView,
    paths: ReadonlyMap<number, PenaltyPath>,
  ): Promise<Map<number, Float64Array>>;
  close(): Promise<void>;
}

export interface RidgeSolverOptions {
  readonly intercept: boolean;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** From here on not one digit of the solution is certain. */
const SINGULAR = 2 ** 52;

/** Opens a solver for rows of one width. Memory: 2·H² doubles, kept from call to call, and H² / 4 while it factorizes. */
export async function openRidgeSolver(
  hiddenSize: number,
  { intercept, threads, signal }: RidgeSolverOptions,
): Promise<RidgeSolver> {
  const H = hiddenSize;
  const options = threads === undefined ? {} : { threads };
  const cholesky = await openCholesky(H, options);
  const squares = await openSession(squaresGraph(H), options);
  let system = new Float64Array(0); // [H + R, H]
  let factor = new Float64Array(0); // [H + R, H]

  /** Room for R right-hand sides; new memory costs more time than clearing what is there. */
  function reserve(R: number): void {
    if (system.length < (H + R) * H) {
      system = new Float64Array((H + R) * H);
      factor = new Float64Array((H + R) * H);
    }
  }

  async function fillSystem(group: ObjectiveGroup, train: StatisticsView): Promise<void> {
    const { objectives } = group;
    reserve(objectives.length);
    system.fill(0);
    await group.addGram(system);
    for (const [r, k] of objectives.entries()) system.set(train.products(k), (H + r) * H);
    if (!intercept) return;
    const s = train.embeddingSums(objectives[0]!); // the same for the whole group, and so is the number of rows
    const { weight } = train.sums(objectives[0]!);
    for (let i = 0; i < H; i++) {
      const mean = s[i]! / weight;
      for (let j = 0; j <= i; j++) system[i * H + j]! -= mean * s[j]!;
    }
    for (const [r, k] of objectives.entries()) {
      const mean = train.sums(k).total / weight;
      for (let i = 0; i < H; i++) system[(H + r) * H + i]! -= mean * s[i]!;
    }
  }

  /** ȳ − w·x̄ */
  function interceptOf(train: StatisticsView, k: number, weights: Float64Array): number {
    const { total, weight } = train.sums(k);
    return (total - dot(weights, train.embeddingSums(k))) / weight;
  }

  return {
    async fitPaths(train, alphas, tried) {
      const A = alphas.length;
      const paths = new Map([...tried.keys()].map((k) => [k, unsolvedPath(A, H)]));
      for (const group of train.groups([...tried.keys()])) {
        const { objectives } = group;
        await fillSystem(group, train);
        const length = (H + objectives.length) * H;
        for (const [a, alpha] of alphas.entries()) {
          if (!objectives.some((k) => tried.get(k)!.includes(a))) continue;
          signal?.throwIfAborted();
          const used = factor.subarray(0, length);
          const condition = await cholesky.factorize(system.subarray(0, length), used, alpha);
          if (condition === null || condition >= SINGULAR) continue;
          const solutions = await cholesky.backSubstitute(used); // [R, H]
          for (const [r, k] of objectives.entries()) {
            if (!tried.get(k)!.includes(a)) continue;
            const path = paths.get(k)!;
            const weights = solutions.subarray(r * H, (r + 1) * H);
            path.weights.set(weights, a * H);
            path.intercepts[a] = intercept ? interceptOf(train, k, weights) : 0;
            path.conditions[a] = condition;
          }
        }
      }
      return paths;
    },
    async measurePaths(validation, paths) {
      const errors = new Map<number, Float64Array>();
      for (const { objectives, addGram } of validation.groups([...paths.keys()])) {
        signal?.throwIfAborted();
        reserve(0);
        const matrix = factor.subarray(0, H * H).fill(0);
        await addGram(matrix, { mirror: true });
        const A = paths.get(objectives[0]!)!.intercepts.length;
        const vectors = new Float64Array(objectives.length * A * H);
        for (const [r, k] of objectives.entries()) vectors.set(paths.get(k)!.weights, r * A * H);
        const { forms } = await squares.run({
          matrix: { data: matrix, shape: [H, H] },
          vectors: { data: vectors, shape: [objectives.length * A, H] },
        });
        for (const [r, k] of objectives.entries()) {
          const form = (forms!.data as Float64Array).subarray(r * A, (r + 1) * A); // wᵀXᵀX·w
          errors.set(k, meanSquares(validation, k, paths.get(k)!, form));
        }
      }
      return errors;
    },
    async close() {
      await cholesky.close();
      await squares.close();
    },
  };

  function meanSquares(
    validation: StatisticsView,
    k: number,
    { weights, intercepts }: PenaltyPath,
    forms: Float64Array,
  ): Float64Array {
    const products = validation.products(k);
    const s = validation.embeddingSums(k);
    const { weight, total, squares } = validation.sums(k);
    return forms.map((form, a) => {
      const w = weights.subarray(a * H, (a + 1) * H);
      const b = intercepts[a]!;
      const shift = b === 0 ? 0 : b * (2 * dot(w, s) - 2 * total + b * weight);
      return Math.max(0, squares - 2 * dot(w, products) + form + shift) / weight;
    });
  }
}

const unsolvedPath = (A: number, H: number): PenaltyPath => ({
  weights: new Float64Array(A * H).fill(Number.NaN),
  intercepts: new Float64Array(A).fill(Number.NaN),
  conditions: new Float64Array(A).fill(Number.NaN),
});

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

// vectors [V, H], matrix [H, H] → v·M·v for each, [V]
function squaresGraph(hiddenSize: number): Graph {
  const graph = new Graph();
  const vectors = graph.input("vectors", "f64", ["V", hiddenSize]);
  const matrix = graph.input("matrix", "f64", [hiddenSize, hiddenSize]);
  graph.output("forms", reduceSum(mul(matmul(vectors, matrix), vectors), [1]));
  return graph;
}

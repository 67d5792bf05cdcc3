/*
 * Stage 1: one linear reward per objective, from statistics that one pass over the rows leaves behind.
 *
 *   N  rows      H  hidden size
 *   K  objectives      A  penalties tried
 */

import { openGramProduct } from "../engine/gram.ts";
import { isRepeatable, type RowSource } from "./rated-rows.ts";
import { alphaGrids, emptyFit, type RidgeFit, type RidgeSolution } from "./ridge-fit.ts";
import { type Pass, planPasses } from "./ridge-passes.ts";
import { solveInto } from "./ridge-rounds.ts";
import { openRidgeSolver } from "./ridge-solver.ts";
import { collectStatistics, openPartition, type RidgeSides } from "./ridge-statistics.ts";
import type { Split } from "./split.ts";

export type { RatedRows, RowSource } from "./rated-rows.ts";
export type { RidgeFit, RidgeSolution } from "./ridge-fit.ts";
export { type RidgeCaution, type RidgeStatus, remedyFor } from "./ridge-status.ts";

export interface RidgeOptions extends RidgeSolution {
  /** H. */
  readonly hiddenSize: number;
  /** Rows held out to choose the penalty. Default: a fifth of the rows, drawn by hash; with `folds`, none. */
  readonly split?: Split;
  /**
   * Choose penalties by cross-validation: the split's training side falls into so many parts by group, at least 2, and each is held
   * out once. Weights are then fitted to all of them. Rows that the split holds out take part with `refit` only.
   */
  readonly folds?: number;
  /**
   * Bytes that statistics and equations may take. Where those of all label patterns do not fit, objectives are taken in turn, in more
   * passes, after one that looks at labels alone; rows must then be at hand again: give all at once, or a function that returns
   * them. Default: no limit, one pass.
   */
  readonly memory?: number;
}

/**
 * Ridge regression from streamed rows, one penalty per objective.
 *
 * Minimises, per objective k: Σ_n u_n (y_nk − w_k·x_n − b_k)² + α_k‖w_k‖² over training rows where y_nk is present; u_n is the row's
 * weight, 1 unless given, and b_k is 0 unless `intercept` is set. α_k is the one with the smallest mean squared error, weighted alike,
 * on held-out rows, of equals the smallest. Held-out rows never enter weights unless `refit` is set.
 *
 * @param rows All rows, or chunks of them; read once, in any order. Memory does not grow with their number.
 * @returns Weights, penalties, a status per objective, and the validation error at every penalty.
 * @throws {RangeError} `fitRidge: alphas must be ≥ 0, got -1`
 * @throws {TypeError} where a chunk is not [n, H] and [n, K], or `memory` is given for rows that can be read only once.
 * @throws {InputError} `no-rows`; `not-finite`; `too-little-memory` where one objective at a time does not fit.
 *
 * Cost: 0.56·N·H² multiply-adds in float64, then H³/6 per penalty for every set of objectives with the same rated rows; the
 * latter once per fold. An intercept costs H² more, a row weight H.
 * Memory: 0.56·H² doubles per label pattern and part of the rows (label-statistics.ts), and twice H² while solving.
 * Source: arXiv:2406.12845 §3.1; reference stage-1_train.py. Differs: one pass, exact sums in float64, split by group.
 *
 * @example
 * const fit = await fitRidge({ embeddings, labels }, { hiddenSize: 4096, split: { fraction: 0.2, groups: promptHashes } });
 */
export async function fitRidge(rows: RowSource, options: RidgeOptions): Promise<RidgeFit> {
  const {
    hiddenSize: H,
    folds,
    split = { fraction: folds === undefined ? 0.2 : 0 },
    memory,
    signal,
  } = options;
  if (!Number.isInteger(H) || H < 1)
    throw new RangeError(`fitRidge: hiddenSize must be a positive integer, got ${H}`);
  if (memory !== undefined && !isRepeatable(rows)) {
    throw new TypeError("fitRidge: with memory, rows must be all rows or a function that returns them");
  }
  const { tried } = alphaGrids(options.alphas);
  const partition = openPartition(split, folds);
  const gram = await openGramProduct(H, options.threads === undefined ? {} : { threads: options.threads });
  try {
    const plan =
      memory === undefined
        ? null
        : await planPasses(rows, { ...partition, gram, memory, numAlphas: tried.length });
    const collect = (pass: Partial<Pass>) => collectStatistics(rows, { ...partition, ...pass, gram, signal });
    if (plan === null) return await solveRidge(await collect({}), options);

    const fit = emptyFit(plan.numObjectives, H, options);
    const solver = await openSolver(H, options);
    try {
      for (const pass of plan.passes) {
        await solveInto(fit, await collect(pass), pass.objectives, solver, options);
      }
    } finally {
      await solver.close();
    }
    return { ...fit, passes: plan.passes.length };
  } finally {
    await gram.close();
  }
}

/**
 * Fits from statistics that are there already, as `fitRidge` does from rows.
 *
 * @param statistics Two parts, training and validation, or folds and the rows that are held out. The Gram product they were
 *   opened with must still be open.
 */
export async function solveRidge(statistics: RidgeSides, options: RidgeSolution): Promise<RidgeFit> {
  const { numObjectives: K, hiddenSize } = statistics;
  const fit = emptyFit(K, hiddenSize, options);
  const solver = await openSolver(hiddenSize, options);
  try {
    await solveInto(fit, statistics, [...fit.status.keys()], solver, options);
  } finally {
    await solver.close();
  }
  return fit;
}

const openSolver = (hiddenSize: number, { intercept = false, threads, signal }: RidgeSolution) =>
  openRidgeSolver(hiddenSize, { intercept, threads, signal });

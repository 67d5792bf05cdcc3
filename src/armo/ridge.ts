/*
 * Stage 1: one linear reward per objective, from statistics that one pass over the rows leaves behind.
 *
 *   N  rows      H  hidden size
 *   K  objectives      A  penalties tried
 */

import { backSubstitute, type Cholesky, openCholesky } from "../engine/cholesky.ts";
import { type GramProduct, openGramProduct } from "../engine/gram.ts";
import { Graph } from "../engine/graph.ts";
import { matmul, mul, reduceSum } from "../engine/operators.ts";
import { openSession, type Session } from "../engine/session.ts";
import { InputError } from "../errors.ts";
import {
  type LabelStatistics,
  type LabelSums,
  type ObjectiveGroup,
  openLabelStatistics,
} from "./label-statistics.ts";
import { type Split, sideOfRow } from "./split.ts";

/** Some rows: any number at once, all of them if they fit. */
export interface RatedRows {
  /** `[n, H]`. */
  readonly embeddings: Float32Array;
  /** `[n, K]`, NaN = missing. */
  readonly labels: Float32Array;
}

export interface RidgeOptions {
  /** H. */
  readonly hiddenSize: number;
  /** Penalties to try, each ≥ 0, on the scale of the sum of squares. Default 1e-4, 1e-3, …, 1e4. */
  readonly alphas?: readonly number[];
  /** Rows held out to choose the penalty. Default: a fifth of the rows, drawn by hash. */
  readonly split?: Split;
  /** Threads of the matrix products. Default: ONNX Runtime's choice. */
  readonly threads?: number;
  /** Stops between rows and between factorizations. */
  readonly signal?: AbortSignal;
}

/**
 * What became of one objective: `ok`, or why it has no weights.
 *
 * - `no-rows`: no training row is rated on it.
 * - `no-validation-rows`: none of the held-out rows is, so no penalty can be chosen. With a single penalty that is `ok`.
 * - `singular`: XᵀX + αI is not positive definite for any α; only where α is 0 or far too small.
 */
export type RidgeStatus = "ok" | "no-rows" | "no-validation-rows" | "singular";

export interface RidgeFit {
  /** W `[K, H]`, row-major; NaN where the status is not `ok`. */
  readonly weights: Float64Array;
  /** The chosen penalty per objective; NaN where the status is not `ok`. */
  readonly alphas: Float64Array;
  readonly status: RidgeStatus[];
  /** Penalties tried, ascending `[A]`. */
  readonly triedAlphas: readonly number[];
  readonly validation: {
    /** Mean squared error on held-out rows at the chosen penalty `[K]`; NaN where there is none. */
    readonly mse: Float64Array;
    /** The same at every penalty `[K, A]`. */
    readonly mseByAlpha: Float64Array;
    /** Variance of the held-out labels `[K]`: the error of their mean. NaN without rows. */
    readonly variance: Float64Array;
    /** Rated training rows `[K]`. */
    readonly trainRows: readonly number[];
    /** Rated held-out rows `[K]`. */
    readonly rows: readonly number[];
  };
}

const DEFAULT_ALPHAS: readonly number[] = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1e3, 1e4];

/**
 * Ridge regression from streamed rows, one penalty per objective.
 *
 * Minimises, per objective k: Σ_n (y_nk − w_k·x_n)² + α_k‖w_k‖² over training rows where y_nk is present. No intercept. α_k is
 * the one with the smallest mean squared error on held-out rows, of equals the smallest. Held-out rows never enter weights.
 *
 * @param rows All rows, or chunks of them; read once, in any order. Memory does not grow with their number.
 * @returns Weights, penalties, a status per objective, and the validation error at every penalty.
 * @throws {RangeError} `fitRidge: alphas must be ≥ 0, got -1`
 * @throws {TypeError} where a chunk is not [n, H] and [n, K]. @throws {InputError} where there are no rows, or one is not finite.
 *
 * Cost: 0.56·N·H² multiply-adds in float64, then H³/6 per penalty for every set of objectives with the same rated rows.
 * Memory: 0.56·H² doubles per label pattern and side of the split (label-statistics.ts), and twice H² while solving.
 * Source: arXiv:2406.12845 §3.1; reference stage-1_train.py. Differs: one pass, exact sums in float64, split by group.
 *
 * @example
 * const fit = await fitRidge({ embeddings, labels }, { hiddenSize: 4096, split: { fraction: 0.2, groups: promptHashes } });
 */
export async function fitRidge(
  rows: RatedRows | Iterable<RatedRows> | AsyncIterable<RatedRows>,
  options: RidgeOptions,
): Promise<RidgeFit> {
  const { hiddenSize: H, split = { fraction: 0.2 }, signal } = options;
  const alphas = sortAlphas(options.alphas ?? DEFAULT_ALPHAS);
  if (!Number.isInteger(H) || H < 1)
    throw new RangeError(`fitRidge: hiddenSize must be a positive integer, got ${H}`);
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  const gram = await openGramProduct(H, threads);
  const cholesky = await openCholesky(H, threads);
  const squares = await openSession(squaresGraph(H), threads);
  try {
    const statistics = await addUp(rows, gram, sideOfRow(split), signal);
    return await solve(statistics, { alphas, gram, cholesky, squares, signal });
  } finally {
    await Promise.all([gram.close(), cholesky.close(), squares.close()]);
  }
}

interface Statistics {
  readonly numObjectives: number;
  readonly train: LabelStatistics;
  readonly validation: LabelStatistics;
}

/** The one pass over the rows. */
async function addUp(
  rows: RatedRows | Iterable<RatedRows> | AsyncIterable<RatedRows>,
  gram: GramProduct,
  sideOf: (row: number) => "train" | "validation" | "unused",
  signal: AbortSignal | undefined,
): Promise<Statistics> {
  const H = gram.size;
  let statistics: Statistics | null = null;
  let row = 0;
  for await (const chunk of "embeddings" in rows ? [rows] : rows) {
    const n = chunk.embeddings.length / H;
    const K: number = statistics?.numObjectives ?? chunk.labels.length / n;
    if (n === 0) continue;
    if (!Number.isInteger(n) || !Number.isInteger(K) || K === 0 || chunk.labels.length !== n * K) {
      throw new TypeError(
        `fitRidge: expected embeddings [n, ${H}] and labels [n, K], got ${chunk.embeddings.length} and ${chunk.labels.length} values`,
      );
    }
    statistics ??= {
      numObjectives: K,
      train: openLabelStatistics(gram, K),
      validation: openLabelStatistics(gram, K),
    };
    for (let i = 0; i < n; i++, row++) {
      const side = sideOf(row);
      if (side === "unused") continue;
      signal?.throwIfAborted();
      const embedding = chunk.embeddings.subarray(i * H, (i + 1) * H);
      await statistics[side].add(embedding, chunk.labels.subarray(i * K, (i + 1) * K), row);
    }
  }
  if (!statistics) {
    throw new InputError(
      "no-rows",
      "fitRidge: expected rated rows, got none",
      "give at least one rated conversation",
    );
  }
  await statistics.train.finish();
  await statistics.validation.finish();
  return statistics;
}

interface Solver {
  readonly alphas: readonly number[];
  readonly gram: GramProduct;
  readonly cholesky: Cholesky;
  readonly squares: Session;
  readonly signal: AbortSignal | undefined;
}

async function solve({ numObjectives: K, train, validation }: Statistics, solver: Solver): Promise<RidgeFit> {
  const { alphas } = solver;
  const H = solver.gram.size;
  const A = alphas.length;
  const objectives = Array.from({ length: K }, (_, k) => k);
  const fit: RidgeFit = {
    weights: new Float64Array(K * H).fill(Number.NaN),
    alphas: new Float64Array(K).fill(Number.NaN),
    status: objectives.map((k) => statusBeforeFit(train, validation, k, A)),
    triedAlphas: alphas,
    validation: {
      mse: new Float64Array(K).fill(Number.NaN),
      mseByAlpha: new Float64Array(K * A).fill(Number.NaN),
      variance: Float64Array.from(objectives, (k) => varianceOf(validation.sums(k))),
      trainRows: objectives.map((k) => train.sums(k).rows),
      rows: objectives.map((k) => validation.sums(k).rows),
    },
  };
  const fittable = objectives.filter((k) => fit.status[k] === "ok");

  // Weights at every penalty, per objective [A, H]; NaN where XᵀX + αI is not positive definite.
  const candidates = new Map(fittable.map((k) => [k, new Float64Array(A * H).fill(Number.NaN)]));
  for (const group of train.groups(fittable)) await fitGroup(group, train, candidates, solver);
  for (const group of validation.groups(fittable)) {
    await measureGroup(group, validation, candidates, fit.validation.mseByAlpha, solver);
  }
  for (const k of fittable) {
    const best = chooseAlpha(fit.validation.mseByAlpha.subarray(k * A, (k + 1) * A), candidates.get(k)!, H);
    if (best === null) {
      fit.status[k] = "singular";
      continue;
    }
    fit.alphas[k] = alphas[best]!;
    fit.weights.set(candidates.get(k)!.subarray(best * H, (best + 1) * H), k * H);
    fit.validation.mse[k] = fit.validation.mseByAlpha[k * A + best]!;
  }
  return fit;
}

const varianceOf = ({ rows, total, squares }: LabelSums): number => squares / rows - (total / rows) ** 2;

function statusBeforeFit(
  train: LabelStatistics,
  validation: LabelStatistics,
  k: number,
  numAlphas: number,
): RidgeStatus {
  if (train.sums(k).rows === 0) return "no-rows";
  return validation.sums(k).rows === 0 && numAlphas > 1 ? "no-validation-rows" : "ok";
}

/** (XᵀX + αI)·w = Xᵀy for every penalty; one factorization per penalty serves all objectives of the group. */
async function fitGroup(
  group: ObjectiveGroup,
  train: LabelStatistics,
  candidates: ReadonlyMap<number, Float64Array>,
  { alphas, gram: { size: H }, cholesky, signal }: Solver,
): Promise<void> {
  const { objectives } = group;
  const system = new Float64Array((H + objectives.length) * H); // [H + R, H]
  await group.addGram(system);
  for (const [r, k] of objectives.entries()) system.set(train.products(k), (H + r) * H);
  const factor = new Float64Array(system.length);
  for (const [a, alpha] of alphas.entries()) {
    signal?.throwIfAborted();
    for (let i = 0; i < H; i++) {
      factor.set(system.subarray(i * H, i * H + i + 1), i * H); // only the lower triangle is read
      factor[i * H + i]! += alpha;
    }
    factor.set(system.subarray(H * H), H * H);
    if (!(await cholesky.factorize(factor))) continue;
    const weights = backSubstitute(factor, H); // [R, H]
    for (const [r, k] of objectives.entries()) {
      candidates.get(k)!.set(weights.subarray(r * H, (r + 1) * H), a * H);
    }
  }
}

/** Mean squared error on held-out rows: (Σy² − 2·w·Xᵀy + wᵀXᵀX·w) / n. */
async function measureGroup(
  group: ObjectiveGroup,
  validation: LabelStatistics,
  candidates: ReadonlyMap<number, Float64Array>,
  mseByAlpha: Float64Array,
  { alphas, gram: { size: H }, squares, signal }: Solver,
): Promise<void> {
  signal?.throwIfAborted();
  const A = alphas.length;
  const matrix = new Float64Array(H * H);
  await group.addGram(matrix, { mirror: true });
  for (const k of group.objectives) {
    const weights = candidates.get(k)!;
    const { forms } = await squares.run({
      matrix: { data: matrix, shape: [H, H] },
      vectors: { data: weights, shape: [A, H] },
    });
    const products = validation.products(k);
    const { rows, squares: labelSquares } = validation.sums(k);
    for (let a = 0; a < A; a++) {
      let cross = 0;
      for (let i = 0; i < H; i++) cross += weights[a * H + i]! * products[i]!;
      const error = labelSquares - 2 * cross + (forms!.data as Float64Array)[a]!;
      mseByAlpha[k * A + a] = Math.max(0, error) / rows;
    }
  }
}

/** Index of the smallest error, the first of equals; without errors the first penalty that gave weights. */
function chooseAlpha(errors: Float64Array, weights: Float64Array, hiddenSize: number): number | null {
  let best: number | null = null;
  for (let a = 0; a < errors.length; a++) {
    if (Number.isNaN(weights[a * hiddenSize])) continue;
    if (best === null || errors[a]! < errors[best]!) best = a;
  }
  return best;
}

// vectors [A, H], matrix [H, H] → v·M·v for each, [A]
function squaresGraph(hiddenSize: number): Graph {
  const graph = new Graph();
  const vectors = graph.input("vectors", "f64", ["A", hiddenSize]);
  const matrix = graph.input("matrix", "f64", [hiddenSize, hiddenSize]);
  graph.output("forms", reduceSum(mul(matmul(vectors, matrix), vectors), [1]));
  return graph;
}

function sortAlphas(alphas: readonly number[]): number[] {
  if (alphas.length === 0) throw new RangeError("fitRidge: alphas must hold at least one penalty, got none");
  for (const alpha of alphas) {
    if (!(alpha >= 0 && Number.isFinite(alpha)))
      throw new RangeError(`fitRidge: alphas must be ≥ 0, got ${alpha}`);
  }
  return [...alphas].sort((a, b) => a - b);
}

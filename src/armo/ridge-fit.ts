// What a ridge regression is asked for and what comes of it. H hidden size, K objectives, A penalties tried.

import type { RidgeCaution, RidgeStatus } from "./ridge-status.ts";

/** How the equations are set up and solved, whatever the rows. */
export interface RidgeSolution {
  /**
   * Penalties to try, each ≥ 0, on the scale of the sum of squares; a list per objective where each has its own.
   * Default 1e-4, 1e-3, …, 1e4.
   */
  readonly alphas?: readonly number[] | readonly (readonly number[])[];
  /** Fit y ≈ w·x + b, b without penalty. Default false, as in the paper. */
  readonly intercept?: boolean;
  /**
   * Fit the weights anew to all rows, held-out ones included, once the penalty is chosen; the errors that are reported are still those
   * of the fit without them. Default false, as in the reference.
   */
  readonly refit?: boolean;
  /** Threads of the matrix products. Default: ONNX Runtime's choice. */
  readonly threads?: number;
  /** Stops between rows and between factorizations. */
  readonly signal?: AbortSignal;
}

export interface RidgeFit {
  /** W `[K, H]`, row-major; NaN where the status is not `ok`. */
  readonly weights: Float64Array;
  /** b `[K]`: 0 without `intercept`; NaN where the status is not `ok`. */
  readonly intercepts: Float64Array;
  /** The chosen penalty per objective; NaN where the status is not `ok`. */
  readonly alphas: Float64Array;
  readonly status: RidgeStatus[];
  /** What to know about objectives that are `ok`. `remedyFor` says what to do about it. */
  readonly cautions: (RidgeCaution | null)[];
  /** Penalties tried, ascending `[A]`: those of all objectives. */
  readonly triedAlphas: readonly number[];
  /** Passes that added rows up. */
  readonly passes: number;
  readonly validation: {
    /** Mean squared error on held-out rows at the chosen penalty `[K]`; with folds, its mean over them. NaN where there is none. */
    readonly mse: Float64Array;
    /** The same at every penalty `[K, A]`; NaN where an objective does not try it. */
    readonly mseByAlpha: Float64Array;
    /** Variance of the held-out labels `[K]`: the error of their mean. NaN without rows. */
    readonly variance: Float64Array;
    /** 1 − mse / variance `[K]`; NaN where the variance is 0. */
    readonly r2: Float64Array;
    /** Rated rows that the weights are fitted to `[K]`. */
    readonly trainRows: number[];
    /** Rated rows that were held out, once each `[K]`. */
    readonly rows: number[];
  };
}

/** Penalties that the paper tries. */
export const DEFAULT_ALPHAS: readonly number[] = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1e3, 1e4];

export function emptyFit(K: number, hiddenSize: number, options: RidgeSolution): RidgeFit {
  const { tried } = alphaGrids(options.alphas, K);
  const unknown = (length: number) => new Float64Array(length).fill(Number.NaN);
  return {
    weights: unknown(K * hiddenSize),
    intercepts: unknown(K),
    alphas: unknown(K),
    status: new Array<RidgeStatus>(K).fill("no-rows"),
    cautions: new Array<RidgeCaution | null>(K).fill(null),
    triedAlphas: tried,
    passes: 1,
    validation: {
      mse: unknown(K),
      mseByAlpha: unknown(K * tried.length),
      variance: unknown(K),
      r2: unknown(K),
      trainRows: new Array<number>(K).fill(0),
      rows: new Array<number>(K).fill(0),
    },
  };
}

/** All penalties, ascending, each once, and the indices of those that each of K objectives tries. */
export function alphaGrids(
  alphas: RidgeSolution["alphas"] = DEFAULT_ALPHAS,
  K?: number,
): { tried: number[]; triedBy: number[][] } {
  const apart = alphas.some((alpha) => typeof alpha === "object");
  const grids = (apart ? alphas : [alphas]) as readonly (readonly number[])[];
  if (apart && K !== undefined && grids.length !== K) {
    throw new RangeError(
      `fitRidge: alphas must be one list or one for each of ${K} objectives, got ${grids.length}`,
    );
  }
  for (const grid of grids) {
    if (grid.length === 0) throw new RangeError("fitRidge: alphas must hold at least one penalty, got none");
    for (const alpha of grid) {
      if (!(alpha >= 0 && Number.isFinite(alpha)))
        throw new RangeError(`fitRidge: alphas must be ≥ 0, got ${alpha}`);
    }
  }
  const tried = [...new Set(grids.flat())].sort((a, b) => a - b);
  const indices = (grid: readonly number[]) => [...tried.keys()].filter((a) => grid.includes(tried[a]!));
  return {
    tried,
    triedBy: Array.from({ length: K ?? 0 }, (_, k) => indices(grids[apart ? k : 0]!)),
  };
}

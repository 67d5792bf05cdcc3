import type { Objective } from "../reward-model.ts";
import type { Calibration } from "./calibration.ts";
import type { TrainingDiagnostics } from "./diagnostics.ts";
import type { GateMeans } from "./gate-means.ts";
import type { GatingHistory } from "./gating-training.ts";
import { pearson } from "./pearson.ts";
import type { Correlation, DebiasingOptions, DebiasStatus, RewardTransform } from "./reward-transform.ts";
import type { RidgeCaution, RidgeFit } from "./ridge.ts";
import { spearman } from "./spearman.ts";
import type { ResolvedRegression } from "./training-regression.ts";

export type TrainingStage = "regression" | "debiasing" | "gating" | "seeds";

/** How one objective was fitted. Errors are mean squared errors on the validation prompts, on the scale of rewards. */
export interface ObjectiveReport {
  readonly name: string;
  /** The chosen penalty. */
  readonly alpha: number;
  readonly trainRows: number;
  readonly validationRows: number;
  readonly validationError: number;
  /** 1 − error / variance of the labels; NaN where they do not vary. */
  readonly r2: number;
  /** On the scale of rewards; part of the objective's scale. 0 where none was asked for. */
  readonly intercept: number;
  /** What to know about the fit; `remedyFor` says what to do about it. */
  readonly caution: RidgeCaution | null;
  /** [α, validation error] for every α that it tried and that has a solution. */
  readonly path: readonly (readonly [number, number])[];
}

/** An objective that was rated but could not be fitted. */
export interface DroppedObjective {
  readonly name: string;
  readonly reason: string;
  readonly remedy: string;
}

/** What debiasing did to one objective: its correlations with each objective of `debias`. */
export interface DebiasReport {
  readonly name: string;
  readonly status: DebiasStatus;
  readonly penalties: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** On the responses to validation prompts, which the penalties have not seen. */
  readonly heldOutBefore: readonly number[];
  readonly heldOutAfter: readonly number[];
}

/** Rows of one kind. */
export interface RowCounts {
  readonly used: number;
  /** Kept for testing. */
  readonly test: number;
  /** Sharing a prompt with an evaluation set; of these, left out for it, and used all the same. */
  readonly overlaps: number;
  readonly dropped: number;
  readonly remaining: number;
}

/** An embedding set that took part. */
export interface SetReference {
  /** Its folder's name, without those above: the same run gives the same report wherever it lies. */
  readonly directory: string;
  /** Hash of everything that decided its contents. */
  readonly run: string;
  readonly rows: number;
}

/** The options of a run, but for the gate's. */
export interface TrainingSettings {
  readonly objectives: readonly string[];
  readonly debias: readonly string[];
  readonly validationFraction: number;
  readonly testFraction: number;
  readonly dropOverlaps: boolean;
  readonly seed: number;
  /** Further seeds that the gate was trained with, for comparison. */
  readonly seedSensitivity: number;
  readonly regression: ResolvedRegression;
  readonly debiasing: Required<DebiasingOptions>;
}

export type AccuracyName =
  | "trained gate"
  | "uniform gate"
  | "regression mean"
  | "prefer the longer"
  | "prefer the shorter";

/** Everything a training run has to say about itself; stored in the model directory as `training.json`. */
export interface TrainingReport {
  /** What decided the run, defaults filled in: `TrainingSettings`; the gate's options are in `history`. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly versions: { readonly armorm: string; readonly node: string; readonly onnxruntime: string };
  readonly sets: Readonly<Record<"ratings" | "pairs" | "reference" | "evaluation", readonly SetReference[]>>;
  readonly rows: {
    readonly ratings: RowCounts;
    readonly pairs: RowCounts;
    /** Null where the pairs' responses are the reference. */
    readonly reference: RowCounts | null;
  };
  readonly objectives: readonly ObjectiveReport[];
  /** Objectives that were rated but could not be fitted, each with its reason. */
  readonly dropped: readonly DroppedObjective[];
  /** Passes of the regression over the ratings. */
  readonly passes: number;
  /** Names of the objectives debiased against. */
  readonly debias: readonly string[];
  /** Whose correlations `transform` holds. */
  readonly correlation: Correlation;
  readonly transform: readonly DebiasReport[];
  /** Share of validation pairs in which the chosen response wins, by what decides. */
  readonly accuracy: Readonly<Record<AccuracyName, number>>;
  readonly validationPairs: number;
  /** On the validation pairs, by subset, or by source where there is no subset. */
  readonly gating: GateMeans;
  /** Of σ(β · margin) on the validation pairs; null where training had no margin scale. */
  readonly calibration: Calibration | null;
  /** Null without validation pairs. */
  readonly diagnostics: TrainingDiagnostics | null;
  readonly history: GatingHistory;
}

/** Row `k` of a regression, for the report. */
export function reportObjective({ name }: Objective, fit: RidgeFit, k: number): ObjectiveReport {
  const { mse, mseByAlpha, r2, trainRows, rows } = fit.validation;
  const A = fit.triedAlphas.length;
  return {
    name,
    alpha: fit.alphas[k]!,
    trainRows: trainRows[k]!,
    validationRows: rows[k]!,
    validationError: mse[k]!,
    r2: r2[k]!,
    intercept: fit.intercepts[k]!,
    caution: fit.cautions[k]!,
    path: fit.triedAlphas
      .map((alpha, a) => [alpha, mseByAlpha[k * A + a]!] as const)
      .filter(([, error]) => !Number.isNaN(error)),
  };
}

/** The effect of a transform on every objective, also on rewards `[N, K]` that it was not fitted on. */
export function reportTransform(
  objectives: readonly Objective[],
  targets: readonly number[],
  fit: RewardTransform,
  heldOut: Float32Array,
  correlation: Correlation = "spearman",
): DebiasReport[] {
  const K = objectives.length;
  const columns = (values: ArrayLike<number>) =>
    Array.from({ length: K }, (_, k) =>
      Float64Array.from({ length: values.length / K }, (_, n) => values[n * K + k]!),
    );
  const correlate = correlation === "pearson" ? pearson : spearman;
  const raw = columns(heldOut);
  const adjusted = columns(applyTransform(heldOut, fit.transform, K));
  return objectives.map(({ name }, k) => {
    const row = (values: Float64Array) => targets.map((_, v) => values[v * K + k]!);
    return {
      name,
      status: fit.status[k]!,
      penalties: row(fit.penalties),
      before: row(fit.correlationsBefore),
      after: row(fit.correlationsAfter),
      heldOutBefore: targets.map((target) => correlate(raw[k]!, raw[target]!)),
      heldOutAfter: targets.map((target) => correlate(adjusted[k]!, raw[target]!)),
    };
  });
}

/** rewards @ T, for rewards `[N, K]`. */
function applyTransform(rewards: Float32Array, transform: ArrayLike<number>, K: number): Float64Array {
  const adjusted = new Float64Array(rewards.length);
  for (let n = 0; n < rewards.length; n += K) {
    for (let j = 0; j < K; j++) {
      for (let k = 0; k < K; k++) adjusted[n + k]! += rewards[n + j]! * transform[j * K + k]!;
    }
  }
  return adjusted;
}

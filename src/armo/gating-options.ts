// What a user may choose about gate training, and what the presets choose.

import { type GatingPreset, type InitialTensors, initialScale, initialSize } from "./gating-parameters.ts";
import type { Split } from "./split.ts";

/** Hyper-parameters of gate training. Defaults are those of the preset. */
export interface GatingOptions {
  /**
   * `paper`: loss softplus(−β · margin), β trained from 100, the gate's output sums to 1.
   * `fitted` (default): the same, but β starts where it explains the training pairs best under a uniform gate. 100 suits
   * the published rewards; where margins are larger, a gate under it learns first to weigh everything by nothing.
   * `reference`: β = 1 and a factor on the gate's output, trained from 1, as in the reference code.
   */
  readonly preset?: GatingPreset;
  /** Optimizer steps, over which the learning rate falls to 0. Default 10,000 (`reference`: 2,000). */
  readonly steps?: number;
  /** Pairs per step; all of them where there are fewer. Default 1,024. */
  readonly batchSize?: number;
  /** Width of the hidden layers. Default 1,024. */
  readonly hiddenDim?: number;
  /** Number of hidden layers, ≥ 0. Default 3. */
  readonly hiddenLayers?: number;
  /** Divides the logits before the softmax, > 0. Default 10. */
  readonly temperature?: number;
  /** What β, or with `reference` the factor on the gate's output, starts from. Default: fitted, 100, or 1. */
  readonly initialScale?: number;
  /** At the first step, > 0. Default 1e-3. */
  readonly learningRate?: number;
  /** Decoupled, on every parameter, ≥ 0. Default 0. */
  readonly weightDecay?: number;
  /** Share of hidden units dropped in training, in [0, 1). Default 0 (`reference`: 0.2, but 0 with `batches`). */
  readonly dropout?: number;
  /** Steps between two looks at the validation pairs. Default: one pass over the data, within 10 … 100. */
  readonly evaluateEvery?: number;
  /** Looks without a lower validation loss after which training stops. Default 10; `Infinity`: never. */
  readonly patience?: number;
}

export interface TrainGatingOptions extends GatingOptions {
  /** H */
  readonly hiddenSize: number;
  /** K */
  readonly numObjectives: number;
  /** T `[K, K]`; the gate is trained on rewards @ T. Default: the identity. */
  readonly transform?: Float32Array | Float64Array;
  /** Pairs held out for early stopping. Default: none; training then runs to the end. */
  readonly split?: Split;
  /** Decides initial weights, batches and dropout. Default 0. */
  readonly seed?: number;
  /** Precision of weights, gradients and losses. Default f32. */
  readonly dtype?: "f32" | "f64";
  /** Initial weights instead of random ones, by name, with or without the prefix `gating.`; they decide the gate's size. */
  readonly initial?: InitialTensors;
  /** Row numbers for each step instead of random batches, all of one length. */
  readonly batches?: readonly ArrayLike<number>[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** The hyper-parameters of one run, none left open. */
export type ResolvedGatingOptions = Required<GatingOptions> & {
  readonly seed: number;
  readonly dtype: "f32" | "f64";
};

const PRESETS = {
  fitted: { steps: 10_000, initialScale: null, dropout: 0 },
  paper: { steps: 10_000, initialScale: 100, dropout: 0 },
  reference: { steps: 2_000, initialScale: 1, dropout: 0.2 },
} as const;

/**
 * Fills in the defaults and checks ranges.
 *
 * @param trainRows Pairs on the training side. @param fitScale β for them under a uniform gate.
 */
export function resolveGatingOptions(
  options: TrainGatingOptions,
  trainRows: number,
  fitScale: () => number,
): ResolvedGatingOptions {
  const { preset = "fitted", batches } = options;
  const defaults = PRESETS[preset];
  if (!defaults)
    throw new RangeError(`trainGating: preset must be fitted, paper or reference, got ${preset}`);
  const size = options.initial ? initialSize(options.initial) : options;
  const batchSize = batches?.[0]?.length ?? Math.min(options.batchSize ?? 1024, trainRows);
  const resolved = {
    preset,
    steps: options.steps ?? batches?.length ?? defaults.steps,
    batchSize,
    hiddenDim: size.hiddenDim ?? 1024,
    hiddenLayers: size.hiddenLayers ?? 3,
    temperature: options.temperature ?? 10,
    initialScale:
      initialScale(options.initial, preset) ?? options.initialScale ?? defaults.initialScale ?? fitScale(),
    learningRate: options.learningRate ?? 1e-3,
    weightDecay: options.weightDecay ?? 0,
    dropout: options.dropout ?? (batches ? 0 : defaults.dropout),
    evaluateEvery:
      options.evaluateEvery ?? Math.min(100, Math.max(10, Math.ceil(trainRows / Math.max(1, batchSize)))),
    patience: options.patience ?? 10,
    seed: options.seed ?? 0,
    dtype: options.dtype ?? "f32",
  };
  const require = (name: keyof typeof resolved, holds: boolean, range: string): void => {
    if (!holds) throw new RangeError(`trainGating: ${name} must be ${range}, got ${resolved[name]}`);
  };
  for (const name of ["steps", "batchSize", "hiddenDim", "evaluateEvery"] as const) {
    require(name, Number.isInteger(resolved[name]) && resolved[name] >= 1, "an integer ≥ 1");
  }
  require("hiddenLayers", Number.isInteger(resolved.hiddenLayers) &&
    resolved.hiddenLayers >= 0, "an integer ≥ 0");
  for (const name of ["temperature", "learningRate"] as const) require(name, resolved[name] > 0, "> 0");
  require("weightDecay", resolved.weightDecay >= 0, "≥ 0");
  require("dropout", resolved.dropout >= 0 && resolved.dropout < 1, "in [0, 1)");
  require("patience", resolved.patience >= 1, "≥ 1");
  require("initialScale", Number.isFinite(resolved.initialScale), "finite");
  require("initialScale", preset === "reference" || resolved.initialScale > 0, "> 0");
  require("steps", !batches ||
    resolved.steps <= batches.length, `at most the ${batches?.length} batches given`);
  return resolved;
}

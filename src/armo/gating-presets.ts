// What the presets choose, and which choices are possible.

import type { ResolvedGatingOptions, TrainGatingOptions } from "./gating-options.ts";
import { initialScale, initialSize } from "./gating-parameters.ts";

const TO_THE_END = { patience: Number.POSITIVE_INFINITY, keep: "last" } as const;

const PRESETS = {
  fitted: { steps: 10_000, initialScale: null, dropout: 0, replacement: false, patience: 10, keep: "best" },
  paper: { steps: 10_000, initialScale: 100, dropout: 0, replacement: false, ...TO_THE_END },
  reference: { steps: 2_000, initialScale: 1, dropout: 0.2, replacement: true, ...TO_THE_END },
} as const;

/** The options whose defaults a preset chooses. */
export const PRESET_OPTIONS = [
  "steps",
  "initialScale",
  "dropout",
  "replacement",
  "patience",
  "keep",
] as const;

/**
 * Fills in the defaults and checks ranges.
 *
 * @param trainRows Pairs on the training side. @param fitScale β for them under a uniform gate.
 * @throws {RangeError} `trainGating: dropout must be in [0, 1), got 1`
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
  const steps = options.steps ?? batches?.length ?? defaults.steps;
  const batchSize = batches?.[0]?.length ?? Math.min(options.batchSize ?? 1024, trainRows);
  const resolved: ResolvedGatingOptions = {
    preset,
    steps,
    batchSize,
    hiddenDim: size.hiddenDim ?? 1024,
    hiddenLayers: size.hiddenLayers ?? 3,
    temperature: options.temperature ?? 10,
    initialScale:
      initialScale(options.initial, preset) ?? options.initialScale ?? defaults.initialScale ?? fitScale(),
    learningRate: options.learningRate ?? 1e-3,
    warmup: warmupSteps(options.warmup ?? 0, steps),
    weightDecay: options.weightDecay ?? 0,
    dropout: options.dropout ?? (batches ? 0 : defaults.dropout),
    labelSmoothing: options.labelSmoothing ?? 0,
    targetMargins: options.targetMargins ?? "off",
    centering: options.centering ?? 0,
    balance: options.balance ?? "off",
    replacement: options.replacement ?? defaults.replacement,
    evaluateEvery:
      options.evaluateEvery ?? Math.min(100, Math.max(10, Math.ceil(trainRows / Math.max(1, batchSize)))),
    patience: options.patience ?? defaults.patience,
    keep: options.keep ?? defaults.keep,
    seed: options.seed ?? 0,
    dtype: options.dtype ?? "f32",
  };
  requireRanges(resolved);
  require("steps", resolved.steps, !batches ||
    resolved.steps <= batches.length, `at most the ${batches?.length} batches given`);
  return resolved;
}

/** A share of the steps is rounded up. */
function warmupSteps(warmup: number, steps: number): number {
  return warmup > 0 && warmup < 1 ? Math.min(Math.ceil(warmup * steps), steps - 1) : warmup;
}

function requireRanges(resolved: ResolvedGatingOptions): void {
  for (const name of ["steps", "batchSize", "hiddenDim", "evaluateEvery"] as const) {
    require(name, resolved[name], Number.isInteger(resolved[name]) && resolved[name] >= 1, "an integer ≥ 1");
  }
  const { hiddenLayers, warmup, steps, initialScale, targetMargins, balance, keep } = resolved;
  require("hiddenLayers", hiddenLayers, Number.isInteger(hiddenLayers) &&
    hiddenLayers >= 0, "an integer ≥ 0");
  for (const name of ["temperature", "learningRate"] as const) {
    require(name, resolved[name], resolved[name] > 0 && Number.isFinite(resolved[name]), "> 0");
  }
  require("warmup", warmup, Number.isInteger(warmup) &&
    warmup >= 0 &&
    warmup < steps, `a share in [0, 1) or steps below ${steps}`);
  require("weightDecay", resolved.weightDecay, resolved.weightDecay >= 0, "≥ 0");
  require("dropout", resolved.dropout, resolved.dropout >= 0 && resolved.dropout < 1, "in [0, 1)");
  const { labelSmoothing, centering } = resolved;
  require("labelSmoothing", labelSmoothing, labelSmoothing >= 0 && labelSmoothing < 0.5, "in [0, 0.5)");
  require("centering", centering, centering >= 0 && Number.isFinite(centering), "≥ 0");
  const scale = targetMargins === "off" ? 1 : targetMargins?.scale;
  require("targetMargins", scale, Number.isFinite(scale) && scale > 0, "off or have a scale > 0");
  require("balance", balance, balance === "off" ||
    balance === "equal" ||
    typeof balance === "object", "off, equal or weights by name");
  require("patience", resolved.patience, resolved.patience >= 1, "≥ 1");
  require("keep", keep, keep === "best" || keep === "last", "best or last");
  require("initialScale", initialScale, Number.isFinite(initialScale), "finite");
  require("initialScale", initialScale, resolved.preset === "reference" || initialScale > 0, "> 0");
}

function require(name: string, value: unknown, holds: boolean, range: string): void {
  if (!holds) throw new RangeError(`trainGating: ${name} must be ${range}, got ${value}`);
}

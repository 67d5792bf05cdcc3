// The options of `armorm train`, as a configuration.

import { PRESET_OPTIONS } from "../armo/gating-presets.ts";
import type { Balance, GatingPreset } from "../armo/gating-training.ts";
import type { Correlation } from "../armo/reward-transform.ts";
import type { TrainingConfiguration } from "../armo/training-configuration.ts";
import { InputError } from "../errors.ts";
import { pick } from "./flags.ts";

export interface TrainFlags {
  config?: string;
  ratings?: string[];
  statistics?: string[];
  pairs?: string[];
  out?: string;
  reference?: string[];
  evaluation?: string[];
  dropOverlaps?: boolean;
  objectives?: string[];
  debias?: string[];
  debiasMethod?: "root" | "grid";
  debiasCorrelation?: Correlation;
  alphas?: number[];
  folds?: number;
  intercept?: boolean;
  refit?: boolean;
  memory?: number;
  validationFraction?: number;
  testFraction?: number;
  seed?: number;
  seedSensitivity?: number;
  preset?: GatingPreset;
  steps?: number;
  batchSize?: number;
  hiddenDim?: number;
  learningRate?: number;
  weightDecay?: number;
  dropout?: number;
  labelSmoothing?: number;
  targetMargins?: number | true;
  balance?: Exclude<Balance, "off" | "equal"> | true;
  patience?: number;
  checkpoint?: string;
  overwrite?: boolean;
  json?: boolean;
}

const DATA_FLAGS = ["ratings", "statistics", "pairs", "reference", "evaluation"] as const;

/**
 * Flags over a configuration, or alone. Data is named in one place: beside a configuration, flags that name embedding sets are refused.
 *
 * @param here Turns a path of the command line into one that is right from the configuration's folder.
 * @throws {InputError} `bad-option` for data named twice, `missing-data` for data not named at all.
 */
export function applyFlags(
  configuration: TrainingConfiguration | null,
  flags: TrainFlags,
  here: (path: string) => string,
): TrainingConfiguration {
  const named = DATA_FLAGS.filter((name) => flags[name] !== undefined);
  if (configuration && named.length > 0) {
    throw new InputError(
      "bad-option",
      `train: expected data in the configuration alone, got --${named.join(", --")} beside --config`,
      "name the sets in the configuration: ratings: [{embeddings: DIR}]",
    );
  }
  const sets = (directories: readonly string[]) => directories.map((embeddings) => ({ embeddings }));
  const sources = configuration ?? {
    ...(flags.statistics ? { statistics: flags.statistics } : {}),
    ...(flags.statistics && !flags.ratings ? {} : { ratings: sets(required("ratings", flags)) }),
    pairs: sets(required("pairs", flags)),
    ...(flags.reference ? { reference: sets(flags.reference) } : {}),
    ...(flags.evaluation ? { evaluation: sets(flags.evaluation) } : {}),
  };
  const none = flags.debias?.length === 1 && flags.debias[0] === "none";
  const { targetMargins, balance } = flags;
  return {
    ...sources,
    ...pick(flags, ["objectives", "seedSensitivity"]),
    ...(flags.out === undefined ? {} : { out: here(flags.out) }),
    debiasing: {
      ...configuration?.debiasing,
      ...(flags.debias ? { targets: none ? [] : flags.debias } : {}),
      ...(flags.debiasMethod ? { method: flags.debiasMethod } : {}),
      ...(flags.debiasCorrelation ? { correlation: flags.debiasCorrelation } : {}),
    },
    split: {
      ...configuration?.split,
      ...pick(flags, ["validationFraction", "testFraction", "dropOverlaps", "seed"]),
    },
    regression: {
      ...configuration?.regression,
      ...pick(flags, ["alphas", "folds", "intercept", "refit", "memory"]),
    },
    gating: {
      ...underPreset(configuration?.gating, flags.preset),
      ...(targetMargins ? { targetMargins: { scale: targetMargins === true ? 1 : targetMargins } } : {}),
      ...(balance ? { balance: balance === true ? ("equal" as const) : balance } : {}),
      ...pick(flags, [
        "preset",
        "steps",
        "batchSize",
        "hiddenDim",
        "learningRate",
        "weightDecay",
        "dropout",
        "labelSmoothing",
        "patience",
      ]),
      ...(flags.checkpoint
        ? { checkpoint: { ...configuration?.gating?.checkpoint, directory: here(flags.checkpoint) } }
        : {}),
    },
  };
}

/** The gate's options of a file, without what its preset has chosen where the command line names another one. */
function underPreset(
  gating: TrainingConfiguration["gating"] = {},
  preset: GatingPreset | undefined,
): TrainingConfiguration["gating"] {
  if (preset === undefined || preset === gating.preset) return gating;
  const chosen: readonly string[] = PRESET_OPTIONS;
  return Object.fromEntries(Object.entries(gating).filter(([name]) => !chosen.includes(name)));
}

function required(name: "ratings" | "pairs", flags: TrainFlags): readonly string[] {
  const value = flags[name];
  if (value !== undefined) return value;
  throw new InputError(
    "missing-data",
    `train: expected --${name} DIR or --config FILE, got neither`,
    `name embedded ${name}, or a configuration that names its data`,
  );
}

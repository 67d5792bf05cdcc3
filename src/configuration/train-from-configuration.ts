// A training run from one configuration: data → embedding sets → both stages → model directory.

import { readdir, rmdir } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { resolveGatingOptions } from "../armo/gating-presets.ts";
import type { GatingOptions } from "../armo/gating-training.ts";
import { requireWritable } from "../armo/model-directory.ts";
import { requireGridOptions, type TrainOptions } from "../armo/train.ts";
import { trainModel } from "../armo/train-model.ts";
import type { TrainingConfiguration } from "../armo/training-configuration.ts";
import type { TrainingReport } from "../armo/training-report.ts";
import { hashOf } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import { type EmbeddedSets, type EmbeddingHooks, openSets } from "./embedded-sets.ts";
import { type Locators, locateSources, QUIET_LOCATORS } from "./locate-sources.ts";

export interface TrainFromConfigurationOptions {
  /** The folder that relative paths start from. Default: the current one. */
  readonly folder?: string;
  /** Replace a model that armorm has written to `out`. Default false. */
  readonly overwrite?: boolean;
  /** Stops between parts of an embedding set and between steps of the gate; the same call goes on. */
  readonly signal?: AbortSignal;
  /** How repositories of the hub are downloaded. Default: without a word. */
  readonly locators?: Locators;
  readonly embedding?: Omit<EmbeddingHooks, "signal">;
  readonly onStage?: TrainOptions["onStage"];
  readonly onProgress?: TrainOptions["onProgress"];
  /** Called with the folder of the gate's checkpoints, if there is one. */
  readonly onCheckpoint?: (directory: string) => void;
}

/**
 * Embeds the data of a configuration and trains a model on it.
 *
 * Embedding sets lie under `embedding.directory`, under names that hold a hash of the data and of everything else that decides
 * them: what is there is used again, and what has changed is embedded anew. The model directory keeps the configuration with every
 * default filled in (`training-configuration.yaml`), which gives the same bytes again. What differs between machines is left to them:
 * the same bytes are promised for the same machine and versions.
 *
 * @returns The training report. @throws {InputError} `bad-configuration`; `different-data` where the record of the configuration
 *   speaks of other data or another backbone; what `embed` and `trainModel` refuse.
 * @example
 * const { folder, configuration } = await readConfiguration("train.yaml");
 * const report = await trainFromConfiguration(configuration, { folder });
 */
export async function trainFromConfiguration(
  configuration: TrainingConfiguration,
  { folder = ".", overwrite = false, signal, ...options }: TrainFromConfigurationOptions = {},
): Promise<TrainingReport> {
  // An empty path stays one, to be refused, rather than become the folder itself.
  const here = (path: string) => (path === "" || isAbsolute(path) ? path : join(folder, path));
  if (configuration.out === undefined) {
    throw new InputError(
      "bad-configuration",
      "out: expected a folder for the model, got none",
      "add out: FOLDER to the configuration, or --out FOLDER",
    );
  }
  const out = here(configuration.out);
  const { patience, checkpoint: asked, ...gate } = configuration.gating ?? {};
  const gating: GatingOptions = {
    ...gate,
    ...(patience === undefined
      ? {}
      : { patience: patience === "never" ? Number.POSITIVE_INFINITY : patience }),
  };
  requireGating(gating);
  requireStages(configuration);
  await requireWritable(out, overwrite);
  const placed = { folder, configuration };
  const located = await locateSources(placed, out, options.locators ?? QUIET_LOCATORS);
  const embedded = await openSets(located, configuration, {
    ...options.embedding,
    ...(signal ? { signal } : {}),
  });

  const checkpoint = asked
    ? { ...asked, directory: here(asked.directory) }
    : located.backbone === null
      ? null
      : { directory: join(located.directory, `checkpoint-${hashOfRun(configuration, embedded)}`) };
  if (checkpoint) options.onCheckpoint?.(checkpoint.directory);
  const { objectives, debiasing: { targets, ...debiasing } = {}, split, regression } = configuration;
  const { sets, statistics, stored } = embedded;
  const report = await trainModel({
    out,
    overwrite,
    sources: stored,
    ...(statistics ? { statistics } : { ratings: sets.ratings }),
    pairs: sets.pairs,
    ...(sets.reference.length > 0 ? { reference: sets.reference } : {}),
    evaluation: sets.evaluation,
    ...(objectives ? { objectives } : {}),
    ...(targets ? { debias: targets } : {}),
    debiasing,
    ...split,
    ...(regression ? { regression } : {}),
    ...(configuration.seedSensitivity === undefined
      ? {}
      : { seedSensitivity: configuration.seedSensitivity }),
    gating,
    ...(checkpoint ? { checkpoint } : {}),
    ...(signal ? { signal } : {}),
    ...(options.onStage ? { onStage: options.onStage } : {}),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
  });
  // A folder that the user has named stays; this one was for the run alone.
  if (checkpoint && !asked) await removeIfEmpty(checkpoint.directory);
  return report;
}

/** What options of the gate say together, such as a warm-up and the steps, before anything is embedded for them. */
function requireGating(gating: GatingOptions): void {
  const sizes = { hiddenSize: 1, numObjectives: 1 };
  try {
    resolveGatingOptions({ ...gating, ...sizes }, Number.MAX_SAFE_INTEGER, () => 1);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(
      "bad-configuration",
      `gating: ${error.message.replace("trainGating: ", "")}`,
      "docs/gate-training.md says what goes with what",
    );
  }
}

/** What the stages before the gate would refuse once everything has been embedded. */
function requireStages({ debiasing: { targets, ...debiasing } = {}, split }: TrainingConfiguration): void {
  requireGridOptions(debiasing, targets?.length ?? 1);
  const { validationFraction } = split ?? {};
  if (validationFraction === undefined || validationFraction > 0) return;
  throw new InputError(
    "bad-configuration",
    `split.validationFraction: expected a validation fraction above 0, got ${validationFraction}`,
    "keep some prompts to choose penalties and to stop the gate: 0.2",
  );
}

/** Another run is not to find this one's checkpoint. */
function hashOfRun(configuration: TrainingConfiguration, { sets, statistics }: EmbeddedSets): string {
  const { objectives, debiasing, split, regression, gating, out } = configuration;
  const runs = Object.values(sets).map((list) => list.map(({ manifest }) => manifest.run));
  const summed = statistics && [statistics.division, statistics.sets.map(({ manifest }) => manifest.run)];
  return hashOf([runs, summed, objectives, debiasing, split, regression, gating, out]).slice(0, 12);
}

async function removeIfEmpty(directory: string): Promise<void> {
  const entries = await readdir(directory).catch(() => null);
  if (entries?.length === 0) await rmdir(directory);
}

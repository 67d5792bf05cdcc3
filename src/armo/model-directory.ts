// A model directory in Hugging Face layout: config.json, model.safetensors with the heads, and what training saw.

import { existsSync } from "node:fs";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkpointLicence } from "../checkpoint/licence.ts";
import { type LocatedCheckpoint, localDirectory, storedLocation } from "../checkpoint/location.ts";
import { readSafetensors } from "../checkpoint/safetensors.ts";
import { writeSafetensors } from "../checkpoint/safetensors-writer.ts";
import type { ChatSettings } from "../embedding/manifest.ts";
import { makeOutputDirectory } from "../embedding/output-directory.ts";
import { InputError } from "../errors.ts";
import type { Objective } from "../reward-model.ts";
import {
  type BackboneReference,
  type ModelConfig,
  readModelConfig,
  type ScorerDirectory,
} from "../scoring/model-directory.ts";
import { armoScorer } from "./armo-scorer.ts";
import { type Heads, headsFromTensors, headsToTensors } from "./heads.ts";
import { modelCard } from "./model-card.ts";
import { isPublishedLayout, openPublished } from "./published-checkpoint.ts";
import { CONFIGURATION, formatConfiguration, type ResolvedConfiguration } from "./training-configuration.ts";
import { PROMPTS, readTrainingPrompts, writeTrainingPrompts } from "./training-prompts.ts";
import type { TrainingReport } from "./training-report.ts";

/** An ArmoRM's directory, read: everything but the backbone. */
export interface ArmoDirectory extends ScorerDirectory {
  readonly kind: "armorm";
  readonly heads: Heads;
}

/** What `writeModelDirectory` writes. */
export interface TrainedModel {
  readonly heads: Heads;
  readonly backbone: BackboneReference;
  readonly chat: ChatSettings;
  readonly report: TrainingReport;
  readonly configuration: ResolvedConfiguration;
  /** Sorted keys of the prompts that training saw; null where they are not known. */
  readonly trainingKeys: BigUint64Array | null;
}

const CONFIG = "config.json";
const WEIGHTS = "model.safetensors";
const REPORT = "training.json";
const CARD = "README.md";
/** What is written about a model afterwards: a page, and an example with its values. */
export const ABOUT_FILES = ["report.html", "verify.json"];
/** What this code writes beside the configuration. */
const OWN_FILES = [WEIGHTS, PROMPTS, REPORT, CONFIGURATION, CARD, ...ABOUT_FILES];
const MODEL_TYPE = "armorm";
/** What the configuration says of prompts that nobody can look up. */
const UNKNOWN = "unknown";

/** Whether a configuration is that of an ArmoRM: one of ours, or a checkpoint with the published layout. */
export const isArmoConfig = (config: ModelConfig): boolean =>
  config.model_type === MODEL_TYPE || isPublishedLayout(config);

/**
 * Reads an ArmoRM's directory: heads, names, and where the backbone lies.
 *
 * @param at Where it lies, and its name. @param config Its `config.json`, for which `isArmoConfig` holds.
 * @throws {InputError} `bad-model`; `bad-heads` if configuration and tensors do not fit together.
 */
export async function openArmoDirectory(at: LocatedCheckpoint, config: ModelConfig): Promise<ArmoDirectory> {
  if (config.model_type !== MODEL_TYPE) return openPublished(at, config);
  return openOwn(at, config);
}

/** Refuses a directory that holds something other than an armorm model to be replaced. */
export async function requireWritable(directory: string, overwrite: boolean): Promise<void> {
  await makeOutputDirectory(directory);
  const entries = (await readdir(directory)).filter((name) => !name.endsWith(".tmp"));
  const [entry] = entries;
  if (entry === undefined) return;
  // A run that was killed while it wrote leaves our files without a configuration.
  const own = existsSync(join(directory, CONFIG))
    ? (await readModelConfig(directory)).model_type === MODEL_TYPE
    : entries.every((name) => OWN_FILES.includes(name));
  if (own && overwrite) return;
  throw new InputError(
    "output-not-empty",
    `${directory}: expected an empty folder, got ${own ? "a model" : `one that holds ${entry}`}`,
    own ? "choose an empty folder, or add --overwrite to replace the model" : "choose an empty folder",
  );
}

/** Writes a model directory. The configuration comes last: a directory without one is no model. */
export async function writeModelDirectory(directory: string, model: TrainedModel): Promise<void> {
  const { heads, backbone, chat, report, configuration, trainingKeys } = model;
  const location = await storedLocation(backbone.location);
  const names = heads.objectives.map(({ name }) => name);
  const config = {
    architectures: ["ArmoRewardModel"],
    model_type: MODEL_TYPE,
    hidden_size: heads.hiddenSize,
    num_objectives: names.length,
    gating_temperature: heads.gate.temperature,
    gating_hidden_dim: heads.gate.layers[0]!.outputs,
    gating_n_hidden: heads.gate.layers.length - 1,
    id2label: Object.fromEntries(names.entries()),
    label2id: Object.fromEntries(names.map((name, k) => [name, k])),
    objectives: heads.objectives,
    backbone: { location, fingerprint: backbone.fingerprint },
    chat,
    ...(trainingKeys === null ? { trainingPrompts: UNKNOWN } : {}),
  };
  await rm(join(directory, CONFIG), { force: true });
  await writeSafetensors(join(directory, WEIGHTS), headsToTensors(heads), { format: "pt" });
  if (trainingKeys === null) await rm(join(directory, PROMPTS), { force: true });
  else await writeTrainingPrompts(directory, trainingKeys);
  await writeText(directory, REPORT, JSON.stringify(report, null, 1));
  await writeText(directory, CONFIGURATION, await formatConfiguration(configuration));
  const backboneDirectory = await localDirectory(location);
  const licence = backboneDirectory === null ? null : await checkpointLicence(backboneDirectory);
  await writeText(directory, CARD, modelCard({ ...model, backbone: { ...backbone, location } }, licence));
  await writeText(directory, CONFIG, JSON.stringify(config, null, 2));
}

async function writeText(directory: string, name: string, text: string): Promise<void> {
  const temporary = join(directory, `.${name}.tmp`);
  await writeFile(temporary, `${text.trimEnd()}\n`, { flush: true });
  await rename(temporary, join(directory, name));
}

async function openOwn({ directory, name }: LocatedCheckpoint, config: ModelConfig): Promise<ArmoDirectory> {
  const { objectives, backbone, chat } = config as unknown as {
    objectives?: readonly Objective[];
    backbone?: BackboneReference;
    chat?: ChatSettings;
  };
  if (!Array.isArray(objectives) || typeof backbone?.location !== "string" || typeof chat !== "object") {
    throw new InputError(
      "bad-model",
      `${join(directory, CONFIG)}: expected objectives, backbone and chat, got a configuration without`,
      "train the model again",
    );
  }
  const heads = headsFromTensors(
    await readSafetensors(join(directory, WEIGHTS)),
    { objectives, hiddenSize: Number(config.hidden_size), temperature: Number(config.gating_temperature) },
    directory,
  );
  const seen = config.trainingPrompts === UNKNOWN ? null : await readTrainingPrompts(directory);
  return {
    kind: "armorm",
    location: name,
    heads,
    scorer: armoScorer(heads),
    backbone,
    chat,
    trainingPrompts: seen?.count ?? null,
    trainedOn: seen?.trainedOn ?? null,
  };
}

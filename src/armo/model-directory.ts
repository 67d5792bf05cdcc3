// A model directory in Hugging Face layout: config.json, model.safetensors with the heads, and what training saw.

import { existsSync } from "node:fs";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoint } from "../checkpoint/checkpoint.ts";
import type { Tensor } from "../checkpoint/dtypes.ts";
import { checkpointLicence } from "../checkpoint/licence.ts";
import { localDirectory, locateCheckpoint, storedLocation } from "../checkpoint/location.ts";
import { readSafetensors, readTensor } from "../checkpoint/safetensors.ts";
import { writeSafetensors } from "../checkpoint/safetensors-writer.ts";
import type { ChatSettings } from "../embedding/manifest.ts";
import { makeOutputDirectory } from "../embedding/output-directory.ts";
import { InputError } from "../errors.ts";
import type { RewardModel } from "../reward-model.ts";
import {
  type Heads,
  headsFromTensors,
  headsToTensors,
  isHeadTensor,
  type Objective,
  PUBLISHED_OBJECTIVES,
} from "./heads.ts";
import { modelCard } from "./model-card.ts";
import type { TrainingReport } from "./training-report.ts";
import { promptKey } from "./training-rows.ts";

/** Where a model's backbone lies, and which one it must be. */
export interface BackboneReference {
  /** A directory, `tiny`, or `org/name@commit` on the hub. */
  readonly location: string;
  /** Of the backbone that the heads were trained on; null if the model does not say. */
  readonly fingerprint: string | null;
}

/** A model directory, read: everything but the backbone. */
export interface ModelDirectory {
  /** As it was given; a model from the hub with its commit. */
  readonly location: string;
  readonly heads: Heads;
  readonly backbone: BackboneReference;
  /** How conversations become token ids; null for a checkpoint from elsewhere: as its own files say. */
  readonly chat: ChatSettings | null;
  /** Number of prompts that training saw, or null if unknown. */
  readonly trainingPrompts: number | null;
  readonly trainedOn: RewardModel["trainedOn"];
}

/** What `writeModelDirectory` writes. */
export interface TrainedModel {
  readonly heads: Heads;
  readonly backbone: BackboneReference;
  readonly chat: ChatSettings;
  readonly report: TrainingReport;
  /** Sorted keys of the prompts that training saw. */
  readonly trainingKeys: BigUint64Array;
}

const CONFIG = "config.json";
const WEIGHTS = "model.safetensors";
const PROMPTS = "training-prompts.safetensors";
const REPORT = "training.json";
const CARD = "README.md";
/** What this code writes beside the configuration. */
const OWN_FILES = [WEIGHTS, PROMPTS, REPORT, CARD, "report.html"];
const MODEL_TYPE = "armorm";
const PUBLISHED_CLASS = "LlamaForRewardModelWithGating";

/** Whether a directory holds an ArmoRM: one of ours, or a checkpoint with the published layout. */
export async function isModelDirectory(directory: string): Promise<boolean> {
  if (!existsSync(join(directory, CONFIG))) return false;
  const config = await readConfig(directory);
  return config.model_type === MODEL_TYPE || isPublishedLayout(config);
}

/**
 * Reads a model directory: heads, names, and where the backbone lies.
 *
 * @param location The directory, or `org/name[@revision]` on the hub.
 * @throws {InputError} `not-a-model`; `bad-heads` if configuration and tensors do not fit together.
 */
export async function openModelDirectory(location: string): Promise<ModelDirectory> {
  const { directory, name } = await locateCheckpoint(location);
  const config = await readConfig(directory);
  if (config.model_type === MODEL_TYPE) return openOwn(directory, name, config);
  if (isPublishedLayout(config)) return openPublished(directory, name, config);
  throw new InputError(
    "not-a-model",
    `${directory}: expected a model that armorm has written or an ArmoRM checkpoint, got ${config.model_type ?? "neither"}`,
    "train one with `armorm train`, or give another directory",
  );
}

/** Refuses a directory that holds something other than an armorm model to be replaced. */
export async function requireWritable(directory: string, overwrite: boolean): Promise<void> {
  await makeOutputDirectory(directory);
  const entries = (await readdir(directory)).filter((name) => !name.endsWith(".tmp"));
  const [entry] = entries;
  if (entry === undefined) return;
  // A run that was killed while it wrote leaves our files without a configuration.
  const own = existsSync(join(directory, CONFIG))
    ? (await readConfig(directory)).model_type === MODEL_TYPE
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
  const { heads, backbone, chat, report, trainingKeys } = model;
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
  };
  await rm(join(directory, CONFIG), { force: true });
  await writeSafetensors(join(directory, WEIGHTS), headsToTensors(heads), { format: "pt" });
  const keys: Tensor = { dtype: "U64", shape: [trainingKeys.length], data: trainingKeys };
  await writeSafetensors(join(directory, PROMPTS), new Map([["prompt_keys", keys]]));
  await writeText(directory, REPORT, JSON.stringify(report, null, 1));
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

type Config = Readonly<Record<string, unknown>>;

async function readConfig(directory: string): Promise<Config> {
  const path = join(directory, CONFIG);
  try {
    const config: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof config === "object" && config !== null && !Array.isArray(config)) return config as Config;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      const what = `${directory}: expected a model directory, got no ${CONFIG}`;
      throw new InputError("not-a-model", what, "give the folder that `armorm train --out` has written");
    }
  }
  throw new InputError(
    "malformed-json",
    `${path}: expected a JSON object, got something else`,
    "restore the file",
  );
}

const isPublishedLayout = (config: Config): boolean =>
  Array.isArray(config.architectures) && config.architectures.includes(PUBLISHED_CLASS);

async function openOwn(directory: string, location: string, config: Config): Promise<ModelDirectory> {
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
  const { count, trainedOn } = await readTrainingPrompts(directory);
  return { location, heads, backbone, chat, trainingPrompts: count, trainedOn };
}

/** The prompts that training saw, of a model that armorm has written to a directory. */
export async function readTrainingPrompts(
  directory: string,
): Promise<{ readonly count: number; readonly trainedOn: (promptHash: string) => boolean }> {
  const prompts = await readSafetensors(join(directory, PROMPTS));
  const keys = prompts.get("prompt_keys")?.data as BigUint64Array; // sorted
  const trainedOn = (promptHash: string): boolean => {
    const key = promptKey(promptHash);
    let [from, to] = [0, keys.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (keys[middle]! < key) from = middle + 1;
      else to = middle;
    }
    return keys[from] === key;
  };
  return { count: keys.length, trainedOn };
}

// The published class keeps the backbone, the heads and their sizes in one checkpoint. Defaults are that class's.
async function openPublished(directory: string, location: string, config: Config): Promise<ModelDirectory> {
  const checkpoint = await openCheckpoint(directory);
  const tensors = new Map<string, Tensor>();
  for (const range of checkpoint.tensors.values()) {
    if (isHeadTensor(range.name)) tensors.set(range.name, await readTensor(range));
  }
  const about = {
    objectives: publishedObjectives(config, Number(config.num_objectives ?? PUBLISHED_OBJECTIVES.length)),
    hiddenSize: Number(config.hidden_size),
    temperature: Number(config.gating_temperature ?? 10),
  };
  return {
    location,
    heads: headsFromTensors(tensors, about, directory),
    backbone: { location, fingerprint: checkpoint.fingerprint },
    chat: null,
    trainingPrompts: null,
    trainedOn: null,
  };
}

// Names stand in id2label if somebody has set them; 19 unnamed objectives are those of the published model.
function publishedObjectives({ id2label }: Config, count: number): Objective[] {
  const labels = (id2label ?? {}) as Readonly<Record<string, string>>;
  return Array.from({ length: count }, (_, k) => {
    const label = labels[k];
    if (label !== undefined && !/^LABEL_\d+$/.test(label)) return { name: label };
    return count === PUBLISHED_OBJECTIVES.length ? PUBLISHED_OBJECTIVES[k]! : { name: `objective-${k}` };
  });
}

// The configuration of a checkpoint in the published layout: what the official class reads, and, under one key that it does not
// know, what a model of armorm has besides.

import { malformed } from "../backbone/architectures/config-fields.ts";
import type { ChatSettings } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import type { Objective } from "../reward-model.ts";
import type { ModelConfig } from "../scoring/model-directory.ts";
import type { Heads } from "./heads.ts";

/** The key of what the official class does not know. Fingerprints leave it out. */
const KEY = "armorm";
const VERSION = 1;

/** Kept under the key `armorm`. */
export interface ArmormFields {
  /** Names, sources and scales. */
  readonly objectives: readonly Objective[];
  /** β of P(chosen ≻ rejected) = σ(β · margin), or null. */
  readonly marginScale: number | null;
  /** How conversations became token ids in training, or null: as the tokenizer's files say. */
  readonly chat: ChatSettings | null;
}

/** `model_type` → the first part of the class's name. Only Llama's class was published; the others are named alike. */
const CLASS_PREFIX: Readonly<Record<string, string>> = {
  llama: "Llama",
  mistral: "Mistral",
  qwen2: "Qwen2",
  qwen3: "Qwen3",
  gemma: "Gemma",
  gemma2: "Gemma2",
  phi3: "Phi3",
};

/** Fields of a backbone's configuration that speak of its own head or of files that are not copied. */
const OF_THE_OLD_HEAD = [
  "_name_or_path",
  "architectures",
  "auto_map",
  "gating_hidden_dim",
  "gating_n_hidden",
  "gating_temperature",
  "id2label",
  "label2id",
  "num_labels",
  "num_objectives",
  "problem_type",
  KEY,
];

/**
 * The configuration of a backbone with these heads: the backbone's own fields, the class, the sizes of the heads, the names of the
 * objectives as labels, and ours under `armorm`. No `auto_map`: it would name a Python file that is not part of the checkpoint.
 *
 * @throws {InputError} `unsupported-heads` where the official class cannot have such heads: hidden layers of several widths.
 */
export function publishedConfig(
  backbone: ModelConfig,
  heads: Heads,
  chat: ChatSettings | null,
): Record<string, unknown> {
  const { objectives, hiddenSize, gate, marginScale } = heads;
  const names = objectives.map(({ name }) => name);
  const hidden = gate.layers.slice(0, -1).map(({ outputs }) => outputs);
  if (hidden.some((width) => width !== hidden[0])) {
    throw new InputError(
      "unsupported-heads",
      `export: expected a gate whose hidden layers have one width, got ${hidden.join(", ")}`,
      "the published class cannot express it: train the gate with one --hidden-dim",
    );
  }
  const fields: ArmormFields = { objectives, marginScale, chat };
  return {
    architectures: [`${CLASS_PREFIX[String(backbone.model_type)] ?? ""}ForRewardModelWithGating`],
    ...Object.fromEntries(Object.entries(backbone).filter(([name]) => !OF_THE_OLD_HEAD.includes(name))),
    hidden_size: hiddenSize,
    num_objectives: names.length,
    gating_temperature: gate.temperature,
    ...(hidden.length === 0 ? {} : { gating_hidden_dim: hidden[0] }),
    gating_n_hidden: hidden.length,
    id2label: Object.fromEntries(names.entries()),
    label2id: Object.fromEntries(names.map((name, k) => [name, k])),
    [KEY]: { version: VERSION, ...fields },
  };
}

/** What stands under `armorm`, or null in a checkpoint from elsewhere. @throws {InputError} `malformed-config`, `newer-config` */
export function readArmormFields(config: ModelConfig, numObjectives: number): ArmormFields | null {
  const fields = config[KEY] ?? null;
  if (fields === null) return null;
  if (typeof fields !== "object" || Array.isArray(fields)) throw malformed(KEY, "an object", fields);
  const { version, objectives, marginScale, chat } = fields as ArmormFields & { version?: unknown };
  if (version !== VERSION) {
    throw new InputError(
      "newer-config",
      `config.json: expected armorm version ${VERSION}, got ${JSON.stringify(version)}`,
      "open it with the version of armorm that has written it",
    );
  }
  const named =
    Array.isArray(objectives) && objectives.every((objective) => typeof objective?.name === "string");
  if (!named || objectives.length !== numObjectives) {
    throw malformed(`${KEY}.objectives`, `${numObjectives} objectives with names`, objectives);
  }
  if (marginScale !== null && !Number.isFinite(marginScale)) {
    throw malformed(`${KEY}.marginScale`, "a number or null", marginScale);
  }
  if (typeof chat !== "object") throw malformed(`${KEY}.chat`, "an object or null", chat);
  return { objectives, marginScale, chat };
}

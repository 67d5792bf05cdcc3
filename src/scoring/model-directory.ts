// What every reward model's directory says, whatever its kind: everything but the backbone.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ChatSettings } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import type { RewardModel } from "../reward-model.ts";
import type { Scorer } from "./scorer.ts";

/** Where a model's backbone lies, and which one it must be. */
export interface BackboneReference {
  /** A directory, or `tiny`. */
  readonly location: string;
  /** Of the backbone that the model was trained on; null if the model does not say. */
  readonly fingerprint: string | null;
}

/** A reward model's directory, read. */
export interface ScorerDirectory {
  readonly location: string;
  readonly scorer: Scorer;
  readonly backbone: BackboneReference;
  /** How conversations become token ids; null for a checkpoint from elsewhere: as its own files say. */
  readonly chat: ChatSettings | null;
  /** Number of prompts that training saw, or null if unknown. */
  readonly trainingPrompts: number | null;
  readonly trainedOn: RewardModel["trainedOn"];
}

export type ModelConfig = Readonly<Record<string, unknown>>;

/** Reads a directory's `config.json`. @throws {InputError} `not-a-model` without one; `malformed-json`. */
export async function readModelConfig(directory: string): Promise<ModelConfig> {
  const path = join(directory, "config.json");
  try {
    const config: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof config === "object" && config !== null && !Array.isArray(config)) return config as ModelConfig;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) {
      const what = `${directory}: expected a model directory, got no config.json`;
      throw new InputError("not-a-model", what, "give the folder that `armorm train --out` has written");
    }
  }
  throw new InputError(
    "malformed-json",
    `${path}: expected a JSON object, got something else`,
    "restore the file",
  );
}

/** The classes that a checkpoint names in `architectures`. */
export const classesOf = ({ architectures }: ModelConfig): readonly string[] =>
  Array.isArray(architectures) ? architectures.filter((name) => typeof name === "string") : [];

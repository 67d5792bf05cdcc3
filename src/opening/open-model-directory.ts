import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ArmoDirectory, isArmoConfig, openArmoDirectory } from "../armo/model-directory.ts";
import { locateCheckpoint } from "../checkpoint/location.ts";
import { InputError } from "../errors.ts";
import { classesOf, type ModelConfig, readModelConfig } from "../scoring/model-directory.ts";
import {
  type BradleyTerryDirectory,
  isBradleyTerryConfig,
  openBradleyTerry,
} from "../siblings/bradley-terry.ts";

/** A reward model's directory, read: `kind` says which model. */
export type ModelDirectory = ArmoDirectory | BradleyTerryDirectory;

/**
 * Reads a reward model's directory, everything but the backbone: one that armorm has written, or a checkpoint with its
 * backbone, an ArmoRM in the published layout or a Bradley–Terry model.
 *
 * @throws {InputError} `not-a-model`; what refuses heads that do not fit.
 */
export async function openModelDirectory(location: string): Promise<ModelDirectory> {
  const at = await locateCheckpoint(location);
  const { directory } = at;
  const config = await readModelConfig(directory);
  if (isArmoConfig(config)) return openArmoDirectory(at, config);
  if (isBradleyTerryConfig(config)) return openBradleyTerry(at, config);
  throw new InputError(
    "not-a-model",
    `${directory}: expected a model that armorm has written, an ArmoRM or a Bradley–Terry checkpoint, got ${nameOf(config)}`,
    "train one with `armorm train`, or give another directory",
  );
}

/** Whether a directory is a reward model's, by what its configuration says. @throws {InputError} `malformed-json` */
export async function isModelDirectory(directory: string): Promise<boolean> {
  if (!existsSync(join(directory, "config.json"))) return false;
  const config = await readModelConfig(directory);
  return isArmoConfig(config) || isBradleyTerryConfig(config);
}

const nameOf = (config: ModelConfig): string =>
  classesOf(config)[0] ?? (typeof config.model_type === "string" ? config.model_type : "neither");

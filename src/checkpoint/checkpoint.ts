// A Hugging Face checkpoint directory: its configuration, and its tensors as byte ranges.

import { existsSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { fingerprintBackbone } from "./fingerprint.ts";
import { locateCheckpoint } from "./location.ts";
import type { TensorRange } from "./safetensors-header.ts";
import { findTensors, readJsonObject } from "./shards.ts";

export interface Checkpoint {
  /** Real absolute path. */
  readonly directory: string;
  /** `config.json`, as it is. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Every tensor by name, over all shards. Nothing is in memory. */
  readonly tensors: ReadonlyMap<string, TensorRange>;
  /** Identifies the backbone, whatever its heads: see `fingerprintBackbone`. */
  readonly fingerprint: string;
}

/**
 * Opens a checkpoint with `config.json` and safetensors weights. Reads headers and samples only.
 *
 * @param location The directory, `tiny`: the backbone that comes with the package, or `org/name[@revision]` on the hub.
 * @throws {InputError} `missing-checkpoint` when there is no such directory, `missing-config` when it has no
 * `config.json`, and whatever `findTensors` and `pull` refuse.
 */
export async function openCheckpoint(location: string): Promise<Checkpoint> {
  const { directory } = await locateCheckpoint(location);
  const isDirectory = await stat(directory).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isDirectory) {
    throw new InputError(
      "missing-checkpoint",
      `checkpoint: expected a directory at ${directory}, got none`,
      "give the path of a Hugging Face checkpoint directory; for a model whose backbone has moved: --backbone DIR",
    );
  }
  const configFile = join(directory, "config.json");
  if (!existsSync(configFile)) {
    throw new InputError(
      "missing-config",
      `checkpoint: expected config.json in ${directory}, got none`,
      "give the directory that holds the checkpoint's config.json and safetensors files",
    );
  }
  const config = await readJsonObject(configFile);
  const tensors = withTiedEmbedding(config, await findTensors(directory));
  const fingerprint = await fingerprintBackbone(config, tensors);
  return { directory: await realpath(directory), config, tensors, fingerprint };
}

const EMBEDDING = "model.embed_tokens.weight";
/** The name of a causal checkpoint's output head. */
export const OUTPUT_HEAD = "lm_head.weight";
// Families whose configuration class ties embedding and output head unless told otherwise.
const TIED_BY_DEFAULT: readonly unknown[] = ["gemma", "gemma2"];

/** Whether embedding and output head are one matrix. */
export function hasTiedHead(config: Readonly<Record<string, unknown>>): boolean {
  return (config.tie_word_embeddings ?? TIED_BY_DEFAULT.includes(config.model_type)) === true;
}

/** A tied checkpoint stores the matrix that embedding and output head share once, under either name. */
function withTiedEmbedding(
  config: Readonly<Record<string, unknown>>,
  tensors: ReadonlyMap<string, TensorRange>,
): ReadonlyMap<string, TensorRange> {
  const head = tensors.get(OUTPUT_HEAD);
  if (tensors.has(EMBEDDING) || head === undefined || !hasTiedHead(config)) return tensors;
  return new Map([...tensors, [EMBEDDING, { ...head, name: EMBEDDING }]]);
}

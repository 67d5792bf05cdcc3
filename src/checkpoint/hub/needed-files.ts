// Which files of a repository armorm reads. The rest (pickles, other formats, original weights) is never downloaded.

import { InputError } from "../../errors.ts";
import { INDEX, SINGLE } from "../shards.ts";

/** What openChat, openCheckpoint and openModelDirectory read; a repository may lack any but the first. */
export const READ_FILES = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  "additional_chat_templates/default.jinja",
  "training.json",
  "training-prompts.safetensors",
] as const;
/** What people and `armorm verify` read, and what belongs beside every copy of the weights. */
const CARDS =
  /^(?:README\.md|verify\.json|training-configuration\.yaml|generation_config\.json|(?:licen[cs]e|notice|use_policy)(?:[-.][^/]*)?)$/i;
const PICKLED = /^[^/]+\.(?:bin|pt|pth|ckpt|pkl)$/i;

/** Small files among `names`, the configuration first: whoever may not read it learns so at once. */
export function smallFiles(names: readonly string[]): string[] {
  const cards = names.filter((name) => CARDS.test(name));
  return [...READ_FILES.filter((name) => names.includes(name)), ...cards];
}

/**
 * The file that leads to the weights: `model.safetensors`, or the index of its shards.
 *
 * @throws {InputError} `pickled-weights` where all weights are pickles, `missing-tensors` where there are none,
 *   `missing-config` where config.json is missing.
 */
export function weightsFile(names: readonly string[], where: string): typeof SINGLE | typeof INDEX {
  if (!names.includes("config.json")) {
    throw new InputError(
      "missing-config",
      `${where}: expected config.json in the repository, got none`,
      "give a repository with a Hugging Face checkpoint",
    );
  }
  if (names.includes(SINGLE)) return SINGLE;
  if (names.includes(INDEX)) return INDEX;
  const pickled = names.find((name) => PICKLED.test(name));
  if (pickled !== undefined) {
    throw new InputError(
      "pickled-weights",
      `${where}: expected ${SINGLE} or ${INDEX}, got pickled weights only (${pickled})`,
      "choose a revision or a repository with safetensors: pickles run code when they are read, and are never downloaded",
    );
  }
  throw new InputError(
    "missing-tensors",
    `${where}: expected ${SINGLE} or ${INDEX} in the repository, got neither`,
    "give a repository with a whole model in safetensors, not an adapter or a quantized file",
  );
}

/** @throws {InputError} `missing-file` for a shard that the index names and the repository lacks. */
export function requireShards(shards: readonly string[], names: readonly string[], where: string): void {
  const missing = shards.find((shard) => !names.includes(shard));
  if (missing === undefined) return;
  throw new InputError(
    "missing-file",
    `${where}: expected the shard ${missing} that ${INDEX} names, got none`,
    "the repository is incomplete: choose another revision, or tell its owner",
  );
}

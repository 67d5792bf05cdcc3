// The checkpoint that an engine serves, as far as it is here: its sizes, and what identifies it.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openCheckpoint } from "../../checkpoint/checkpoint.ts";
import { fingerprintBackbone } from "../../checkpoint/fingerprint.ts";
import { locateCheckpoint } from "../../checkpoint/location.ts";
import type { RemoteLocation } from "../../checkpoint/remote-location.ts";
import { INDEX, readJsonObject, SINGLE } from "../../checkpoint/shards.ts";
import { InputError } from "../../errors.ts";
import { sizeField } from "../architectures/config-fields.ts";
import { completeConfig } from "../architectures/families.ts";

export interface ServedCheckpoint {
  readonly hiddenSize: number;
  readonly maxTokens: number;
  readonly vocabSize: number;
  /** Of the weights where they lie here too, or as the location says; else null. */
  readonly fingerprint: string | null;
  /** Where it lies, weights included; null where those are elsewhere. */
  readonly whole: string | null;
  /** What identifies it without its weights: its configuration, and its name on the hub if it has one. */
  readonly identity: string;
}

/**
 * Reads the checkpoint behind the `#` of a location.
 *
 * @throws {InputError} `missing-config`, `malformed-config`, `wrong-backbone` when the weights here are others than the location
 *   says; those of `locateCheckpoint`.
 */
export async function readServedCheckpoint({
  checkpoint,
  settings,
}: RemoteLocation): Promise<ServedCheckpoint> {
  const { directory, name } = await locateCheckpoint(checkpoint, { weights: false });
  const file = join(directory, "config.json");
  if (!existsSync(file)) {
    throw new InputError(
      "missing-config",
      `remote backbone: expected config.json in ${directory}, got none`,
      "name the directory or the hub id of the checkpoint that the engine serves behind #: config.json and the tokenizer's files are read",
    );
  }
  const config = await readJsonObject(file);
  const complete = completeConfig(config);
  const whole = existsSync(join(directory, SINGLE)) || existsSync(join(directory, INDEX));
  const known = whole ? (await openCheckpoint(directory)).fingerprint : null;
  const { fingerprint = known } = settings;
  if (known !== null && fingerprint !== known) {
    throw new InputError(
      "wrong-backbone",
      `remote backbone: expected weights with fingerprint ${fingerprint} in ${directory}, got ${known}`,
      "leave fingerprint= out of the location, or name another checkpoint behind #",
    );
  }
  const configuration = await fingerprintBackbone(config, new Map());
  return {
    hiddenSize: sizeField(complete, "hidden_size"),
    maxTokens: sizeField(complete, "max_position_embeddings"),
    vocabSize: sizeField(complete, "vocab_size"),
    fingerprint,
    whole: whole ? directory : null,
    identity: hash([configuration, name === directory ? null : name]),
  };
}

/**
 * The fingerprint of a backbone whose weights nobody here has seen: no local one has it, so that its states are not taken for
 * theirs.
 *
 * @param served The name by which the engine serves it.
 */
export const remoteFingerprint = ({ identity }: ServedCheckpoint, served: string): string =>
  `remote-${hash([identity, served])}`;

const hash = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex");

// The families of decoders that can be computed, by the name config.json gives them.

import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import type { Decoder } from "../decoder.ts";
import { type Config, unsupported } from "./config-fields.ts";
import { describeFamily, type Family } from "./family.ts";
import { gemma, gemma2 } from "./gemma.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { phi3 } from "./phi3.ts";
import { qwen2, qwen3 } from "./qwen.ts";

const FAMILIES: ReadonlyMap<unknown, Family> = new Map(
  Object.entries({ llama, mistral, qwen2, qwen3, gemma, gemma2, phi3 }),
);

/** A configuration with what it leaves out filled in as its family does; families that are not known leave nothing out. */
export const completeConfig = (config: Config): Config => ({
  ...FAMILIES.get(config.model_type)?.defaults,
  ...config,
});

/** Describes a checkpoint's decoder, or refuses it by name. */
export function describeDecoder(checkpoint: Pick<Checkpoint, "config" | "tensors">): Decoder {
  const name = checkpoint.config.model_type;
  const family = FAMILIES.get(name);
  if (family === undefined) throw unsupported(`model_type ${JSON.stringify(name) ?? "absent"}`);
  return describeFamily(family, checkpoint);
}

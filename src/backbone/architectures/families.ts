// The families of decoders that can be computed, by the name config.json gives them.

import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import type { Decoder } from "../decoder.ts";
import { unsupported } from "./config-fields.ts";
import { describeLlama } from "./llama.ts";

type Describe = (checkpoint: Pick<Checkpoint, "config" | "tensors">) => Decoder;

const FAMILIES: ReadonlyMap<unknown, Describe> = new Map([["llama", describeLlama]]);

/** Describes a checkpoint's decoder, or refuses it by name. */
export function describeDecoder(checkpoint: Pick<Checkpoint, "config" | "tensors">): Decoder {
  const family = checkpoint.config.model_type;
  const describe = FAMILIES.get(family);
  if (describe === undefined) throw unsupported(`model_type ${JSON.stringify(family) ?? "absent"}`);
  return describe(checkpoint);
}

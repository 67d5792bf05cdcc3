// Which model this is, whatever its folder is called: what a run must share with the run that it continues.

import { createHash } from "node:crypto";
import { headsToTensors } from "../armo/heads.ts";
import type { ModelDirectory } from "../armo/model-directory.ts";
import { type ChatFlags, chatOptions } from "./backbone-options.ts";

/** Everything about a model and a command's options for it that decides scores. */
export async function modelIdentity({ heads, backbone, chat }: ModelDirectory, flags: ChatFlags) {
  const hash = createHash("sha256");
  for (const [name, { shape, data }] of headsToTensors(heads)) {
    hash.update(`${name} ${shape.join()}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return {
    heads: hash.digest("hex"),
    objectives: heads.objectives,
    temperature: heads.gate.temperature,
    backbone: backbone.fingerprint ?? backbone.location,
    chat: chat?.fingerprint ?? null,
    options: await chatOptions(flags),
  };
}

// Which model this is, whatever its folder is called: what a run must share with the run that it continues.

import type { ScorerDirectory } from "../scoring/model-directory.ts";
import { type BackboneFlags, chatOptions } from "./backbone-options.ts";

/** Everything about a model and a command's options for it that decides scores. */
export async function modelIdentity({ scorer, backbone, chat }: ScorerDirectory, flags: BackboneFlags) {
  return {
    ...scorer.identity(),
    backbone: backbone.fingerprint ?? backbone.location,
    chat: chat?.fingerprint ?? null,
    options: await chatOptions(flags),
    dtype: flags.dtype ?? "auto",
    device: flags.device ?? "auto",
  };
}

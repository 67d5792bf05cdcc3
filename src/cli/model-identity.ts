// Which model this is, whatever its folder is called: what a run must share with the run that it continues.

import { parseRemoteLocation } from "../checkpoint/remote-location.ts";
import type { ScorerDirectory } from "../scoring/model-directory.ts";
import { type BackboneFlags, chatOptions } from "./backbone-options.ts";

/** Everything about a model and a command's options for it that decides scores. */
export async function modelIdentity(
  { scorer, backbone, chat }: ScorerDirectory,
  flags: BackboneFlags & { readonly backbone?: string },
) {
  // Which endpoints an engine has decides nothing; that it computes, and in what, does.
  const remote = parseRemoteLocation(flags.backbone ?? backbone.location);
  return {
    ...scorer.identity(),
    backbone: backbone.fingerprint ?? backbone.location,
    chat: chat?.fingerprint ?? null,
    options: await chatOptions(flags),
    dtype: flags.dtype ?? "auto",
    device: flags.device ?? "auto",
    ...(remote === null ? {} : { engine: remote.engine, engineDtype: remote.settings.dtype ?? null }),
  };
}

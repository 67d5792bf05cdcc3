import { locateCheckpoint } from "../checkpoint/location.ts";
import { type LocalModelOptions, type LocalRewardModel, openLocalModel } from "../scoring/local-model.ts";
import { openIsolatedModel } from "./isolated-model.ts";
import { openModelDirectory } from "./open-model-directory.ts";

export interface RewardModelOptions extends LocalModelOptions {
  /** Keep the model in a child process: scoring then leaves this process's event loop free. Default false. */
  readonly isolate?: boolean;
}

/**
 * Opens a reward model: a directory that `armorm train` has written, or a checkpoint with its backbone, which may be an
 * ArmoRM in the published layout (`LlamaForRewardModelWithGating`) or a Bradley–Terry model (`…ForSequenceClassification` with
 * one label).
 *
 * @param location The model directory, or `org/name[@revision]` on the hub.
 * @throws {InputError} If the directory is no model, or its backbone is missing or another one than it was trained on.
 * @example
 * await using model = await openRewardModel("model");
 * const [score] = await model.score([[
 *   { role: "user", content: "Name a prime." },
 *   { role: "assistant", content: "Seven." },
 * ]]);
 */
export async function openRewardModel(
  location: string,
  options: RewardModelOptions = {},
): Promise<LocalRewardModel> {
  const { isolate = false, ...own } = options;
  if (isolate) return openIsolatedModel(await locateCheckpoint(location), own);
  return openLocalModel(await openModelDirectory(location), own);
}

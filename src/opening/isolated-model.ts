// A reward model in a process of its own.

import { readTrainingPrompts } from "../armo/training-prompts.ts";
import type { LocatedCheckpoint } from "../checkpoint/location.ts";
import { type IsolatedWords, startIsolated } from "../engine/isolation/caller.ts";
import type { Score } from "../reward-model.ts";
import type { LocalModelOptions, LocalRewardModel } from "../scoring/local-model.ts";
import type { OpenedModel, Ranked, Task } from "./model-messages.ts";

/**
 * `openRewardModel` with `isolate: true`: the same model, the same bits and the same errors, from a child process.
 *
 * An aborted call rejects at once; the child stops between two batches. When the child dies, calls reject, and the model
 * must be opened again. The child ends with `close`, or with this process, however that ends. A model that is idle
 * does not keep this process alive.
 *
 * Cost: a start of some 100 ms, and the memory of another Node process.
 */
export async function openIsolatedModel(
  { directory, name: location }: LocatedCheckpoint,
  { onQuantize: onProgress, onNote, signal, ...options }: LocalModelOptions,
): Promise<IsolatedModel> {
  const remote = startIsolated<Task, ModelProcessEnded>("model-process", import.meta.url, WORDS);
  try {
    const watch = { onProgress, onNote, signal };
    const { value } = await remote.call({ method: "open", location, options }, [], watch);
    const { objectives, marginScale, transform, arithmetic, knowsPrompts } = value as OpenedModel;
    const trainedOn = knowsPrompts ? (await readTrainingPrompts(directory)).trainedOn : null;
    return {
      objectives,
      marginScale,
      transform,
      arithmetic,
      trainedOn,
      ended: remote.ended,
      pid: remote.pid,
      async score(conversations, { signal, onProgress, ...options } = {}) {
        const watch = { signal, onProgress };
        return (await remote.call({ method: "score", options }, conversations, watch)).results as Score[];
      },
      async scoreTokens(ids, { signal, onProgress, ...options } = {}) {
        const watch = { signal, onProgress };
        return (await remote.call({ method: "scoreTokens", options }, ids, watch)).results as Score[];
      },
      async compare(prompt, responses, { signal, onProgress, ...options } = {}) {
        const watch = { signal, onProgress };
        const task = { method: "compare", prompt, options } as const;
        const { results, value } = await remote.call(task, responses, watch);
        return { responses: results as Score[], ...(value as Ranked) };
      },
      close: remote.close,
      [Symbol.asyncDispose]: remote.close,
    };
  } catch (error) {
    await remote.close();
    throw error;
  }
}

/** A model in a process that may die under it. */
export interface IsolatedModel extends LocalRewardModel {
  /** Resolves when the process has ended, however it did, with what every later call rejects with. */
  readonly ended: Promise<ModelProcessEnded>;
  readonly pid: number | undefined;
}

/** Why calls to an isolated model reject once its process is gone; what a call itself does wrong is another error. */
export class ModelProcessEnded extends Error {}

const WORDS: IsolatedWords<ModelProcessEnded> = {
  closed: () => new ModelProcessEnded("isolated model: the model is closed"),
  died: (how) => new ModelProcessEnded(`isolated model: the model's process ${how}; open the model again`),
};

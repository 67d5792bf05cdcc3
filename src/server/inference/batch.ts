// Conversations of several requests, computed together; what is wrong with one stays its own.

import { InputError } from "../../errors.ts";
import { ModelProcessEnded } from "../../opening/isolated-model.ts";
import type { Score, ScoreOptions } from "../../reward-model.ts";
import type { LocalRewardModel } from "../../scoring/local-model.ts";
import type { Item } from "./queue.ts";

/** What became of an item: its score, or why there is none. */
export type Outcome = Score | Error;

/**
 * Scores items together. If the model refuses them, each half by itself, down to the one that it refuses: what it checks, it checks
 * before it computes, so that costs little. Scores do not depend on the batch.
 *
 * @throws {ModelProcessEnded} If the process dies over them. @throws The signal's reason.
 */
export async function computeItems(
  model: Pick<LocalRewardModel, "score">,
  items: readonly Item[],
  options: ScoreOptions & { readonly signal: AbortSignal },
): Promise<readonly Outcome[]> {
  const { trace } = items[0]!.job;
  const conversations = items.map(({ conversation }) => conversation);
  try {
    return await model.score(conversations, trace === null ? options : { ...options, trace });
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof ModelProcessEnded) throw error;
    const reason = error instanceof Error ? error : new Error(String(error));
    if (items.length === 1 || isShared(reason)) return items.map(() => reason);
    const middle = items.length >> 1;
    return [
      ...(await computeItems(model, items.slice(0, middle), options)),
      ...(await computeItems(model, items.slice(middle), options)),
    ];
  }
}

/** An engine elsewhere that does not answer fails them all; asking it again for each would only take longer. */
const isShared = (error: Error): boolean => error instanceof InputError && error.code.startsWith("remote-");

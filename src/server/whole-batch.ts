// For formats that have no place for an error among rewards: all items are scored, or the request fails and names the first that is not.

import type { Scorable } from "../chat/messages.ts";
import { InputError } from "../errors.ts";
import type { Score } from "../reward-model.ts";
import type { Call, ServerApp } from "./app.ts";
import { HttpError } from "./errors.ts";
import { finiteScore } from "./finite-score.ts";
import { requireItems } from "./limits.ts";

/**
 * Scores every item, or none.
 *
 * @param items Each read when its turn comes: what reading throws is the item's error.
 * @param what The field that holds them, for messages: `query[3]: …`.
 * @throws {HttpError} With the item's place in front of its own code and message. A reward that is made up would train the policy on it,
 *   and one left out would shift the others.
 */
export async function scoreWhole(
  app: ServerApp,
  items: readonly (() => Scorable)[],
  what: string,
  call: Call,
): Promise<readonly Score[]> {
  requireItems(items.length, what, app.limits);
  call.note({ items: items.length });
  if (items.length === 0) return [];
  const place = (index: number) => (items.length === 1 ? what : `${what}[${index}]`);
  const conversations = items.map((read, index) => {
    try {
      return read();
    } catch (error) {
      throw placed(error, place(index));
    }
  });
  const results = await app.service.score(conversations, { signal: call.signal });
  return results.map((given, index) => {
    const result = finiteScore(given);
    if (result instanceof Error) throw placed(result, place(index));
    return result;
  });
}

function placed(error: unknown, place: string): unknown {
  if (error instanceof InputError) {
    return new InputError(error.code, `${place}: ${error.message}`, error.remedy);
  }
  if (error instanceof HttpError) {
    return new HttpError(error.status, error.code, `${place}: ${error.message}`, error.remedy, error.headers);
  }
  return error;
}

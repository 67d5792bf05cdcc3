import type { Chat, EncodedConversation } from "./chat.ts";
import type { Message } from "./messages.ts";

/** What happens to a conversation with too many tokens: it is left out, or its prompt loses its oldest turns. */
export type OverlongPolicy = "reject" | "drop-oldest-turns";

/** A conversation that fits: `messages` are those that were kept. */
export interface FittingConversation {
  readonly encoded: EncodedConversation;
  readonly droppedTurns: number;
  readonly messages: readonly Message[];
}

/** A conversation that does not fit, with its length: `too long: 733 tokens, limit 512`. */
export interface RejectedConversation {
  readonly rejected: string;
}

/**
 * Encodes a conversation within a limit.
 *
 * A turn is a user's message with everything up to the user's next one; system messages at the beginning, the last turn
 * and the response are never dropped, and nothing is ever cut in the middle.
 *
 * @param maxTokens Limit on the whole conversation, at least 1.
 * @throws {RangeError} on a limit below 1; {@link InputError} as `chat.encode` does.
 *
 * Cost: one encoding, and when turns are dropped log₂(turns) more.
 */
export function encodeWithin(
  chat: Chat,
  messages: readonly Message[],
  maxTokens: number,
  policy: OverlongPolicy,
): FittingConversation | RejectedConversation {
  if (!(Number.isInteger(maxTokens) && maxTokens >= 1)) {
    throw new RangeError(`encodeWithin: maxTokens must be an integer ≥ 1, got ${maxTokens}`);
  }
  const whole = chat.encode(messages);
  if (whole.ids.length <= maxTokens) return { encoded: whole, droppedTurns: 0, messages };
  const tooLong = `too long: ${whole.ids.length} tokens, limit ${maxTokens}`;
  if (policy === "reject") return { rejected: tooLong };

  const { head, turnStarts } = turnsOf(messages);
  const without = (droppedTurns: number): FittingConversation => {
    const kept = [...messages.slice(0, head), ...messages.slice(turnStarts[droppedTurns]!)];
    return { encoded: chat.encode(kept), droppedTurns, messages: kept };
  };
  const most = turnStarts.length - 1;
  if (most === 0) return { rejected: tooLong };
  let best = without(most);
  if (best.encoded.ids.length > maxTokens) {
    return { rejected: `${tooLong} (${best.encoded.ids.length} without the ${most} oldest turns)` };
  }
  let low = 1;
  while (low < best.droppedTurns) {
    const tried = without((low + best.droppedTurns) >> 1);
    if (tried.encoded.ids.length <= maxTokens) best = tried;
    else low = tried.droppedTurns + 1;
  }
  return best;
}

/** `head` messages stay; the prompt's turns begin at `turnStarts`, at least one. */
function turnsOf(messages: readonly Message[]): { head: number; turnStarts: number[] } {
  let head = 0;
  const isSystem = (index: number) => ["system", "developer"].includes(messages[index]!.role);
  while (head < messages.length - 2 && isSystem(head)) head += 1;
  const turnStarts = [head];
  for (let index = head + 1; index < messages.length - 1; index += 1) {
    if (messages[index]!.role === "user" && messages[index - 1]!.role !== "user") turnStarts.push(index);
  }
  return { head, turnStarts };
}

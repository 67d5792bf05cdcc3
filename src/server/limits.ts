// How much one request may ask for.

import type { Message } from "../chat/messages.ts";
import type { TraceUnit } from "../reward-model.ts";
import { HttpError } from "./errors.ts";
import type { ServedModel } from "./service.ts";

export interface Limits {
  /** Bytes of a request's body. */
  readonly maxBodyBytes: number;
  /** Conversations, or responses to compare, in one request. */
  readonly maxItems: number;
  /** Messages in one conversation. */
  readonly maxMessages: number;
}

export const DEFAULT_LIMITS: Limits = { maxBodyBytes: 8 << 20, maxItems: 256, maxMessages: 1024 };

/** @throws {HttpError} 413 `too-many-items`, with what was expected and got. */
export function requireItems(count: number, what: string, { maxItems }: Limits): void {
  if (count <= maxItems) return;
  throw new HttpError(
    413,
    "too-many-items",
    `${what}: expected at most ${maxItems}, got ${count}`,
    "send them in several requests",
  );
}

/**
 * A prompt with many responses is as many conversations: it counts once for each, as if they were sent whole.
 *
 * @throws {HttpError} 413 `body-too-large`
 */
export function requireShared(prompt: string, responses: number, { maxBodyBytes }: Limits): void {
  const bytes = Buffer.byteLength(prompt) * responses;
  if (bytes <= maxBodyBytes) return;
  throw new HttpError(
    413,
    "body-too-large",
    `prompt: expected at most ${maxBodyBytes} bytes, once for each of ${responses} responses, got ${bytes}`,
    "send fewer responses at once, or start the server with a higher --max-body",
  );
}

/** Why a conversation has too many messages, or null. */
export function refuseMessages(count: number, what: string, { maxMessages }: Limits): HttpError | null {
  if (count <= maxMessages) return null;
  return new HttpError(
    413,
    "too-many-messages",
    `${what}: expected at most ${maxMessages} messages, got ${count}`,
    "shorten the conversation",
  );
}

/** An answer is one string, of which V8 takes half a billion characters, and stands in memory several times as it is made. */
const MOST_TRACE_BYTES = 256 << 20;
/** What JSON writes of a number: a sign, 17 digits, a point, an exponent, and what stands between two of them. */
const NUMBER_BYTES = 26;
/** Where a sentence may end. */
const SENTENCE_MARK = /[\p{Sentence_Terminal}\u2024\n\r\u0085\u2028\u2029]/gu;

/**
 * Refuses traces whose answer could become too large, before anything is computed. How many steps there will be only the tokenizer
 * knows: a token has at least a byte, a sentence at least a mark or a line's end, and both are at most the model's tokens.
 *
 * @throws {HttpError} 413 `trace-too-large`
 */
export function requireTraceable(
  conversations: readonly (readonly Message[])[],
  trace: TraceUnit | undefined,
  { objectives, maxTokens }: Pick<ServedModel, "objectives" | "maxTokens">,
): void {
  if (trace === undefined) return;
  const names = objectives.reduce((sum, { name }) => sum + Buffer.byteLength(JSON.stringify(name)), 0);
  const stepBytes = names + (objectives.length + 2) * NUMBER_BYTES;
  const most = Math.floor(MOST_TRACE_BYTES / stepBytes);
  const steps = conversations.reduce(
    (sum, messages) => sum + mostSteps(messages.at(-1)!.content, trace, maxTokens),
    0,
  );
  if (steps <= most) return;
  throw new HttpError(
    413,
    "trace-too-large",
    `trace: expected responses of at most ${most} steps together for ${objectives.length} objectives, got some of up to ${steps}`,
    `send fewer or shorter responses at once${trace === "token" ? ', or trace by "sentence"' : ""}`,
  );
}

/** How many steps a response may have at most. The end of the turn is one of its own, and so is what follows the last mark. */
export function mostSteps(response: string, unit: TraceUnit, most: number): number {
  if (unit === "token") return Math.min(Buffer.byteLength(response) + 1, most);
  let steps = 2;
  for (const _ of response.matchAll(SENTENCE_MARK)) if (++steps >= most) return most;
  return steps;
}

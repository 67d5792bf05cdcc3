// How much one request may ask for.

import { HttpError } from "./errors.ts";

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

import { InputError } from "../errors.ts";

/** One turn of a conversation. */
export interface Message {
  readonly role: string;
  readonly content: string;
}

/** A conversation that was tokenized elsewhere, prompt and response. */
export interface TokenizedConversation {
  readonly ids: readonly number[];
}

/**
 * Text that was decoded from a policy's token ids, control tokens kept: a conversation whole, and its prompt's text where that is known
 * too; or a prompt's messages, and the text of the response.
 */
export type DecodedText =
  | { readonly text: string; readonly prompt?: string | undefined }
  | { readonly prompt: readonly Message[]; readonly response: string };

/** What a model with a tokenizer of its own can score. */
export type Scorable = readonly Message[] | TokenizedConversation | DecodedText;

/** Whether a conversation comes as token ids. */
export function isTokenized(conversation: Scorable): conversation is TokenizedConversation {
  return !Array.isArray(conversation) && Array.isArray((conversation as TokenizedConversation | null)?.ids);
}

/** Whether a conversation comes as text that a policy's template has rendered. */
export function isDecoded(conversation: Scorable): conversation is DecodedText {
  if (typeof conversation !== "object" || conversation === null) return false;
  return "text" in conversation || "response" in conversation;
}

/**
 * Roles that may appear in a conversation. The list is closed because templates write the role between their own
 * special tokens: a free role would be a way to forge them, and a misspelt one would be scored as something else.
 */
const ROLES = ["system", "developer", "user", "assistant", "tool", "function", "ipython"] as const;

/**
 * Checks that `value` is a non-empty array of `{ role, content }` with a known role and text as content.
 *
 * @param what Who asks, as it should begin the error: `"embed"`, `"row 12"`.
 * @returns The messages with nothing but role and content.
 * @throws {InputError} `bad-messages`
 */
export function validateMessages(value: unknown, what: string): Message[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new InputError(
      "bad-messages",
      `${what}: expected a non-empty array of messages, got ${describe(value)}`,
      'give [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]',
    );
  }
  return value.map((message: unknown, index) => validateMessage(message, `${what}: message ${index}`));
}

/**
 * Checks messages that are to be scored: a prompt of at least one message, then the assistant's response.
 *
 * @param what Who asks, as it should begin the error.
 * @throws {InputError} `bad-messages`; `embed: the last message must come from the assistant, got role "user"`
 */
export function validateConversation(value: unknown, what: string): Message[] {
  const messages = validateMessages(value, what);
  const last = messages[messages.length - 1]!;
  if (last.role !== "assistant") {
    throw new InputError(
      "bad-messages",
      `${what}: the last message must come from the assistant, got role ${JSON.stringify(last.role)}`,
      "add the response to score",
    );
  }
  if (messages.length === 1) {
    throw new InputError(
      "bad-messages",
      `${what}: expected a prompt before the assistant's response, got the response alone`,
      "add the messages that the assistant answers",
    );
  }
  return messages;
}

function validateMessage(value: unknown, what: string): Message {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError(
      "bad-messages",
      `${what}: expected {"role", "content"}, got ${describe(value)}`,
      "give every message a role and a content",
    );
  }
  const { role, content, tool_calls: toolCalls } = value as Record<string, unknown>;
  if (typeof role !== "string" || !(ROLES as readonly string[]).includes(role)) {
    throw new InputError(
      "bad-messages",
      `${what}: role must be one of ${ROLES.join(", ")}, got ${describe(role)}`,
      'rename the role; what a person says is "user", what the model says is "assistant"',
    );
  }
  if (typeof content !== "string") {
    throw new InputError(
      "bad-messages",
      `${what}: content must be a string, got ${describe(content)}`,
      "give the text of the message; images and structured parts cannot be scored",
    );
  }
  const surrogate = /\p{Surrogate}/u.exec(content);
  if (surrogate !== null) {
    const code = surrogate[0].charCodeAt(0).toString(16).toUpperCase();
    throw new InputError(
      "bad-messages",
      `${what}: content must be valid Unicode, got half a character (U+${code}) at position ${surrogate.index}`,
      "the text was cut inside a character; mend or leave out the row",
    );
  }
  // Leaving calls out would silently score another conversation than the one given.
  if (
    toolCalls !== undefined &&
    toolCalls !== null &&
    !(Array.isArray(toolCalls) && toolCalls.length === 0)
  ) {
    throw new InputError(
      "bad-messages",
      `${what}: tool_calls are not supported, got ${describe(toolCalls)}`,
      "write the call into the message's content, or leave the row out",
    );
  }
  return { role, content };
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : `an array of ${value.length}`;
  if (typeof value === "object") return "an object";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

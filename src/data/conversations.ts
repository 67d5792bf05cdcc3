import { type Message, validateConversation } from "../chat/messages.ts";
import { parseAnswers } from "./answers.ts";
import type { DataSource } from "./byte-source.ts";
import { badRow, describe, type Fields, fieldsOf, promptFrom, rowId } from "./fields.ts";
import { recogniseFormat } from "./formats/formats.ts";
import type { ComparisonRow, ConversationRow, RowError } from "./records.ts";
import type { Row } from "./row.ts";
import { lineOf, readRecords } from "./rows.ts";

/**
 * Streams conversations to be scored, from a path or a stream.
 *
 * A row is `{messages}` ending with the assistant, a bare array of messages, or `{prompt, response}`; `id` passes
 * through. Rows of rated public data sets are recognised, each by itself. Rows stand one per line, or in a JSON array. A document that is one array of messages is one conversation.
 *
 * @param name What to call the source in messages.
 * @throws {InputError} those of `readRows`.
 */
export function readConversations(
  source: DataSource,
  name?: string,
): AsyncGenerator<ConversationRow | RowError, void, undefined> {
  const parse = (value: unknown, row: Row): ConversationRow => {
    return { kind: "conversation", id: rowId(value), ...lineOf(row), messages: parseConversation(value) };
  };
  return readRecords(source, parse, { ...(name === undefined ? {} : { name }), expand: conversationsIn });
}

function conversationsIn(value: unknown): readonly unknown[] {
  const format = recogniseFormat(value);
  return format?.kind === "ratings" ? format.toOwn(value as Fields, true) : [value];
}

/**
 * Streams prompts with the responses to be compared: `{prompt, responses}` with at least two responses, the prompt as
 * text or messages (or in `messages`); `id` passes through.
 *
 * @param name What to call the source in messages.
 * @throws {InputError} those of `readRows`.
 */
export function readComparisons(
  source: DataSource,
  name?: string,
): AsyncGenerator<ComparisonRow | RowError, void, undefined> {
  return readAnswers(source, name, 2);
}

/**
 * Streams prompts with the responses to choose from, one or more; otherwise {@link readComparisons}.
 *
 * @param name What to call the source in messages.
 * @throws {InputError} those of `readRows`.
 */
export function readCandidates(
  source: DataSource,
  name?: string,
): AsyncGenerator<ComparisonRow | RowError, void, undefined> {
  return readAnswers(source, name, 1);
}

function readAnswers(source: DataSource, name: string | undefined, fewest: number) {
  const parse = (value: unknown, row: Row): ComparisonRow => {
    return { kind: "comparison", id: rowId(value), ...lineOf(row), ...parseAnswers(value, fewest) };
  };
  return readRecords(source, parse, name === undefined ? {} : { name });
}

function parseConversation(value: unknown): Message[] {
  if (Array.isArray(value)) return validateConversation(value, "messages");
  const fields = fieldsOf(value, "messages, or prompt and response");
  if (fields.response === undefined) {
    if (fields.messages !== undefined) return validateConversation(fields.messages, "messages");
    if ("responses" in fields) {
      throw badRow("row: expected one response, got several", "compare or rank them, or score one per row");
    }
    throw badRow("row: expected messages, or prompt and response, got neither", "add the conversation");
  }
  if (typeof fields.response !== "string") {
    throw badRow(`response: expected text, got ${describe(fields.response)}`, "give the response");
  }
  const prompt = promptFrom(
    fields.messages ?? fields.prompt,
    fields.messages === undefined ? "prompt" : "messages",
  );
  return [...prompt, { role: "assistant", content: fields.response }];
}

import { type Message, validateMessages } from "../chat/messages.ts";
import { bestOfNPrompt, isBestOfN } from "./best-of-n.ts";
import { badRow, fieldsOf, promptFrom } from "./fields.ts";
import { type FormatOptions, formatReader } from "./formats/formats.ts";
import type { DataLocation } from "./location.ts";
import { parsePair } from "./pairs.ts";
import { promptHash } from "./prompt-hash.ts";
import type { RowError } from "./records.ts";
import type { Row } from "./row.ts";
import { readRows, rejectRow } from "./rows.ts";

/**
 * Streams the rows of a file of any kind with the hashes of their prompts.
 *
 * @throws {InputError} Those of `readRows`.
 */
export async function* readRowsWithPrompt(
  location: DataLocation,
  options: Pick<FormatOptions, "onFormat"> = {},
): AsyncGenerator<(Row & { readonly promptHash: string }) | RowError, void, undefined> {
  const { toOwn } = formatReader(location, null, options);
  for await (const row of readRows(location.path)) {
    if (row.kind === "error") {
      yield row;
      continue;
    }
    let hash: string;
    try {
      hash = promptHash(promptOfRow(toOwn(row.value)[0], location));
    } catch (error) {
      yield rejectRow(row, error);
      continue;
    }
    yield Object.assign(row, { promptHash: hash });
  }
}

/**
 * The prompt of a row of any kind: ratings, pairs, responses to compare or labelled, steps, conversations, or anything else with a
 * `prompt` or `messages`. It is the prompt that the reader of that kind would find, so hashes agree across kinds.
 *
 * @throws {InputError} `bad-row`, or what the messages' validation throws.
 */
export function promptOfRow(value: unknown, location: DataLocation): readonly Message[] {
  if (Array.isArray(value)) return beforeResponse(value);
  const fields = fieldsOf(value, "a prompt or messages");
  if (isBestOfN(fields)) return bestOfNPrompt(fields);
  if (fields.chosen !== undefined && fields.rejected !== undefined) return parsePair(value, location).prompt;
  if (fields.messages === undefined && fields.prompt === undefined) {
    throw badRow("row: expected a prompt or messages, got neither", "add the prompt");
  }
  // Responses to compare name their prompt first; every other kind takes messages for the fuller form.
  const promptFirst = fields.responses !== undefined && fields.prompt !== undefined;
  if (fields.messages === undefined || promptFirst) return promptFrom(fields.prompt, "prompt");
  const apart = fields.response !== undefined || fields.responses !== undefined;
  return apart ? promptFrom(fields.messages, "messages") : beforeResponse(fields.messages);
}

/** Messages without the response that may end them. */
function beforeResponse(value: unknown): readonly Message[] {
  const messages = validateMessages(value, "messages");
  const prompt = messages.at(-1)!.role === "assistant" ? messages.slice(0, -1) : messages;
  if (prompt.length === 0) {
    throw badRow("messages: expected a prompt before the response, got none", "add the prompt");
  }
  return prompt;
}

import type { Message } from "../chat/messages.ts";
import { badRow, describe, fieldsOf, promptFrom } from "./fields.ts";

/**
 * A row `{prompt, responses}` with at least `fewest` responses, the prompt as text or messages (or in `messages`).
 *
 * @throws {InputError} `bad-row`, or what the messages' validation throws.
 */
export function parseAnswers(value: unknown, fewest: number): { prompt: Message[]; responses: string[] } {
  const fields = fieldsOf(value, "prompt and responses");
  const prompt = promptFrom(
    fields.prompt ?? fields.messages,
    fields.prompt === undefined ? "messages" : "prompt",
  );
  const { responses } = fields;
  if (!Array.isArray(responses)) {
    throw badRow(
      `responses: expected an array of texts, got ${describe(responses)}`,
      "give the responses as texts",
    );
  }
  if (responses.length < fewest) {
    throw badRow(
      `responses: expected at least ${fewest === 1 ? "one" : "two"}, got ${responses.length}`,
      fewest === 1 ? "add a response, or leave the row out" : "add a response, or rank or score it alone",
    );
  }
  for (const [index, response] of responses.entries()) {
    if (typeof response !== "string") {
      throw badRow(
        `responses[${index}]: expected text, got ${describe(response)}`,
        "give responses as strings",
      );
    }
  }
  return { prompt, responses };
}

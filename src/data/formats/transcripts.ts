import { badRow, describe, type Fields } from "../fields.ts";
import type { DataFormat } from "./data-format.ts";

const TURN = /(?:^|\n\n)(Human|Assistant):/;

/**
 * Transcripts as in Anthropic's HH-RLHF: `chosen` and `rejected` as text, `\n\nHuman: … \n\nAssistant: …`, with the prompt
 * in both. The last turn of the assistant is the response. White space around turns is left out.
 *
 * Source: Anthropic/hh-rlhf.
 */
export const TRANSCRIPTS: DataFormat = {
  name: "transcripts",
  kind: "pairs",
  title: "transcripts (Human: …, Assistant: …), the last turn being the response",
  fits: (row) =>
    row.prompt === undefined && row.messages === undefined && [row.chosen, row.rejected].every(isTranscript),
  toOwn: (row) => [
    { ...row, chosen: turnsOf(row.chosen, "chosen"), rejected: turnsOf(row.rejected, "rejected") },
  ],
};

const isTranscript = (text: unknown): boolean => typeof text === "string" && /^\s*Human:/.test(text);

function turnsOf(value: unknown, what: string): Fields[] {
  if (typeof value !== "string" || !isTranscript(value)) {
    throw badRow(
      `${what}: expected a transcript that begins with "Human:", got ${describe(value)}`,
      "leave the row out",
    );
  }
  // With one group, every second part is the speaker's name; nothing stands before the first.
  const [, ...parts] = value.trim().split(TURN);
  const messages: Fields[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    messages.push({ role: parts[i] === "Human" ? "user" : "assistant", content: parts[i + 1]!.trim() });
  }
  return messages;
}

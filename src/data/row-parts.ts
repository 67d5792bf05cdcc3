import type { Message } from "../chat/messages.ts";
import { isBestOfN, parseBestOfN } from "./best-of-n.ts";
import { badRow, describe, fieldsOf } from "./fields.ts";
import type { DataLocation } from "./location.ts";
import { type ObjectiveSelection, ratedColumns } from "./objective-selection.ts";
import { parsePair } from "./pairs.ts";
import { promptOfRow } from "./prompt-of-row.ts";
import { parseRating } from "./ratings.ts";

/** What the rows of a file are. */
export type DataKind = "ratings" | "pairs" | "best-of-n" | "comparisons" | "steps" | "conversations";

/** A row's texts, whatever its kind, and what a row of its kind says about them. */
export interface RowParts {
  readonly prompt: readonly Message[];
  /** Text by part. Several responses to one prompt are `response` each. */
  readonly responses: readonly (readonly [part: string, text: string])[];
  readonly ratings?: Readonly<Record<string, number>>;
  readonly subset?: string | null;
}

/**
 * Tells what a row is; null where it is no row at all.
 *
 * @param columns Ratings that may stand as columns of their own.
 */
export function kindOf(
  value: unknown,
  { prefix }: DataLocation,
  columns: ObjectiveSelection | undefined,
): DataKind | null {
  if (Array.isArray(value)) return "conversations";
  if (typeof value !== "object" || value === null) return null;
  const row = value as Record<string, unknown>;
  if (isBestOfN(row)) return "best-of-n";
  if ("chosen" in row || "rejected" in row) return "pairs";
  if ("steps" in row) return "steps";
  if ("responses" in row) return "comparisons";
  const rated = ["ratings", "attributes", "labels"].some(
    (name) => typeof row[name] === "object" && row[name] !== null,
  );
  return rated || (columns && ratedColumns(row, prefix, columns).length > 0) ? "ratings" : "conversations";
}

/**
 * Takes a row of a known kind apart.
 *
 * @throws {InputError} `bad-row`, or what the messages' validation throws.
 */
export function partsOf(
  value: unknown,
  kind: DataKind,
  location: DataLocation,
  columns: ObjectiveSelection | undefined,
): RowParts {
  if (kind === "pairs") {
    const { prompt, chosen, rejected, subset } = parsePair(value, location);
    const responses = [["chosen", chosen] as const, ["rejected", rejected] as const];
    return { prompt, responses, subset };
  }
  if (kind === "best-of-n") {
    const { prompt, responses, subset } = parseBestOfN(value, location);
    return { prompt, responses: responses.map((text) => ["response", text] as const), subset };
  }
  if (kind === "ratings") {
    const { messages, ratings } = parseRating(value, location, columns);
    return { prompt: messages.slice(0, -1), responses: [["response", messages.at(-1)!.content]], ratings };
  }
  const prompt = promptOfRow(value, location);
  const texts = responseTexts(value, kind);
  return { prompt, responses: texts.map((text) => ["response", text] as const) };
}

/** The responses of a row without labels; none where a prompt stands alone. */
function responseTexts(value: unknown, kind: DataKind): string[] {
  if (Array.isArray(value)) return lastOfAssistant(value);
  const fields = fieldsOf(value, "a prompt or messages");
  if (kind === "comparisons") return textsIn(fields.responses, "responses");
  if (kind === "steps") return [textsIn(fields.steps, "steps").join("\n")];
  if (fields.response === undefined) return lastOfAssistant(fields.messages);
  return textsIn([fields.response], "response");
}

function lastOfAssistant(messages: unknown): string[] {
  const last = Array.isArray(messages) ? (messages.at(-1) as Message | undefined) : undefined;
  return last?.role === "assistant" ? [last.content] : [];
}

function textsIn(value: unknown, what: string): string[] {
  if (Array.isArray(value) && value.every((text) => typeof text === "string")) return value;
  throw badRow(`${what}: expected text, got ${describe(value)}`, "give strings");
}

import { type Message, validateMessages } from "../chat/messages.ts";
import { InputError } from "../errors.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** A row that cannot be used; the readers turn it into a `RowError`. */
export function badRow(message: string, remedy: string): InputError {
  return new InputError("bad-row", message, remedy);
}

/**
 * The row's fields, or a refusal that names what is expected instead. Null counts as absent: tables written as JSONL
 * hold every column in every row.
 */
export function fieldsOf(value: unknown, expected: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
  }
  throw badRow(
    `row: expected an object with ${expected}, got ${describe(value)}`,
    "write one object per row",
  );
}

/**
 * A prompt: text, which counts as one user message, or messages that end before the assistant's turn.
 *
 * @param what The field's name, for messages.
 */
export function promptFrom(value: unknown, what: string): Message[] {
  if (typeof value === "string") {
    if (value.trim() === "") throw badRow(`${what}: expected text, got an empty string`, "leave the row out");
    return [{ role: "user", content: value }];
  }
  if (!Array.isArray(value)) {
    throw badRow(`${what}: expected text or messages, got ${describe(value)}`, "give the prompt");
  }
  const messages = validateMessages(value, what);
  const last = messages[messages.length - 1]!;
  if (last.role === "assistant") {
    throw badRow(
      `${what}: expected to end before the assistant's turn, got role "assistant" last`,
      "give the response in a field of its own",
    );
  }
  return messages;
}

/** A response that holds more than white space. */
export function responseFrom(value: unknown, what: string): string {
  if (typeof value !== "string")
    throw badRow(`${what}: expected text, got ${describe(value)}`, "give the response");
  if (value.trim() === "") throw badRow(`${what}: expected text, got an empty response`, "leave the row out");
  return value;
}

/** The field that names the subset of a row, whatever it holds; null where there is none. */
export const subsetField = (fields: Fields): unknown =>
  fields.subset ?? fields.family ?? fields.category ?? null;

/** What names the subset of a row, or null. */
export function subsetOf(fields: Fields): string | null {
  const subset = subsetField(fields);
  if (subset === null || typeof subset === "string") return subset;
  throw badRow(`subset: expected text, got ${describe(subset)}`, "name the subset");
}

/** A row's `id`, or its `ids`; objects as JSON text, anything else as null. */
export function rowId(value: unknown): string | number | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const { id, ids } = value as { id?: unknown; ids?: unknown };
  const found = id ?? ids ?? null;
  if (typeof found === "string" || typeof found === "number") return found;
  return found === null ? null : JSON.stringify(found);
}

/** A value as it is named in messages: short, with its type. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return `the string ${JSON.stringify(value.slice(0, 40))}`;
  return String(value);
}

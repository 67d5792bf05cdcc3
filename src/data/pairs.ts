import { type Message, validateMessages } from "../chat/messages.ts";
import {
  badRow,
  describe,
  type Fields,
  fieldsOf,
  promptFrom,
  responseFrom,
  rowId,
  subsetOf,
} from "./fields.ts";
import { type FormatOptions, formatReader } from "./formats/formats.ts";
import type { DataLocation } from "./location.ts";
import { normalizePrompt, promptHash } from "./prompt-hash.ts";
import type { PreferencePair, RowError } from "./records.ts";
import type { Row } from "./row.ts";
import { readRecords } from "./rows.ts";

export interface ReadPairsOptions extends Pick<FormatOptions, "onFormat"> {
  /** Further fields of a row to keep as text; `a.b` is field b of the object a. */
  readonly fields?: readonly string[];
}

/**
 * Streams preference pairs from one or more files, in order.
 *
 * A row is `{prompt, chosen, rejected}`. The prompt is text or messages, and `messages` that hold its turns take its
 * place; chosen and rejected are text, the last message alone, or whole conversations, which may leave the prompt
 * implicit. `subset`, `family` or `category` names the subset, and `margin` says how much better the chosen response is, on
 * any scale. Formats of public data sets are recognised by the first row (`formatReader`). Rows that cannot be used, such as
 * equal responses, come out as `RowError`.
 *
 * @throws {InputError} those of `readRows` and `formatReader`, and `no-usable-rows` for a file of another kind.
 */
export async function* readPairs(
  locations: readonly DataLocation[],
  options: ReadPairsOptions = {},
): AsyncGenerator<PreferencePair | RowError, void, undefined> {
  for (const location of locations) {
    const { toOwn } = formatReader(location, "pairs", options);
    const parse = (value: unknown, row: Row) => parsePair(value, location, options, row.value);
    const { source, located = location.path } = location;
    yield* readRecords(located, parse, { source, needsOne: true, expand: toOwn });
  }
}

/**
 * One row as a preference pair.
 *
 * @throws {InputError} `bad-row`, or what the messages' validation throws.
 */
export function parsePair(
  value: unknown,
  location: DataLocation,
  { fields: wanted = [] }: ReadPairsOptions = {},
  original: unknown = value,
): PreferencePair {
  const fields = fieldsOf(value, "prompt, chosen and rejected");
  if (fields.chosen === undefined || fields.rejected === undefined) {
    const missing = fields.chosen === undefined ? "chosen" : "rejected";
    throw badRow(`${missing}: expected a response, got nothing`, "give prompt, chosen and rejected");
  }
  const chosen = sideOf(fields.chosen, "chosen");
  const rejected = sideOf(fields.rejected, "rejected");
  const prompt = promptOf(fields, chosen.before, rejected.before);
  const margin = marginOf(fields);
  if (chosen.response === rejected.response) {
    throw badRow(
      "chosen and rejected: expected two different responses, got equal ones",
      "leave the row out",
    );
  }
  return {
    kind: "pair",
    id: rowId(value),
    prompt,
    chosen: chosen.response,
    rejected: rejected.response,
    subset: subsetOf(fields),
    ...(margin === null ? {} : { margin }),
    source: location.source,
    promptHash: promptHash(prompt),
    ...(wanted.length > 0 ? { fields: fieldsAsText(original, wanted) } : {}),
  };
}

function fieldsAsText(row: unknown, names: readonly string[]): Record<string, string> {
  const at = (name: string): unknown =>
    name.split(".").reduce<unknown>((value, key) => (value as Fields | null | undefined)?.[key], row);
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = at(name) ?? null;
      return value === null ? [] : [[name, typeof value === "string" ? value : JSON.stringify(value)]];
    }),
  );
}

interface Side {
  readonly response: string;
  /** What a whole conversation holds before its response; null where the response stands alone. */
  readonly before: Message[] | null;
}

function sideOf(value: unknown, what: "chosen" | "rejected"): Side {
  if (!Array.isArray(value)) return { response: responseFrom(value, what), before: null };
  const messages = validateMessages(value, what);
  const last = messages[messages.length - 1]!;
  if (last.role !== "assistant") {
    throw badRow(`${what}: expected to end with the assistant, got role "${last.role}"`, "add the response");
  }
  const before = messages.slice(0, -1);
  return { response: responseFrom(last.content, what), before: before.length === 0 ? null : before };
}

function promptOf(
  fields: Fields,
  chosenBefore: Message[] | null,
  rejectedBefore: Message[] | null,
): Message[] {
  if (chosenBefore && rejectedBefore && !sameMessages(chosenBefore, rejectedBefore)) {
    throw badRow("chosen and rejected: expected the same prompt, got two", "pair responses to one prompt");
  }
  const implicit = chosenBefore ?? rejectedBefore;
  if (implicit === null) {
    return promptFrom(
      fields.messages ?? fields.prompt,
      fields.messages === undefined ? "prompt" : "messages",
    );
  }
  const prompt = promptFrom(implicit, chosenBefore ? "chosen" : "rejected");
  // The conversation is the fuller of the two: a prompt beside it is often its last turn or a flattened copy, and
  // `messages` beside it is often the chosen conversation once more.
  if (fields.prompt !== undefined && !agrees(promptFrom(fields.prompt, "prompt"), prompt)) {
    throw badRow(
      "prompt: expected the prompt of chosen and rejected, got another",
      "drop it or make them agree",
    );
  }
  return prompt;
}

function sameMessages(a: readonly Message[], b: readonly Message[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ role, content }, i) => role === b[i]!.role && content === b[i]!.content)
  );
}

function agrees(given: readonly Message[], conversation: readonly Message[]): boolean {
  const asked = normalizePrompt(given[given.length - 1]!.content);
  const turns = conversation
    .filter(({ role }) => role === "user")
    .map(({ content }) => normalizePrompt(content));
  return turns.some((turn) => turn.includes(asked)) || asked.includes(turns[turns.length - 1] ?? asked);
}

function marginOf({ margin = null }: Fields): number | null {
  if (margin === null || (typeof margin === "number" && Number.isFinite(margin))) return margin;
  throw badRow(`margin: expected a finite number, got ${describe(margin)}`, "give a number, or leave it out");
}

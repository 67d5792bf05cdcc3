import { type Message, validateMessages } from "../chat/messages.ts";
import { badRow, describe, type Fields, fieldsOf, promptFrom, responseFrom, rowId } from "./fields.ts";
import { type FormatOptions, formatReader } from "./formats/formats.ts";
import type { DataLocation } from "./location.ts";
import {
  expandObjectives,
  type ObjectiveSelection,
  ratedColumns,
  selectObjectives,
} from "./objective-selection.ts";
import { promptHash } from "./prompt-hash.ts";
import { type DeclaredScale, requireInScale } from "./rating-scale.ts";
import type { RatedConversation, RowError } from "./records.ts";
import { readRecords } from "./rows.ts";

export interface RatingsOptions extends Pick<FormatOptions, "onFormat"> {
  /**
   * Objectives to keep, under their full names (with the location's prefix) or as patterns with `*`. Rows without any of
   * them are left out. Naming them also admits ratings that stand as numeric columns beside `messages`. Default: every
   * objective found.
   */
  readonly objectives?: readonly string[];
  /** Declared scales: a rating to keep that is outside its range makes its row a `RowError`. Default: none. */
  readonly scales?: readonly DeclaredScale[];
  /** Called for a row that is left out. */
  readonly onUnrated?: () => void;
}

/** The fields that may hold a row's ratings, the first present one being taken. */
const RATING_FIELDS = ["ratings", "attributes", "labels"] as const;

/**
 * Streams rated conversations from one or more files, in order.
 *
 * A row is `{messages}` ending with the assistant, or `{prompt, response}` with the prompt as text or messages; its
 * ratings are an object of numbers in `ratings`, `attributes` or `labels`, or columns named by `objectives`; null means
 * not rated. Ratings keep their source's scale. Formats of public data sets are recognised by the first row
 * (`formatReader`). Rows that cannot be used come out as `RowError`.
 *
 * @throws {InputError} those of `readRows` and `formatReader`; `no-usable-rows` for a file of another kind; `unknown-objective` at the
 *   end, if `objectives` names one that no row rates.
 */
export async function* readRatings(
  locations: readonly DataLocation[],
  options: RatingsOptions = {},
): AsyncGenerator<RatedConversation | RowError, void, undefined> {
  const { objectives, scales = [], onFormat, onUnrated } = options;
  const selection = objectives && selectObjectives(objectives);
  const seen = new Set<string>();
  for (const location of locations) {
    const { toOwn } = formatReader(location, "ratings", { named: objectives !== undefined, onFormat });
    const parse = (value: unknown) => {
      const record = parseRating(value, location, selection);
      for (const name of Object.keys(record.ratings)) seen.add(name);
      const kept = selection ? select(record, selection) : record;
      if (kept === null) onUnrated?.();
      for (const [name, rating] of Object.entries(kept?.ratings ?? {})) requireInScale(rating, name, scales);
      return kept;
    };
    const { source, located = location.path } = location;
    yield* readRecords(located, parse, { source, needsOne: true, expand: toOwn });
  }
  if (objectives) expandObjectives(objectives, [...seen]);
}

/**
 * One row as a rated conversation.
 *
 * @param columns Objectives that may stand as columns of their own.
 * @returns Its ratings are empty where the row has some of those columns, yet no value in any.
 * @throws {InputError} `bad-row`, or what the messages' validation throws.
 */
export function parseRating(
  value: unknown,
  location: DataLocation,
  columns?: ObjectiveSelection,
): RatedConversation {
  const fields = fieldsOf(value, "messages and ratings");
  if ("chosen" in fields && "rejected" in fields) {
    throw badRow("row: expected ratings, got a preference pair", "give the file as pairs");
  }
  const messages = ratedMessages(fields);
  const ratings = ratingsOf(value as object, fields, location.prefix, columns);
  const prompt = messages.slice(0, -1);
  return {
    kind: "rating",
    id: rowId(value),
    messages,
    ratings,
    source: location.source,
    promptHash: promptHash(prompt),
  };
}

function ratedMessages(fields: Fields): Message[] {
  if (fields.response !== undefined) {
    const what = fields.messages === undefined ? "prompt" : "messages";
    const content = responseFrom(fields.response, "response");
    return [...promptFrom(fields.messages ?? fields.prompt, what), { role: "assistant", content }];
  }
  if (fields.messages === undefined) {
    throw badRow("row: expected messages, or prompt and response, got neither", "add the conversation");
  }
  const messages = validateMessages(fields.messages, "messages");
  const last = messages[messages.length - 1]!;
  if (last.role !== "assistant") {
    throw badRow(
      `messages: expected to end with the assistant, got role "${last.role}"`,
      "add the rated response",
    );
  }
  if (messages.length === 1)
    throw badRow("messages: expected a prompt before the response, got none", "add the prompt");
  responseFrom(last.content, "messages: the response");
  return messages;
}

function ratingsOf(
  row: object,
  fields: Fields,
  prefix: string,
  columns: ObjectiveSelection | undefined,
): Record<string, number> {
  const field = RATING_FIELDS.find((name) => fields[name] !== undefined);
  if (field) {
    const ratings = Object.entries(fieldsOf(fields[field], `numbers by objective in "${field}"`));
    if (ratings.length > 0) {
      return Object.fromEntries(ratings.map(([name, rating]) => [prefix + name, ratingFrom(rating, name)]));
    }
  }
  const asColumns = columns ? ratedColumns(row, prefix, columns) : [];
  if (asColumns.length === 0) {
    throw badRow(
      `ratings: expected numbers in ratings, attributes or labels, got ${field ? `none in "${field}"` : "no such field"}`,
      "add ratings, or name the columns that hold them as objectives",
    );
  }
  const present = asColumns.filter((name) => fields[name.slice(prefix.length)] !== undefined);
  return Object.fromEntries(
    present.map((name) => [name, ratingFrom(fields[name.slice(prefix.length)], name.slice(prefix.length))]),
  );
}

function ratingFrom(value: unknown, name: string): number {
  if (typeof value !== "number") {
    throw badRow(
      `rating "${name}": expected a number or null, got ${describe(value)}`,
      "write ratings as JSON numbers",
    );
  }
  // JSON text like 1e999 parses to infinity, and labels are stored in f32.
  if (!Number.isFinite(Math.fround(value))) {
    throw badRow(
      `rating "${name}": expected a finite number, got ${value}`,
      "write null for a missing rating",
    );
  }
  return value;
}

function select(record: RatedConversation, selection: ObjectiveSelection): RatedConversation | null {
  const kept = Object.entries(record.ratings).filter(([name]) => selection.has(name));
  return kept.length === 0 ? null : { ...record, ratings: Object.fromEntries(kept) };
}

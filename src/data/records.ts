import type { Message } from "../chat/messages.ts";

/** A conversation with absolute ratings, as one source rated it. */
export interface RatedConversation {
  readonly kind: "rating";
  /** Passed through from the row; an `ids` object arrives as its JSON text. */
  readonly id: string | number | null;
  /** Ends with the rated assistant message. */
  readonly messages: readonly Message[];
  /** Objective name → finite rating on the source's own scale. Objectives the source does not rate are absent. */
  readonly ratings: Readonly<Record<string, number>>;
  readonly source: string;
  readonly promptHash: string;
}

/** Two responses to one prompt, of which the first was preferred. */
export interface PreferencePair {
  readonly kind: "pair";
  readonly id: string | number | null;
  /** Ends with the user's message. */
  readonly prompt: readonly Message[];
  readonly chosen: string;
  readonly rejected: string;
  readonly subset: string | null;
  /** How much better the chosen response is, where the row says so. */
  readonly margin?: number;
  readonly source: string;
  readonly promptHash: string;
  /** Further fields of the row that the reader was asked for, as text; those that a row lacks are absent. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** One prompt and N labelled responses, of which a reward model has to pick a right one. */
export interface BestOfNRow {
  readonly kind: "best-of-n";
  readonly id: string | number | null;
  /** Ends with the user's message. */
  readonly prompt: readonly Message[];
  /** At least one; samples may repeat. */
  readonly responses: readonly string[];
  /** One per response: 1 right and 0 wrong, or finite grades. */
  readonly labels: readonly number[];
  /** One per response, normalised, null where a response has none; null as a whole where the row gives none. */
  readonly finalAnswers: readonly (string | null)[] | null;
  readonly subset: string | null;
  readonly source: string;
  readonly promptHash: string;
}

/** A conversation to be scored. */
export interface ConversationRow {
  readonly kind: "conversation";
  readonly id: string | number | null;
  readonly line: number;
  readonly unit?: "row";
  /** Ends with the assistant message that is scored. */
  readonly messages: readonly Message[];
}

/** One prompt and the responses that compete for it. */
export interface ComparisonRow {
  readonly kind: "comparison";
  readonly id: string | number | null;
  readonly line: number;
  readonly unit?: "row";
  readonly prompt: readonly Message[];
  /** At least two to compare, at least one to rank. */
  readonly responses: readonly string[];
}

/** A row that cannot be used, as a value: the caller counts it and goes on, or stops. */
export interface RowError {
  readonly kind: "error";
  readonly file: string;
  /** 1-based: the line on which the row begins, or where `unit` says so the number of the row. */
  readonly line: number;
  readonly unit?: "row";
  readonly id: string | number | null;
  /** What its location is called, where readers of records know it. */
  readonly source?: string;
  /** Where the row names one. */
  readonly subset?: string;
  /** One line: what was expected, what was found, what to do. */
  readonly error: string;
}

/** Where a row stands, for people: `line 12`, or `row 12` of a table. */
export function placeOf({ line, unit }: { readonly line: number; readonly unit?: "row" }): string {
  return `${unit ?? "line"} ${line}`;
}

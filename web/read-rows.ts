// A file of prompts with answers, as `armorm compare` reads it, in the browser.

import type { Message } from "../src/chat/messages.ts";
import { parseAnswers } from "../src/data/answers.ts";
import { rowId } from "../src/data/fields.ts";
import { InputError } from "../src/errors.ts";

/** A row as it stands in the file: usable, or with the reason why not. */
export type FileRow = { readonly place: string; readonly id: string | number | null } & (
  | { readonly prompt: readonly Message[]; readonly responses: readonly string[] }
  | { readonly error: string }
);

/**
 * The rows of a text: JSONL, or one JSON document, an array of rows or a single row. Every row that is no empty line comes out, in order;
 * what cannot be used carries its reason.
 *
 * @returns No rows for an empty text.
 */
export function readRows(text: string): FileRow[] {
  const body = text.replace(/^\uFEFF/, "");
  const document = parseDocument(body);
  if (document !== null) return document.map((value, i) => rowFrom(value, `row ${i + 1}`));
  // At line feeds alone: JSON strings may hold U+2028.
  return body
    .split("\n")
    .flatMap((line, i) => (line.trim() === "" ? [] : [rowFromLine(line, `line ${i + 1}`)]));
}

/** The rows of an array or of an object that spans lines; null where lines stand by themselves. */
function parseDocument(text: string): unknown[] | null {
  const start = text.trimStart();
  const lines = start.trimEnd().split("\n");
  if (!start.startsWith("[") && !(lines.length > 1 && lines[0]!.trim() === "{")) return null;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [value];
  } catch {
    return null;
  }
}

function rowFromLine(line: string, place: string): FileRow {
  try {
    return rowFrom(JSON.parse(line), place);
  } catch (error) {
    return { place, id: null, error: `not JSON: ${(error as Error).message}` };
  }
}

function rowFrom(value: unknown, place: string): FileRow {
  const id = rowId(value);
  try {
    return { place, id, ...parseAnswers(value, 1) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { place, id, error: `${error.message}; ${error.remedy}` };
  }
}

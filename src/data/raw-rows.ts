import { InputError } from "../errors.ts";
import { inflated, rawBytes } from "./byte-source.ts";
import type { RowError } from "./records.ts";
import { splitRows } from "./row-splitter.ts";
import { parseRow, type Row } from "./rows.ts";

/** A parsed row together with its JSON text. */
export interface RawJsonRow extends Row {
  /** Without the white space around it. */
  readonly bytes: Buffer;
}

/**
 * Streams the rows of a file with the bytes they are written in, for commands that pass rows on unchanged.
 *
 * @throws {InputError} Those of `readRows`.
 */
export async function* readRawRows(path: string): AsyncGenerator<RawJsonRow | RowError, void, undefined> {
  let rows = 0;
  for await (const raw of splitRows(inflated(rawBytes(path), path), path)) {
    rows++;
    const row = parseRow(raw, path);
    yield row.kind === "error" ? row : { ...row, bytes: raw.bytes };
  }
  if (rows === 0) {
    throw new InputError(
      "empty-file",
      `${path}: expected JSON rows, got an empty file`,
      "check what wrote it",
    );
  }
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/**
 * The bytes as one line of JSONL. Raw line breaks cannot stand inside JSON strings, so those of a pretty-printed row
 * are white space and become blanks; nothing else changes.
 */
export function asLine(bytes: Buffer): Buffer {
  const line = Buffer.alloc(bytes.length + 1, bytes);
  for (let i = 0; i < bytes.length; i++) {
    if (line[i] === LINE_FEED || line[i] === CARRIAGE_RETURN) line[i] = SPACE;
  }
  line[bytes.length] = LINE_FEED;
  return line;
}

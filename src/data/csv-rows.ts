// CSV as rows: the first record names the columns.

import { pipeline, Readable } from "node:stream";
import { InputError } from "../errors.ts";
import type { RowError } from "./records.ts";
import { type Row, tableRow } from "./row.ts";
import { MAX_ROW_BYTES } from "./row-splitter.ts";

/** Columns that are text even where their cells look like numbers. */
const TEXT = new Set([
  ...[
    "id",
    "prompt",
    "response",
    "chosen",
    "rejected",
    "instruction",
    "subset",
    "family",
    "category",
    "source",
  ],
  ...["chosen_model", "rejected_model", "model"],
]);
/** Columns that hold structure, which CSV can hold as JSON text alone. */
const STRUCTURED = new Set([
  "messages",
  "responses",
  "completions",
  "ratings",
  "attributes",
  "labels",
  "ids",
]);
const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Streams the rows of CSV text (RFC 4180: commas, quotes doubled inside quotes, line breaks inside quotes; LF or CRLF; a
 * byte order mark is passed over).
 *
 * Cells of numbers are numbers, except in columns that are text by name (`prompt`, `response`, `chosen`, `id`, …); an empty
 * cell is null. `messages`, `responses`, `ratings` and their like hold JSON text. A record with another number of cells
 * than the header is a {@link RowError}.
 *
 * @throws {InputError} `corrupt-csv` where quotes do not match, which leaves the rest without rows; `row-too-long`.
 */
export async function* readCsvRows(
  chunks: AsyncIterable<Buffer>,
  name: string,
): AsyncGenerator<Row | RowError, void, undefined> {
  let columns: readonly string[] | null = null;
  for await (const { cells, line } of readRecordsOfCsv(chunks, name)) {
    if (columns === null) {
      columns = headerFrom(cells, name);
      continue;
    }
    const place = { file: name, line };
    try {
      yield tableRow(rowFrom(cells, columns), place);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      yield { kind: "error", ...place, id: null, error: `${error.message}; ${error.remedy}` };
    }
  }
}

/** Number of rows of CSV text. */
export async function countCsvRows(chunks: AsyncIterable<Buffer>, name: string): Promise<number> {
  let records = 0;
  for await (const _ of readRecordsOfCsv(chunks, name)) records++;
  return Math.max(0, records - 1);
}

interface CsvRecord {
  readonly cells: readonly Buffer[];
  /** 1-based line on which it begins. */
  readonly line: number;
}

async function* readRecordsOfCsv(chunks: AsyncIterable<Buffer>, name: string): AsyncGenerator<CsvRecord> {
  const { parse } = await import("csv-parse");
  const parser = parse({
    // Cells stay bytes: what is no UTF-8 is to be refused, not replaced.
    encoding: null,
    info: true,
    max_record_size: MAX_ROW_BYTES,
    relax_column_count: true,
    skip_empty_lines: true,
  });
  // The error reaches the loop below through the parser itself; the callback keeps it from being raised twice.
  pipeline(Readable.from(withoutMark(chunks)), parser, () => {});
  let line = 1;
  try {
    for await (const { record, info } of parser) {
      const cells = record as Buffer[];
      const inside = cells.reduce((sum, cell) => sum + countBreaks(cell), 0);
      // The parser counts the line on which a record ends.
      line = Math.max(line, (info as { lines: number }).lines - inside);
      yield { cells, line };
    }
  } catch (error) {
    const { code = "", message } = error as { code?: string; message: string };
    if (!code.startsWith("CSV_")) throw error;
    if (code === "CSV_MAX_RECORD_SIZE") {
      throw new InputError(
        "row-too-long",
        `${name}: expected rows of at most ${MAX_ROW_BYTES / 2 ** 20} MiB, got a longer one`,
        "close the quotes that are open, or split the row",
      );
    }
    throw new InputError(
      "corrupt-csv",
      `${name}: expected CSV, got quotes that do not match (${message.split("\n")[0]!.slice(0, 160)})`,
      "write quotes inside a quoted cell twice, and quote cells that hold quotes",
    );
  }
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** The parser passes over a byte order mark only where it also decodes the cells. */
async function* withoutMark(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (head === null) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < BYTE_ORDER_MARK.length) continue;
    yield head.subarray(0, 3).equals(BYTE_ORDER_MARK) ? head.subarray(3) : head;
    head = null;
  }
  if (head !== null && head.length > 0) yield head;
}

const LINE_FEED = 0x0a;

function countBreaks(cell: Buffer): number {
  let count = 0;
  for (let at = cell.indexOf(LINE_FEED); at >= 0; at = cell.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}

function headerFrom(cells: readonly Buffer[], name: string): string[] {
  const columns = cells.map((cell) => cell.toString("utf8").trim());
  const twice = columns.find((column, i) => columns.indexOf(column) !== i);
  if (twice === undefined && !columns.includes("")) return columns;
  throw new InputError(
    "bad-header",
    `${name}: expected a first line with a name for each column, got ${twice ? `"${twice}" twice` : "an empty one"}`,
    "name every column once",
  );
}

function rowFrom(cells: readonly Buffer[], columns: readonly string[]): Record<string, unknown> {
  if (cells.length !== columns.length) {
    throw new InputError(
      "bad-row",
      `row: expected ${columns.length} cells, got ${cells.length}`,
      "quote cells that hold commas or line breaks",
    );
  }
  return Object.fromEntries(columns.map((column, i) => [column, valueFrom(cells[i]!, column)]));
}

function valueFrom(cell: Buffer, column: string): unknown {
  const refuse = (expected: string, got: string) =>
    new InputError("bad-row", `column "${column}": expected ${expected}, got ${got}`, "mend the cell");
  let text: string;
  try {
    text = utf8.decode(cell);
  } catch {
    throw refuse("UTF-8", "other bytes");
  }
  if (text === "") return null;
  if (STRUCTURED.has(column)) {
    try {
      return JSON.parse(text);
    } catch {
      throw refuse("JSON", `the string ${JSON.stringify(text.slice(0, 40))}`);
    }
  }
  return !TEXT.has(column) && NUMBER.test(text.trim()) ? Number(text) : text;
}

import { InputError } from "../errors.ts";
import { type DataSource, inflated, rawBytes, sourceName } from "./byte-source.ts";
import { readCsvRows } from "./csv-rows.ts";
import { type DataFile, type LocatedData, locateData } from "./data-files.ts";
import { type Fields, rowId, subsetField } from "./fields.ts";
import { readParquetRows } from "./parquet-rows.ts";
import { placeOf, type RowError } from "./records.ts";
import type { Row } from "./row.ts";
import { type RawRow, splitRows } from "./row-splitter.ts";

type Rows = AsyncGenerator<Row | RowError, void, undefined>;

/**
 * Streams the rows of a location, one at a time: a file (JSONL, a JSON array or CSV, plain or gzipped, or Parquet), a
 * directory of files, a data set on the hub, files that were found before, or a stream of JSON.
 *
 * A row that cannot be decoded comes out as a {@link RowError} in its place. Memory is one row, of Parquet one row group,
 * whatever the size.
 *
 * @param name What to call a stream in messages. Default `standard input`.
 * @throws {InputError} Those of `locateData`; `missing-file`, `unsupported-format`, `corrupt-gzip`, `corrupt-parquet`,
 *   `corrupt-csv`, `row-too-long`, and `empty-file` when the source holds no row at all.
 */
export async function* readRows(
  source: DataSource | LocatedData,
  name: string = typeof source === "object" && "files" in source ? source.name : sourceName(source),
): Rows {
  const readables = await fileRows(source, name);
  let rows = 0;
  for (const readable of readables) {
    for await (const row of readable) {
      rows++;
      yield row;
    }
  }
  if (rows === 0) {
    throw new InputError("empty-file", `${name}: expected rows, got an empty file`, "check what wrote it");
  }
}

async function fileRows(source: DataSource | LocatedData, name: string): Promise<Rows[]> {
  if (typeof source === "string") return (await locateData(source)).files.map(readFileRows);
  return "files" in source ? source.files.map(readFileRows) : [readJsonRows(source, name)];
}

function readFileRows({ path, name, format }: DataFile): Rows {
  if (format === "parquet") return readParquetRows(path, name);
  if (format === "csv") return readCsvRows(inflated(rawBytes(path), name), name);
  return readJsonRows(path, name);
}

async function* readJsonRows(source: DataSource, name: string): Rows {
  for await (const raw of splitRows(inflated(rawBytes(source), name), name)) yield parseRow(raw, name);
}

/**
 * Turns rows into records. `parse` throws for a row that cannot be used, which becomes a {@link RowError}, and
 * gives null for one that is to be left out without a word.
 *
 * @param options.expand What a row holds, each to be parsed by itself. Default: the row.
 * @param options.needsOne Throw `no-usable-rows` at the end if every row was rejected: the file is then of another
 *   kind, and its first error says which. Default false.
 */
export async function* readRecords<T>(
  source: DataSource | LocatedData,
  parse: (value: unknown, row: Row) => T | null,
  options: {
    readonly name?: string;
    /** What the location is called, for rows that cannot be used. */
    readonly source?: string;
    readonly needsOne?: boolean;
    readonly expand?: (value: unknown) => readonly unknown[];
  } = {},
): AsyncGenerator<T | RowError, void, undefined> {
  const { expand = (value: unknown) => [value], source: called } = options;
  let usable = 0;
  let rejected = 0;
  let first: RowError | null = null;
  for await (const row of readRows(source, options.name)) {
    for (const record of row.kind === "error" ? [row] : recordsOf(row, expand, parse)) {
      if (record !== null && isRowError(record)) {
        rejected++;
        first ??= record;
        yield called === undefined ? record : { ...record, source: called };
        continue;
      }
      usable++;
      if (record !== null) yield record;
    }
  }
  if (options.needsOne && usable === 0 && first) {
    throw new InputError(
      "no-usable-rows",
      `${first.file}: all ${rejected} rows were rejected; ${placeOf(first)}: ${first.error}`,
      "check that the file holds the kind of data asked for",
    );
  }
}

function* recordsOf<T>(
  row: Row,
  expand: (value: unknown) => readonly unknown[],
  parse: (value: unknown, row: Row) => T | null,
): Generator<T | RowError | null> {
  let values: readonly unknown[];
  try {
    values = expand(row.value);
  } catch (error) {
    yield rejectRow(row, error);
    return;
  }
  for (const value of values) {
    let record: T | RowError | null;
    try {
      record = parse(value, row);
    } catch (error) {
      record = rejectRow(row, error);
    }
    yield record;
  }
}

/**
 * A row that cannot be used, with the reason.
 *
 * @throws `error` itself, if it is a fault rather than an `InputError`.
 */
export function rejectRow(row: Row, error: unknown): RowError {
  const { file, value } = row;
  const subset = rowSubset(value);
  return {
    kind: "error",
    file,
    ...lineOf(row),
    id: rowId(value),
    ...(subset === null ? {} : { subset }),
    error: oneLine(error),
  };
}

/** What a row calls its subset: its `subset`, `family` or `category`, if that is text. */
export function rowSubset(value: unknown): string | null {
  if (typeof value !== "object" || value === null) return null;
  const found = subsetField(value as Fields);
  return typeof found === "string" ? found : null;
}

/** Where a row stands, for what is made of it. */
export const lineOf = ({ line, unit }: Row): Pick<Row, "line" | "unit"> =>
  unit === undefined ? { line } : { line, unit };

function isRowError(record: unknown): record is RowError {
  return (record as { kind?: unknown }).kind === "error";
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parseRow({ line, bytes, problem }: RawRow, file: string): Row | RowError {
  const bad = (error: string): RowError => ({ kind: "error", file, line, id: null, error });
  if (problem) return bad(problem);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return bad("malformed text: expected UTF-8; convert the file");
  }
  try {
    return { kind: "row", file, line, value: JSON.parse(text), bytes };
  } catch (error) {
    const literal = pythonLiteral(text);
    if (literal)
      return bad(`malformed JSON: ${literal} is not a JSON number; write null for a missing value`);
    return bad(`malformed JSON: ${(error as Error).message.replace(/\s+/g, " ")}`);
  }
}

/** The first NaN or infinity outside strings, as Python's json module writes them. */
function pythonLiteral(text: string): string | null {
  return /-?\b(?:NaN|Infinity)\b/.exec(text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"/g, '""'))?.[0] ?? null;
}

function oneLine(error: unknown): string {
  if (error instanceof InputError) return error.remedy ? `${error.message}; ${error.remedy}` : error.message;
  throw error;
}

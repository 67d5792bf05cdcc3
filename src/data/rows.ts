import { InputError } from "../errors.ts";
import { type DataSource, inflated, rawBytes, sourceName } from "./byte-source.ts";
import { type Fields, subsetField } from "./fields.ts";
import type { RowError } from "./records.ts";
import { type RawRow, splitRows } from "./row-splitter.ts";

/** One parsed row and where it stands. */
export interface Row {
  readonly kind: "row";
  readonly file: string;
  readonly line: number;
  readonly value: unknown;
}

/**
 * Streams the rows of a JSONL file, a JSON array or a stream of either, plain or gzipped, one at a time.
 *
 * A row that is not JSON comes out as a {@link RowError} in its place. Memory is one row, whatever the file's size.
 *
 * @param name What to call the source in messages. Default: its path, or `standard input`.
 * @throws {InputError} `missing-file`, `not-a-file`, `unsupported-format`, `corrupt-gzip`, `row-too-long`, and
 *   `empty-file` when the source holds no row at all.
 */
export async function* readRows(
  source: DataSource,
  name: string = sourceName(source),
): AsyncGenerator<Row | RowError, void, undefined> {
  let rows = 0;
  for await (const raw of splitRows(inflated(rawBytes(source), name), name)) {
    rows++;
    yield parseRow(raw, name);
  }
  if (rows === 0) {
    throw new InputError(
      "empty-file",
      `${name}: expected JSON rows, got an empty file`,
      "check what wrote it",
    );
  }
}

/**
 * Turns rows into records. `parse` throws for a row that cannot be used, which becomes a {@link RowError}, and
 * gives null for one that is to be left out without a word.
 *
 * @param options.needsOne Throw `no-usable-rows` at the end if every row was rejected: the file is then of another
 *   kind, and its first error says which. Default false.
 */
export async function* readRecords<T>(
  source: DataSource,
  parse: (value: unknown, row: Row) => T | null,
  options: { name?: string; needsOne?: boolean } = {},
): AsyncGenerator<T | RowError, void, undefined> {
  let usable = 0;
  let rejected = 0;
  let first: RowError | null = null;
  for await (const row of readRows(source, options.name)) {
    let record: T | RowError | null;
    if (row.kind === "error") record = row;
    else {
      try {
        record = parse(row.value, row);
      } catch (error) {
        record = rejectRow(row, error);
      }
    }
    if (record !== null && isRowError(record)) {
      rejected++;
      first ??= record;
    } else usable++;
    if (record !== null) yield record;
  }
  if (options.needsOne && usable === 0 && first) {
    throw new InputError(
      "no-usable-rows",
      `${first.file}: all ${rejected} rows were rejected; line ${first.line}: ${first.error}`,
      "check that the file holds the kind of data asked for",
    );
  }
}

/**
 * A row that cannot be used, with the reason.
 *
 * @throws `error` itself, if it is a fault rather than an `InputError`.
 */
export function rejectRow({ file, line, value }: Row, error: unknown): RowError {
  const subset = rowSubset(value);
  return {
    kind: "error",
    file,
    line,
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

/** A row's `id`, or its `ids`; objects as JSON text, anything else as null. */
export function rowId(value: unknown): string | number | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const { id, ids } = value as { id?: unknown; ids?: unknown };
  const found = id ?? ids ?? null;
  if (typeof found === "string" || typeof found === "number") return found;
  return found === null ? null : JSON.stringify(found);
}

function isRowError(record: unknown): record is RowError {
  return (record as { kind?: unknown }).kind === "error";
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Parses one row that `splitRows` cut. */
export function parseRow({ line, bytes, problem }: RawRow, file: string): Row | RowError {
  const bad = (error: string): RowError => ({ kind: "error", file, line, id: null, error });
  if (problem) return bad(problem);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return bad("malformed text: expected UTF-8; convert the file");
  }
  try {
    return { kind: "row", file, line, value: JSON.parse(text) };
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

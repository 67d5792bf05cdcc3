// Parquet files as rows, one row group in memory.

import { type FileHandle, open } from "node:fs/promises";
import type { AsyncBuffer, FileMetaData, ParquetParsers } from "hyparquet";
import { InputError } from "../errors.ts";
import { explainReadError } from "./byte-source.ts";
import type { RowError } from "./records.ts";
import { type Row, tableRow } from "./row.ts";

const MAGIC = "PAR1";

/**
 * Streams the rows of a Parquet file; `line` is the number of the row, from 1.
 *
 * Values arrive as JSON has them: whole numbers of 64 bits as numbers, moments as ISO texts, NaN as null (tables written
 * from Python have it where nothing was measured), binary columns as text where they are UTF-8 and as base64 where not.
 * A whole number beyond 2^53, or text that is no UTF-8, makes its row a {@link RowError}.
 *
 * @param name What to call the file in messages.
 * @throws {InputError} `missing-file`, `corrupt-parquet`.
 *
 * Memory: one row group. The file is read in ranges, through a handle.
 */
export async function* readParquetRows(
  path: string,
  name: string,
): AsyncGenerator<Row | RowError, void, undefined> {
  const handle = await openFile(path, name);
  try {
    const { parquetReadObjects } = await import("hyparquet");
    const { compressors } = await import("hyparquet-compressors");
    const file = await asBuffer(handle);
    const metadata = await readMetadata(file, name);
    let rowStart = 0;
    for (const { num_rows } of metadata.row_groups) {
      const rowEnd = rowStart + Number(num_rows);
      if (rowEnd === rowStart) continue;
      const options = {
        file,
        metadata,
        compressors,
        rowStart,
        rowEnd,
        utf8: false,
        parsers,
        geoparquet: false,
      };
      const values = await orCorrupt(name, () => parquetReadObjects(options));
      for (const [i, value] of values.entries()) {
        yield plainRow(value, { file: name, line: rowStart + i + 1 });
      }
      rowStart = rowEnd;
    }
  } finally {
    await handle.close();
  }
}

/**
 * Number of rows of a Parquet file, from its end alone.
 *
 * @throws {InputError} Those of {@link readParquetRows}.
 */
export async function countParquetRows(path: string, name: string): Promise<number> {
  const handle = await openFile(path, name);
  try {
    const { row_groups } = await readMetadata(await asBuffer(handle), name);
    return row_groups.reduce((sum, { num_rows }) => sum + Number(num_rows), 0);
  } finally {
    await handle.close();
  }
}

/** Whether a file begins as Parquet does. */
export async function beginsAsParquet(path: string): Promise<boolean> {
  const handle = await open(path).catch(() => null);
  if (handle === null) return false;
  try {
    const head = Buffer.alloc(MAGIC.length);
    const { bytesRead } = await handle.read(head, 0, MAGIC.length, 0);
    return head.toString("latin1", 0, bytesRead) === MAGIC;
  } finally {
    await handle.close();
  }
}

async function openFile(path: string, name: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    throw explainReadError(error, name);
  }
}

async function asBuffer(handle: FileHandle): Promise<AsyncBuffer> {
  const { size } = await handle.stat();
  return {
    byteLength: size,
    async slice(start, end = size) {
      if (start < 0 || end < start || end > size) throw new RangeError(`bytes ${start} to ${end} of ${size}`);
      const bytes = new Uint8Array(end - start);
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
        if (bytesRead === 0) throw new RangeError("the file has become shorter");
        done += bytesRead;
      }
      return bytes.buffer;
    },
  };
}

async function readMetadata(file: AsyncBuffer, name: string): Promise<FileMetaData> {
  const { parquetMetadataAsync } = await import("hyparquet");
  if (file.byteLength >= 12 && (await textAt(file, 0)) === MAGIC && (await textAt(file, -4)) === MAGIC) {
    return await orCorrupt(name, () => parquetMetadataAsync(file, { geoparquet: false }));
  }
  const head = Buffer.from(await file.slice(0, Math.min(file.byteLength, 40))).toString("latin1");
  if (head.startsWith("version https://git-lfs")) {
    throw new InputError(
      "corrupt-parquet",
      `${name}: expected a Parquet file, got a pointer to one that git has not fetched`,
      "run git lfs pull there, or name the data set as org/name",
    );
  }
  const found = head.startsWith(MAGIC) ? "one that ends early" : "something else";
  throw corrupt(name, found);
}

async function textAt(file: AsyncBuffer, start: number): Promise<string> {
  const from = start < 0 ? file.byteLength + start : start;
  return Buffer.from(await file.slice(from, from + MAGIC.length)).toString("latin1");
}

/** Whatever the decoder says about a file is about a file that is damaged, or beyond it. */
async function orCorrupt<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = String((error as Error)?.message ?? error)
      .split("\n")[0]!
      .replace(/^parquet /, "");
    throw corrupt(name, `one that cannot be decoded (${reason.slice(0, 120)})`);
  }
}

function corrupt(name: string, found: string): InputError {
  return new InputError(
    "corrupt-parquet",
    `${name}: expected a whole Parquet file, got ${found}`,
    "fetch or write the file again",
  );
}

/** What a column holds that no row can use, as a value until the row is known. */
class Unusable {
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function textFrom(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

// The decoder's own parsers put U+FFFD for bytes that are no UTF-8, and fail a whole column for one malformed JSON text.
const parsers: Partial<ParquetParsers> = {
  stringFromBytes: (bytes) => bytes && (textFrom(bytes) ?? new Unusable("text that is no UTF-8")),
  jsonFromBytes(bytes) {
    try {
      return bytes && JSON.parse(utf8.decode(bytes));
    } catch {
      return new Unusable("malformed JSON");
    }
  },
};

function plainRow(value: Record<string, unknown>, place: { file: string; line: number }): Row | RowError {
  try {
    const plain: Record<string, unknown> = {};
    for (const [column, field] of Object.entries(value)) plain[column] = plainValue(field, column);
    return tableRow(plain, { ...place, unit: "row" });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { kind: "error", ...place, unit: "row", id: null, error: `${error.message}; ${error.remedy}` };
  }
}

/** A decoded value as JSON would hold it. */
function plainValue(value: unknown, column: string): unknown {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (typeof value === "bigint") {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    throw refuse(column, "a whole number of at most 2^53", String(value));
  }
  if (typeof value !== "object") return value;
  if (value instanceof Unusable) throw refuse(column, "text", value.problem);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return textFrom(value) ?? Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map((element) => plainValue(element, column));
  if (ArrayBuffer.isView(value))
    return Array.from(value as unknown as ArrayLike<unknown>, (element) => plainValue(element, column));
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, plainValue(field, `${column}.${name}`)]),
  );
}

const refuse = (column: string, expected: string, got: string): InputError =>
  new InputError(
    "bad-row",
    `column "${column}": expected ${expected}, got ${got}`,
    "mend or drop the column",
  );

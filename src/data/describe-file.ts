import { createHash, type Hash } from "node:crypto";
import { inflated, rawBytes } from "./byte-source.ts";
import { countCsvRows } from "./csv-rows.ts";
import { type DataFile, type LocatedData, locateData } from "./data-files.ts";
import { countParquetRows } from "./parquet-rows.ts";
import { splitRows } from "./row-splitter.ts";

/** What a manifest records of a data location. */
export interface FileDescription {
  /** Of the bytes as stored, compressed or not; of several files, over their hashes in order. */
  readonly sha256: string;
  readonly rows: number;
  /** Size as stored. */
  readonly bytes: number;
}

/**
 * Hash, size and number of rows of what a location stands for, or of the files that it was found to be, in one streaming pass without parsing the rows.
 *
 * @throws {InputError} Those of `locateData`; `missing-file`, `unsupported-format`, `corrupt-gzip`, `corrupt-parquet`,
 *   `corrupt-csv`.
 */
export async function describeFile(location: string | LocatedData): Promise<FileDescription> {
  const { files } = typeof location === "string" ? await locateData(location) : location;
  const described: FileDescription[] = [];
  for (const file of files) described.push(await describeOne(file));
  const [only] = described;
  if (only && described.length === 1) return only;
  const hash = createHash("sha256");
  for (const { sha256 } of described) hash.update(sha256);
  return {
    sha256: hash.digest("hex"),
    rows: described.reduce((sum, { rows }) => sum + rows, 0),
    bytes: described.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

async function describeOne({ path, name, format }: DataFile): Promise<FileDescription> {
  const hash = createHash("sha256");
  const stored = { bytes: 0 };
  const chunks = hashed(path, hash, stored);
  let rows = 0;
  if (format === "parquet") {
    rows = await countParquetRows(path, name);
    for await (const _ of chunks);
  } else if (format === "csv") rows = await countCsvRows(inflated(chunks, name), name);
  else for await (const _ of splitRows(inflated(chunks, name), name)) rows++;
  return { sha256: hash.digest("hex"), rows, bytes: stored.bytes };
}

async function* hashed(path: string, hash: Hash, stored: { bytes: number }) {
  for await (const chunk of rawBytes(path)) {
    hash.update(chunk);
    stored.bytes += chunk.length;
    yield chunk;
  }
}

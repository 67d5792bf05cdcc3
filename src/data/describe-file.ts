import { createHash } from "node:crypto";
import { inflated, rawBytes } from "./byte-source.ts";
import { splitRows } from "./row-splitter.ts";

/** What a manifest records of a data file. */
export interface FileDescription {
  /** Of the bytes as stored, compressed or not. */
  readonly sha256: string;
  readonly rows: number;
  /** Size as stored. */
  readonly bytes: number;
}

/**
 * Hash, size and number of rows of a data file, in one streaming pass without parsing the rows.
 *
 * @throws {InputError} `missing-file`, `not-a-file`, `unsupported-format`, `corrupt-gzip`.
 */
export async function describeFile(path: string): Promise<FileDescription> {
  const hash = createHash("sha256");
  let bytes = 0;
  async function* hashed() {
    for await (const chunk of rawBytes(path)) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  }
  const chunks = hashed();
  let rows = 0;
  for await (const _ of splitRows(inflated(chunks, path), path)) rows++;
  return { sha256: hash.digest("hex"), rows, bytes };
}

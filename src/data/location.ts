import { basename } from "node:path";
import { parseDatasetId } from "../checkpoint/hub/dataset-id.ts";
import { InputError } from "../errors.ts";
import type { LocatedData } from "./data-files.ts";

/** Where records come from and what their source is called. */
export interface DataLocation {
  readonly source: string;
  /** Put before every objective name: `NAME-` for `NAME=path`, else empty. */
  readonly prefix: string;
  readonly path: string;
  /** The format of its rows, by name. Default: recognised. */
  readonly format?: string;
  /** Its files, where they have been found (`withFiles`): readers then look for no others. */
  readonly located?: LocatedData;
}

const NAMED = /^([A-Za-z0-9][\w.-]*)=(.+)$/s;

/**
 * Reads a data location as it is written on the command line: `path` or `NAME=path`, the path being a file, a directory of
 * files, or `org/name[@revision][:[config/]split]` on the hub.
 *
 * `NAME=path` calls the source NAME and its objectives `NAME-<attribute>`, as the published model's
 * `helpsteer-helpfulness`. A bare path takes the file's name without `.gz` and its format's extension, or the data set's
 * name without its organisation, and leaves objective names alone. A path that itself contains `=` is written with a leading `./`.
 *
 * @throws {InputError} `bad-location` when a part is empty.
 * @example
 * parseDataLocation("helpsteer=ratings/hs.jsonl.gz")
 * // { source: "helpsteer", prefix: "helpsteer-", path: "ratings/hs.jsonl.gz" }
 */
export function parseDataLocation(text: string): DataLocation {
  const named = NAMED.exec(text);
  if (named) return { source: named[1]!, prefix: `${named[1]}-`, path: named[2]! };
  if (text.trim() === "" || text.startsWith("=") || text.endsWith("=")) {
    throw new InputError(
      "bad-location",
      `data: expected PATH or NAME=PATH, got "${text}"`,
      "name a file, a folder or a data set",
    );
  }
  const file = basename(parseDatasetId(text)?.id ?? text);
  const source = file.replace(/\.gz$/i, "").replace(/\.(jsonl|ndjson|json|csv|parquet)$/i, "");
  return { source: source || file, prefix: "", path: text };
}

// What a data location stands for: a file, a directory of files, or a data set on the hub.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseDatasetId } from "../checkpoint/hub/dataset-id.ts";
import { missingShard } from "../checkpoint/hub/dataset-splits.ts";
import type { PullOptions } from "../checkpoint/hub/pull.ts";
import { InputError } from "../errors.ts";
import { beginsAsParquet } from "./parquet-rows.ts";

export type FileFormat = "json" | "parquet" | "csv";

/** A file of rows. */
export interface DataFile {
  readonly path: string;
  /** What to call it in messages: its path, or on the hub `org/name/path`. */
  readonly name: string;
  readonly format: FileFormat;
}

export interface LocatedData {
  /** What the same rows are found by again: the path as given, or `org/name@<commit>:config/split`. */
  readonly name: string;
  readonly onHub: boolean;
  readonly files: readonly DataFile[];
}

const EXTENSION = /\.(?:(parquet)|(csv)|jsonl|ndjson|json)(?:\.gz)?$/i;
/** What else lies in folders of data, and is no data. */
const SIDECAR =
  /^(?:readme|licen[cs]e|notice|citation|changelog)(?:[._-].*)?$|\.md$|^(?:dataset_infos?|dataset_dict|state|config)\.json$|^_(?:success|metadata|common_metadata)$/i;

/**
 * Finds the files of a location, in order, and downloads what is missing of a data set on the hub.
 *
 * A path that exists is itself; of a directory, its files sorted by name, without hidden ones, cards and subfolders.
 * What remains is `org/name[@revision][:[config/]split]`, unless it can only be a path: one that begins with `.`, `/`,
 * `~`, `\` or a drive letter, or ends as data files do.
 *
 * @throws {InputError} `missing-file`, `no-data-files`, `mixed-formats`, `missing-shard`; those of `pullDataset`.
 */
export async function locateData(location: string, options: PullOptions = {}): Promise<LocatedData> {
  const stats = await stat(location).catch(() => null);
  if (stats?.isDirectory()) return { name: location, onHub: false, files: await filesOf(location) };
  if (stats !== null || !isDataset(location)) {
    const named = formatOf(location);
    const format = stats?.isFile() && (await beginsAsParquet(location)) ? "parquet" : (named ?? "json");
    return { name: location, onHub: false, files: [{ path: location, name: location, format }] };
  }
  // Loaded when it is needed: HTTP and proxies take a while to start.
  const { pullDataset } = await import("../checkpoint/hub/pull-dataset.ts");
  const { id, directory, name, files } = await pullDataset(location, options);
  return {
    name,
    onHub: true,
    files: files.map((file) => ({
      path: join(directory, ...file.name.split("/")),
      name: `${id}/${file.name}`,
      format: formatOf(file.name)!,
    })),
  };
}

/** Locations with their files, for whoever reads them several times: every pass then reads the same files, whatever else has come. */
export async function withFiles<Location extends { readonly path: string }>(
  locations: readonly Location[],
): Promise<(Location & { readonly located: LocatedData })[]> {
  const found: (Location & { readonly located: LocatedData })[] = [];
  for (const location of locations) found.push({ ...location, located: await locateData(location.path) });
  return found;
}

/** Whether a location that is no path on this machine names a data set on the hub. */
export const isDataset = (location: string): boolean =>
  !/^(?:[./~\\]|[A-Za-z]:)/.test(location) && !EXTENSION.test(location) && parseDatasetId(location) !== null;

/** What a file's name says about it; null where it does not end as data files do. */
function formatOf(name: string): FileFormat | null {
  const match = EXTENSION.exec(name);
  if (match === null) return null;
  return match[1] ? "parquet" : match[2] ? "csv" : "json";
}

async function filesOf(directory: string): Promise<DataFile[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.isDirectory() && !/^\./.test(entry.name) && !SIDECAR.test(entry.name))
    .map(({ name }) => name)
    .sort();
  const formats = names.map(formatOf);
  const first = formats.find((format) => format !== null);
  if (first === undefined || first === null) {
    throw new InputError(
      "no-data-files",
      `${directory}: expected files of rows, got ${names.length === 0 ? "none" : `none among ${names.slice(0, 3).join(", ")}`}`,
      "name a folder that holds .parquet, .jsonl, .json or .csv files itself",
    );
  }
  const other = formats.findIndex((format) => format !== first);
  if (other >= 0) {
    const found = `${names[formats.indexOf(first)]} beside ${names[other]}`;
    throw new InputError(
      "mixed-formats",
      `${directory}: expected files of one format, got ${found}`,
      "name the files one by one, or move the others away",
    );
  }
  const missing = missingShard(names);
  if (missing !== null) {
    throw new InputError(
      "missing-shard",
      `${directory}: expected a part called ${missing} beside the others, got none`,
      "fetch the missing part, or rename the parts if they are meant to stand alone",
    );
  }
  return names.map((name) => ({ path: join(directory, name), name: join(directory, name), format: first }));
}

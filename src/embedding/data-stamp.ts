// Data that changes while it is embedded would give a set of which nobody knows the data.

import { stat } from "node:fs/promises";
import type { LocatedData } from "../data/data-files.ts";
import { InputError } from "../errors.ts";

/** Size and time of change of files, by path. */
export type DataStamp = ReadonlyMap<string, string>;

/** Notes what the files of the data look like. Cost: one look at each. */
export async function stampData(data: readonly { readonly located: LocatedData }[]): Promise<DataStamp> {
  const stamps = new Map<string, string>();
  for (const { located } of data) {
    for (const { path } of located.files) stamps.set(path, await stampOf(path));
  }
  return stamps;
}

/** @throws {InputError} `changed-data` where a file is another one now, or is gone. */
export async function requireUnchanged(stamp: DataStamp): Promise<void> {
  for (const [path, before] of stamp) {
    const now = await stampOf(path);
    if (now === before) continue;
    const got = now === GONE ? "none: it is gone" : "one that has changed since";
    throw new InputError(
      "changed-data",
      `${path}: expected the file that the run began with, got ${got}`,
      "bring the file back and give the same command again: finished parts are kept",
    );
  }
}

const GONE = "gone";

async function stampOf(path: string): Promise<string> {
  try {
    const { size, mtimeMs } = await stat(path);
    return `${size} ${mtimeMs}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return GONE;
    throw error;
  }
}

// The folder of a set that is being made.

import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { type EmbeddingManifest, MANIFEST, readManifest, writeManifest } from "./manifest.ts";
import { makeOutputDirectory } from "./output-directory.ts";
import { countParts, describePart } from "./set-description.ts";
import { describeDifferences } from "./set-differences.ts";
import { isLockFile } from "./set-lock.ts";
import { type Shard, shardParts, WHOLE } from "./shard.ts";
import { journalFile, readJournals } from "./shard-journal.ts";

const TEMPORARY = ".tmp";

/**
 * Makes `directory` ready for a set, or finds the same set begun there, by one process or by shards.
 *
 * @throws {InputError} `output-not-empty` if the directory holds anything else: nothing is ever overwritten. What differs is said.
 */
export async function prepareDirectory(directory: string, set: EmbeddingManifest): Promise<void> {
  await makeOutputDirectory(directory);
  // Listed before the sets are read: what a sibling puts here meanwhile is then either in no list, or of a set that is read.
  const names = await readdir(directory);
  const begun = await readSets(directory);
  if (begun.length === 0) {
    const other = names.find((name) => !name.endsWith(TEMPORARY) && !isLockFile(name));
    if (other === undefined) return;
    const what = `${directory}: expected an empty folder, got one that holds ${other}`;
    throw new InputError("output-not-empty", what, "choose an empty folder, or delete this one");
  }
  const other = begun.find(({ run }) => run !== set.run);
  if (other === undefined) return;
  const what = `${directory}: expected an empty folder or this run begun, got embeddings of other data or options: ${describeDifferences(other, set)}`;
  throw new InputError(
    "output-not-empty",
    what,
    "give the options that it was begun with, choose an empty folder, or delete this one",
  );
}

/** The set of a folder, as its manifest and the journals of shards describe it; empty where there is none. */
export async function readSets(directory: string): Promise<EmbeddingManifest[]> {
  const manifests = (await readJournals(directory)).map(({ manifest }) => manifest);
  const names = await readdir(directory);
  return names.includes(MANIFEST) ? [await readManifest(directory), ...manifests] : manifests;
}

/** Lets the manifest of a set whose parts turn out not to be there say so; where there is none, or it does already, nothing happens. */
export async function markIncomplete(directory: string): Promise<void> {
  if (!(await isComplete(directory))) return;
  await writeManifest(directory, { ...(await readManifest(directory)), complete: false });
}

/** Whether a folder holds a set whose manifest calls it complete. */
export const isComplete = async (directory: string): Promise<boolean> =>
  existsSync(join(directory, MANIFEST)) && (await readManifest(directory)).complete;

/** Removes what killed processes were writing when they died: of a shard's own parts only, of `WHOLE` everything. */
export async function removeUnfinished(
  directory: string,
  set: EmbeddingManifest,
  shard: Shard,
): Promise<void> {
  const { first, end } = shardParts(shard, countParts(set));
  const own = [journalFile(shard)];
  for (let index = first; index < end; index++) own.push(describePart(set, index).file);
  const whole = shard.count === WHOLE.count;
  for (const name of await readdir(directory)) {
    if (!name.endsWith(TEMPORARY)) continue;
    if (whole || own.some((file) => name.startsWith(`${file}.`))) {
      await rm(join(directory, name), { force: true });
    }
  }
}

// Parts that several processes have made become one embedding set, once all of them are there.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, link, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { type EmbeddingManifest, writeManifest } from "./manifest.ts";
import { explainOutput, makeOutputDirectory } from "./output-directory.ts";
import { countParts, describePart, type PartSummary, withParts } from "./set-description.ts";
import { describeDifferences } from "./set-differences.ts";
import { markIncomplete, readSets, removeUnfinished } from "./set-directory.ts";
import { acquireSetLock } from "./set-lock.ts";
import { type Shard, shardOf, WHOLE } from "./shard.ts";
import { readJournals, removeJournals, type ShardJournal } from "./shard-journal.ts";
import { verifyPart } from "./verify-part.ts";

export interface MergeOptions {
  /** Folders in which shards have written; their parts are linked into the set, or copied where that cannot be. Default: none. */
  readonly from?: readonly string[];
  /** Only say what is missing: nothing is made complete, written or deleted, and `manifest` is null. Default false. */
  readonly verifyOnly?: boolean;
  readonly onProgress?: (parts: number, totalParts: number) => void;
  /** Called when a lock of a process that is gone is taken over, or one of another machine is watched. */
  readonly onNote?: (line: string) => void;
}

/** Parts of one shard that are not there. */
export interface MissingParts {
  readonly shard: Shard;
  /** How the shard was started, without `--shard` and `--out`; null where that is not known. */
  readonly command: readonly string[] | null;
  readonly parts: readonly MissingPart[];
}

export interface MissingPart {
  /** Counted from 0. */
  readonly index: number;
  readonly file: string;
  /** What is wrong with the file of that name; null where there is none. */
  readonly damage: string | null;
}

export interface MergeResult {
  /** Of the complete set; null while parts are missing, or where nothing was to be merged. */
  readonly manifest: EmbeddingManifest | null;
  /** By shard, in order; empty when no part is missing. */
  readonly missing: readonly MissingParts[];
  readonly partCount: number;
}

/**
 * Makes the set of a folder complete, or says which parts are missing.
 *
 * Every part must have the id of its stretch, a file of the right length, and account for each row of its stretch once:
 * embedded or rejected. Then `manifest.json` is written, byte for byte as one process would have written it, and what the
 * shards have left beside their parts is deleted. A complete set is verified again and left as it is; where its parts are damaged the
 * manifest says from then on that it is not complete. Shards may be of different counts.
 *
 * @param out The folder of the set: where shards have written, or another, with their folders in `from`.
 * @throws {InputError} `not-an-embedding-set` where no shard has begun, `mixed-shards`, `set-in-use`, `disk-full`, `bad-output`.
 *
 * Cost: the header of each part is read, none of its tensors; the rows of one part are in memory.
 */
export async function mergeShards(out: string, options: MergeOptions = {}): Promise<MergeResult> {
  const { from = [], onNote = () => {} } = options;
  if (from.length > 0) await makeOutputDirectory(out);
  const directories = [out, ...from];
  const set = await commonSet(directories);
  return await explainOutput(out, "merge", async () => {
    await using _lock = await acquireSetLock(out, WHOLE, countParts(set), onNote);
    return await mergeHeld(out, directories, set, options);
  });
}

async function mergeHeld(
  out: string,
  directories: readonly string[],
  set: EmbeddingManifest,
  { onProgress, verifyOnly = false }: MergeOptions,
): Promise<MergeResult> {
  const partCount = countParts(set);
  const journals = (await Promise.all(directories.map(readJournals))).flat();
  const parts: PartSummary[] = [];
  const places: string[] = [];
  const missing: MissingPart[] = [];
  for (let index = 0; index < partCount; index++) {
    const { file } = describePart(set, index);
    let damage: string | null = null;
    const before = parts.length;
    for (const directory of directories) {
      const found = await verifyPart(directory, set, index);
      if (found.part === null) damage = found.damage ?? damage;
      else {
        parts.push(found.part);
        places.push(directory);
        break;
      }
    }
    if (parts.length === before) missing.push({ index, file, damage });
    onProgress?.(index + 1, partCount);
  }
  if (missing.length > 0 || verifyOnly) {
    if (!verifyOnly) await markIncomplete(out);
    return { manifest: null, missing: byShard(missing, journals, partCount), partCount };
  }

  for (const [i, { file }] of parts.entries()) if (places[i] !== out) await bring(places[i]!, out, file);
  const manifest = withParts({ ...set, complete: false }, parts, true);
  await writeManifest(out, manifest);
  await removeJournals(out);
  await removeUnfinished(out, set, WHOLE);
  return { manifest, missing: [], partCount };
}

/** The one set that all folders hold parts of. */
async function commonSet(directories: readonly string[]): Promise<EmbeddingManifest> {
  let first: { set: EmbeddingManifest; directory: string } | null = null;
  for (const directory of directories) {
    if (!existsSync(directory)) throw nothing(directory);
    for (const set of await readSets(directory)) {
      first ??= { set, directory };
      if (set.run === first.set.run) continue;
      throw new InputError(
        "mixed-shards",
        `${directory}: expected shards of the set in ${first.directory}, got another: ${describeDifferences(first.set, set)}`,
        "merge shards that were embedded with the same data and options",
      );
    }
  }
  if (first === null) throw nothing(directories.join(", "));
  return first.set;
}

const nothing = (where: string): InputError =>
  new InputError(
    "not-an-embedding-set",
    `${where}: expected a set that shards have begun, got none`,
    "run the shards first: `armorm embed … --shard i/n`",
  );

/** Groups missing parts by who makes them: shards of the largest count that anybody was started with. */
function byShard(
  missing: readonly MissingPart[],
  journals: readonly ShardJournal[],
  partCount: number,
): MissingParts[] {
  const count = journals.reduce((most, { shard }) => Math.max(most, shard.count), 1);
  const command = journals.find((journal) => journal.command !== null)?.command ?? null;
  const groups = new Map<number, MissingParts & { parts: MissingPart[] }>();
  for (const part of missing) {
    const shard = shardOf(part.index, count, partCount);
    const group = groups.get(shard.index) ?? { shard, command, parts: [] };
    group.parts.push(part);
    groups.set(shard.index, group);
  }
  return [...groups.values()];
}

/** Links a part into the set's folder, or copies it there; under its name it is whole. */
async function bring(from: string, to: string, file: string): Promise<void> {
  const source = join(from, file);
  const temporary = join(to, `${file}.${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
  try {
    await link(source, temporary).catch(async () => {
      await copyFile(source, temporary);
      const copy = await open(temporary, "r+");
      try {
        await copy.sync();
      } finally {
        await copy.close();
      }
    });
    await rename(temporary, join(to, file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

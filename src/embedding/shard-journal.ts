// What each shard leaves beside its parts: of which set they are, and what the shard has finished.

import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { type EmbeddingManifest, writeJson } from "./manifest.ts";
import type { Shard } from "./shard.ts";

/** `shard-00003-of-00008.json` */
export interface ShardJournal {
  readonly format: "armorm-embedding-shard";
  readonly version: 1;
  readonly shard: Shard;
  /** The options that it was started with, without `--shard` and `--out`; null where a program did it. */
  readonly command: readonly string[] | null;
  /** The set's, with the parts and rejections of this shard alone; `complete` is false. */
  readonly manifest: EmbeddingManifest;
}

const FILE = /^shard-\d{5,}-of-\d{5,}\.json$/;

const isJournalFile = (name: string): boolean => FILE.test(name);

export function journalFile({ index, count }: Shard): string {
  const number = (n: number) => String(n).padStart(5, "0");
  return `shard-${number(index)}-of-${number(count)}.json`;
}

export const writeJournal = (
  directory: string,
  shard: Shard,
  command: readonly string[] | null,
  manifest: EmbeddingManifest,
): Promise<void> => {
  const journal: ShardJournal = { format: "armorm-embedding-shard", version: 1, shard, command, manifest };
  return writeJson(join(directory, journalFile(shard)), journal);
};

/** Removes the journals of a set that is complete: its manifest has what they say. */
export async function removeJournals(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (isJournalFile(name)) await rm(join(directory, name), { force: true });
  }
}

/** The journals of a folder, in the order of their names. @throws {InputError} `not-a-shard` */
export async function readJournals(directory: string): Promise<ShardJournal[]> {
  const names = (await readdir(directory)).filter(isJournalFile).sort();
  const journals = await Promise.all(names.map((name) => readJournal(join(directory, name))));
  return journals.filter((journal) => journal !== null);
}

/** Null where a merge has just deleted it. */
async function readJournal(path: string): Promise<ShardJournal | null> {
  let journal: ShardJournal | null = null;
  try {
    journal = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (journal?.format === "armorm-embedding-shard" && journal.version === 1) return journal;
  throw new InputError(
    "not-a-shard",
    `${path}: expected armorm-embedding-shard version 1, got something else`,
    "delete the file and run its shard again: parts that are there are kept",
  );
}

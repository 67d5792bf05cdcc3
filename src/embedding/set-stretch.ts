// The parts of one shard of an embedding set, whether the others are there or not.

import { existsSync } from "node:fs";
import { InputError } from "../errors.ts";
import { EmbeddingSet } from "./embedding-set.ts";
import type { EmbeddingManifest } from "./manifest.ts";
import { countParts, describePart } from "./set-description.ts";
import { readSets } from "./set-directory.ts";
import { type Shard, shardParts, showShard } from "./shard.ts";
import { verifyPart } from "./verify-part.ts";

/** Consecutive parts of a set, counted from 0. */
export interface SetStretch {
  readonly directory: string;
  /** Of the whole set; what it says of parts and rejections is not to be relied upon. */
  readonly manifest: EmbeddingManifest;
  readonly partCount: number;
  /** The parts from `first` on, each as a set that holds nothing else. */
  readonly first: number;
  readonly parts: readonly EmbeddingSet[];
}

/**
 * Opens the parts of a shard: of a complete set, or in a folder that so far only this shard has written to.
 *
 * @throws {InputError} `not-an-embedding-set`, `mixed-shards`; `incomplete-embeddings` where one of the shard's parts is missing.
 * Cost: of a set that is not complete, the header of each part.
 */
export async function openStretch(directory: string, shard: Shard): Promise<SetStretch> {
  const sets = existsSync(directory) ? await readSets(directory) : [];
  const [manifest] = sets;
  if (!manifest) {
    throw new InputError(
      "not-an-embedding-set",
      `${directory}: expected an embedding set, or shards of one, got neither`,
      "give a directory that `armorm embed` has written",
    );
  }
  if (sets.some(({ run }) => run !== manifest.run)) {
    throw new InputError(
      "mixed-shards",
      `${directory}: expected shards of one set, got those of several`,
      "embed each set into a folder of its own",
    );
  }
  const partCount = manifest.complete ? manifest.parts.length : countParts(manifest);
  const { first, end } = shardParts(shard, partCount);
  const parts: EmbeddingSet[] = [];
  for (let index = first; index < end; index++) {
    const part = manifest.complete
      ? manifest.parts[index]!
      : await findPart(directory, manifest, index, shard);
    parts.push(
      new EmbeddingSet(directory, { ...manifest, complete: true, rowsOut: part.rows, parts: [part] }),
    );
  }
  return { directory, manifest, partCount, first, parts };
}

async function findPart(
  directory: string,
  manifest: EmbeddingManifest,
  index: number,
  shard: Shard,
): Promise<EmbeddingManifest["parts"][number]> {
  const { part } = await verifyPart(directory, manifest, index);
  if (part) return { file: part.file, id: part.id, rows: part.rows };
  throw new InputError(
    "incomplete-embeddings",
    `${directory}: expected all parts of shard ${showShard(shard)}, got no ${describePart(manifest, index).file}`,
    `run \`armorm embed … --shard ${showShard(shard)}\` to its end, or name the shard whose parts are here with --shard`,
  );
}

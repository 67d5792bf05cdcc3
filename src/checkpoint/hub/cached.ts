// What the cache holds of a commit, without asking the hub.

import { INDEX, readJsonObject, readWeightMap, SINGLE } from "../shards.ts";
import type { HubCache } from "./hub-cache.ts";
import type { HubId } from "./hub-id.ts";
import { READ_FILES } from "./needed-files.ts";
import type { PulledFile, PulledRepository } from "./pull.ts";

export interface CachedCommit {
  readonly repository: PulledRepository;
  /** Whether it can be opened: the weights are whole, or the tokenizer is there where no weights are needed. */
  readonly usable: boolean;
  /** Whether the hub could add nothing: every other file is there or known to be missing. */
  readonly complete: boolean;
}

/** Looks into the snapshot of a commit. */
export async function findCached(
  cache: HubCache,
  { id, revision, commit }: HubId & { readonly commit: string },
  weights: boolean,
): Promise<CachedCommit> {
  const files: PulledFile[] = [];
  const find = async (name: string): Promise<boolean> => {
    const bytes = await cache.sizeOf(commit, name);
    if (bytes !== null) files.push({ name, bytes, from: "cache" });
    return bytes !== null;
  };
  const there = new Set<string>();
  for (const name of READ_FILES) if (await find(name)) there.add(name);
  const whole = weights ? there.has("config.json") && (await findWeights(cache, commit, find)) : false;
  const usable = weights ? whole : there.has("tokenizer.json");
  let complete = usable;
  for (const name of READ_FILES) {
    if (!complete || there.has(name) || (await cache.isMarkedMissing(commit, name))) continue;
    if (await isNeeded(name, cache, commit, there)) complete = false;
  }
  const directory = cache.snapshot(commit);
  return { repository: { id, revision, commit, directory, files }, usable, complete };
}

async function findWeights(
  cache: HubCache,
  commit: string,
  find: (name: string) => Promise<boolean>,
): Promise<boolean> {
  if (await find(SINGLE)) return true;
  if (!(await find(INDEX))) return false;
  const map = await readWeightMap(cache.pointer(commit, INDEX));
  const found: boolean[] = [];
  for (const shard of new Set(map.map(([, file]) => file))) found.push(await find(shard));
  return found.every(Boolean);
}

/** Whether the absence of a file can make a difference, given those that are there. */
async function isNeeded(
  name: string,
  cache: HubCache,
  commit: string,
  there: ReadonlySet<string>,
): Promise<boolean> {
  const read = (file: string) => readJsonObject(cache.pointer(commit, file)).catch(() => null);
  if (name.startsWith("training")) {
    return there.has("config.json") && (await read("config.json"))?.model_type === "armorm";
  }
  // The configuration of a tokenizer names its special tokens too, and usually its template.
  if (name === "special_tokens_map.json") return !there.has("tokenizer_config.json");
  if (name === "chat_template.jinja" && there.has("tokenizer_config.json")) {
    return (await read("tokenizer_config.json"))?.chat_template === undefined;
  }
  return true;
}

/** Notes what a revision stands for and which files its commit lacks, so that the hub need not be asked again. */
export async function remember(
  cache: HubCache,
  { revision }: HubId,
  commit: string,
  names: readonly string[],
): Promise<void> {
  try {
    for (const name of READ_FILES) {
      if (names.includes(name) || (await cache.isMarkedMissing(commit, name))) continue;
      await cache.markMissing(commit, name);
    }
    await cache.writeRef(revision, commit);
  } catch (error) {
    // A cache that may only be read still serves what it holds.
    if (!["EACCES", "EPERM", "EROFS"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

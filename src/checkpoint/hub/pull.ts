// A repository of the hub, or what armorm needs of it, into the cache that Python's libraries share.

import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { InputError } from "../../errors.ts";
import { INDEX, readWeightMap, SINGLE } from "../shards.ts";
import { findCached, remember } from "./cached.ts";
import { downloadBlob, partialFile } from "./download.ts";
import { explainFileErrors } from "./file-errors.ts";
import { HubCache, sizeOf } from "./hub-cache.ts";
import { HubClient } from "./hub-client.ts";
import { NetworkFailure, unreachable } from "./hub-errors.ts";
import { formatHubId, type HubId, parseHubId } from "./hub-id.ts";
import { hubSettings } from "./hub-settings.ts";
import { fetchListing, type ListedFile, type Listing } from "./listing.ts";
import { requireShards, smallFiles, weightsFile } from "./needed-files.ts";

export interface PullOptions {
  /** Whether weights are needed; without them, configuration, tokenizer and card come alone. Default true. */
  readonly weights?: boolean;
  /** Stops at once; what is there is kept, and the next call goes on with it. */
  readonly signal?: AbortSignal | undefined;
  /** Called once before anything large is downloaded; not at all if nothing has to be. */
  readonly onPlan?: (plan: PullPlan) => void;
  readonly onProgress?: (progress: PullProgress) => void;
  /** Called with what happened on the way: the cache instead of the hub, another process's download. */
  readonly onNote?: (line: string) => void;
}

/** What a pull is going to do. */
export interface PullPlan {
  readonly id: string;
  readonly revision: string;
  readonly commit: string;
  /** The snapshot in the cache. */
  readonly directory: string;
  readonly files: readonly PulledFile[];
  /** Bytes to download, without those that an earlier run has brought. */
  readonly bytes: number;
}

export interface PullProgress {
  readonly file: string;
  /** Of all files to download. */
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface PulledFile {
  readonly name: string;
  readonly bytes: number;
  readonly from: "hub" | "cache";
}

/** What lies in the cache after a pull. */
export interface PulledRepository {
  /** `org/name` */
  readonly id: string;
  /** As asked for. */
  readonly revision: string;
  readonly commit: string;
  /** The snapshot: a checkpoint or model directory. */
  readonly directory: string;
  readonly files: readonly PulledFile[];
}

/**
 * Brings what armorm reads of a repository into the Hugging Face cache, and nothing else: configuration, tokenizer, card and
 * safetensors weights; never pickles.
 *
 * The environment says where and as whom (`hubSettings`). A commit that is complete in the cache needs no network; a
 * branch or tag is looked up first, and if the hub cannot be reached, what is in the cache is used. Interrupted
 * downloads resume. Every downloaded file's size and hash are checked before it appears. Files that Python has
 * downloaded are used as they are.
 *
 * @param location `org/name` (its `main` branch) or `org/name@revision`.
 * @throws {InputError} `bad-hub-id`, `missing-repository`, `missing-revision`, `gated-repository`, `bad-token`, `not-cached`,
 *   `hub-unreachable`, `pickled-weights`, `missing-tensors`, `unsafe-path`, `wrong-size`, `wrong-hash`, `disk-full`,
 *   `read-only-cache`, …: docs/hub.md lists them.
 */
export async function pull(location: string, options: PullOptions = {}): Promise<PulledRepository> {
  const hubId = parseHubId(location);
  if (hubId === null) {
    throw new InputError(
      "bad-hub-id",
      `${location}: expected org/name or org/name@revision, got another form`,
      "give the name as its page on the hub shows it, with the organisation",
    );
  }
  const settings = hubSettings(process.env);
  const cache = new HubCache(settings.cache, hubId.id);
  const { weights = true, signal } = options;
  signal?.throwIfAborted();
  const commit = await cache.readRef(hubId.revision);
  const cached = commit === null ? null : await findCached(cache, { ...hubId, commit }, weights);
  if (settings.offline) {
    if (cached?.usable) return cached.repository;
    throw new InputError(
      "not-cached",
      `${formatHubId(hubId)}: expected a folder of that name or a whole copy in ${settings.cache}, got neither, and HF_HUB_OFFLINE is set`,
      `unset HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) once: armorm pull ${formatHubId(hubId)}`,
    );
  }
  if (cached?.complete && commit === hubId.revision) return cached.repository;
  const client = new HubClient(settings);
  try {
    const listing = await fetchListing(client, hubId, signal).catch((error) => {
      if (!(error instanceof NetworkFailure)) throw error;
      if (!cached?.usable) throw unreachable(settings, hubId, error);
      const used = `commit ${cached.repository.commit.slice(0, 12)} from the cache`;
      options.onNote?.(`${formatHubId(hubId)}: ${settings.endpoint} gave ${error.message}; using ${used}`);
      return null;
    });
    if (listing === null) return cached!.repository;
    return await explainFileErrors(settings.cache, () =>
      pullListed(client, cache, hubId, listing, weights, options),
    );
  } finally {
    await client.close();
  }
}

async function pullListed(
  client: HubClient,
  cache: HubCache,
  hubId: HubId,
  listing: Listing,
  weights: boolean,
  options: PullOptions,
): Promise<PulledRepository> {
  const { signal, onPlan, onProgress, onNote = () => {} } = options;
  const { commit, names } = listing;
  const where = formatHubId(hubId);
  const describe = (name: string) => listing.describe(name, signal);
  const bring = async (file: ListedFile, onBytes: (bytes: number) => void): Promise<PulledFile> => {
    const { name, bytes, etag } = file;
    if ((await cache.sizeOf(commit, name)) === bytes) return { name, bytes, from: "cache" };
    const wanted = { id: hubId.id, revision: commit, file: name };
    const fresh = await downloadBlob(client, cache, wanted, file, { signal, onBytes, onNote });
    await cache.link(commit, name, etag, fresh);
    return { name, bytes, from: fresh ? "hub" : "cache" };
  };

  const wanted = smallFiles(names);
  const early: PulledFile[] = [];
  if (weights) {
    const leading = weightsFile(names, where);
    if (leading === SINGLE) wanted.push(SINGLE);
    else {
      // The index says which shards there are; it is small.
      early.push(await bring(await describe(INDEX), () => {}));
      const map = await readWeightMap(cache.pointer(commit, INDEX));
      const shards = [...new Set(map.map(([, file]) => file))].sort();
      requireShards(shards, names, where);
      wanted.push(...shards);
    }
  }
  const listed: ListedFile[] = [];
  for (const name of wanted) listed.push(await describe(name));
  const plan = await planOf(cache, hubId, commit, listed);
  if (plan.bytes > 0) {
    await requireSpace(client.settings.cache, plan.bytes);
    onPlan?.(plan);
  }
  const bytesOf = (file: PulledFile): number => (file.from === "hub" ? file.bytes : 0);
  const totalBytes = plan.files.reduce((sum, file) => sum + bytesOf(file), 0);
  const files: PulledFile[] = [];
  let before = 0;
  for (const [i, file] of listed.entries()) {
    const onBytes = (bytes: number) => onProgress?.({ file: file.name, bytes: before + bytes, totalBytes });
    files.push(await bring(file, onBytes));
    before += bytesOf(plan.files[i]!);
  }
  await remember(cache, hubId, commit, names);
  const { id, revision } = hubId;
  return { id, revision, commit, directory: cache.snapshot(commit), files: [...early, ...files] };
}

async function planOf(
  cache: HubCache,
  { id, revision }: HubId,
  commit: string,
  listed: readonly ListedFile[],
): Promise<PullPlan> {
  const files: PulledFile[] = [];
  let missing = 0;
  for (const { name, bytes, etag } of listed) {
    const there = (await cache.sizeOf(commit, name)) === bytes || (await sizeOf(cache.blob(etag))) === bytes;
    if (!there) missing += bytes - Math.min(bytes, (await sizeOf(partialFile(cache, etag))) ?? 0);
    files.push({ name, bytes, from: there ? "cache" : "hub" });
  }
  return { id, revision, commit, directory: cache.snapshot(commit), files, bytes: missing };
}

/** @throws {InputError} `disk-full` */
async function requireSpace(folder: string, bytes: number): Promise<void> {
  let existing = folder;
  while (!existsSync(existing) && existing !== dirname(existing)) existing = dirname(existing);
  const { bavail, bsize } = await statfs(existing);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const gb = (value: number) => `${(value / 1e9).toFixed(2)} GB`;
  throw new InputError(
    "disk-full",
    `${folder}: expected ${gb(bytes)} of free space for the download, got ${gb(free)}`,
    "make room, or set HF_HOME to a folder on a larger disk",
  );
}

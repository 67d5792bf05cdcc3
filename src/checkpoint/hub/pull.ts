// A repository of the hub, or what armorm needs of it, into the cache that Python's libraries share.

import { InputError } from "../../errors.ts";
import { INDEX, readWeightMap, SINGLE } from "../shards.ts";
import { findCached, remember } from "./cached.ts";
import { explainFileErrors } from "./file-errors.ts";
import { HubCache } from "./hub-cache.ts";
import { HubClient } from "./hub-client.ts";
import { NetworkFailure, unreachable } from "./hub-errors.ts";
import { formatHubId, parseHubId } from "./hub-id.ts";
import { hubSettings } from "./hub-settings.ts";
import { fetchListing } from "./listing.ts";
import { requireShards, smallFiles, weightsFile } from "./needed-files.ts";
import { bringFile, bringFiles, type Transfer } from "./transfer.ts";

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
  const cache = new HubCache(settings.cache, hubId);
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
      pullListed({ client, cache, hubId, listing }, weights, options),
    );
  } finally {
    await client.close();
  }
}

async function pullListed(
  transfer: Transfer,
  weights: boolean,
  options: PullOptions,
): Promise<PulledRepository> {
  const { cache, hubId, listing } = transfer;
  const { commit, names } = listing;
  const where = formatHubId(hubId);
  const wanted = smallFiles(names);
  const early: PulledFile[] = [];
  if (weights) {
    const leading = weightsFile(names, where);
    if (leading === SINGLE) wanted.push(SINGLE);
    else {
      // The index says which shards there are; it is small.
      early.push(await bringFile(transfer, INDEX, options));
      const map = await readWeightMap(cache.pointer(commit, INDEX));
      const shards = [...new Set(map.map(([, file]) => file))].sort();
      requireShards(shards, names, where);
      wanted.push(...shards);
    }
  }
  const files = await bringFiles(transfer, wanted, options);
  await remember(cache, hubId, commit, names);
  const { id, revision } = hubId;
  return { id, revision, commit, directory: cache.snapshot(commit), files: [...early, ...files] };
}

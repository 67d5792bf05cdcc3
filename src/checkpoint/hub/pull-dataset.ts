// The files of one split of a data set on the hub, into the cache that Python's libraries share.

import { readFile } from "node:fs/promises";
import { InputError } from "../../errors.ts";
import { readCardConfigs } from "./dataset-card.ts";
import { type DatasetId, formatDatasetId, parseDatasetId } from "./dataset-id.ts";
import { layoutOf } from "./dataset-splits.ts";
import { explainFileErrors } from "./file-errors.ts";
import { HubCache } from "./hub-cache.ts";
import { HubClient } from "./hub-client.ts";
import { NetworkFailure, unreachable } from "./hub-errors.ts";
import { DEFAULT_REVISION } from "./hub-id.ts";
import { hubSettings } from "./hub-settings.ts";
import { fetchListing } from "./listing.ts";
import type { PulledFile, PulledRepository, PullOptions } from "./pull.ts";
import { type SelectedSplit, selectSplit } from "./select-split.ts";
import { bringFile, bringFiles, type Transfer } from "./transfer.ts";

/** One split of a data set, in the cache; `files` are its files in order. */
export interface PulledDataset extends PulledRepository {
  readonly config: string;
  readonly split: string;
  /** What the same rows are found by again: `org/name@<commit>:config/split`. */
  readonly name: string;
}

const CARD = "README.md";
/** Where the hub keeps the Parquet files that it converts data sets to. */
const CONVERTED = "refs/convert/parquet";

/**
 * Brings the files of one split into the Hugging Face cache: the repository's own Parquet, JSON or CSV files, or, where its
 * main branch has none, those that the hub has converted it to.
 *
 * Which files belong to a split, the card says (`configs`), and otherwise the names of files. Network, cache, resuming and
 * checks are those of `pull`: a commit that is there needs no network, a branch is looked up first.
 *
 * @param location `org/name[@revision][:[config/]split]`. Configuration and split may be left out where there is one, or
 *   the card names a default configuration.
 * @throws {InputError} `bad-hub-id`, `no-data-files`, `missing-split`, `ambiguous-split`, `missing-shard`; those of `pull`.
 */
export async function pullDataset(location: string, options: PullOptions = {}): Promise<PulledDataset> {
  const wanted = parseDatasetId(location);
  if (wanted === null) {
    throw new InputError(
      "bad-hub-id",
      `${location}: expected a data set as org/name[@revision][:[config/]split], got another form`,
      "give the name as its page on the hub shows it, with the organisation",
    );
  }
  const settings = hubSettings(process.env);
  const cache = new HubCache(settings.cache, wanted);
  options.signal?.throwIfAborted();
  const commit = await cache.readRef(wanted.revision);
  const cached = commit === null ? null : await findCached(cache, wanted, commit);
  if (cached !== null && (settings.offline || commit === wanted.revision)) return cached;
  // What Python has downloaded may be a part, of which nobody here knows: good enough where there is nobody to ask.
  const guessed =
    cached ?? (commit === null ? null : await findCached(cache, wanted, commit, { guess: true }));
  const name = formatDatasetId(wanted);
  if (settings.offline) {
    if (guessed !== null) return guessed;
    throw new InputError(
      "not-cached",
      `${name}: expected a file or folder of that name or all its files in ${settings.cache}, got neither, and HF_HUB_OFFLINE is set`,
      `unset HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) once: armorm pull --dataset ${name}`,
    );
  }
  const client = new HubClient(settings);
  try {
    return await explainFileErrors(settings.cache, () => pullListed(client, cache, wanted, options));
  } catch (error) {
    if (!(error instanceof NetworkFailure)) throw error;
    if (guessed === null) throw unreachable(settings, wanted, error);
    const used = `commit ${guessed.commit.slice(0, 12)} from the cache`;
    options.onNote?.(`${name}: ${settings.endpoint} gave ${error.message}; using ${used}`);
    return guessed;
  } finally {
    await client.close();
  }
}

async function pullListed(
  client: HubClient,
  cache: HubCache,
  wanted: DatasetId,
  options: PullOptions,
): Promise<PulledDataset> {
  const listing = await fetchListing(client, wanted, options.signal);
  const { commit, names } = listing;
  const transfer: Transfer = { client, cache, hubId: wanted, listing };
  if (names.includes(CARD)) await bringFile(transfer, CARD, options);
  const selected = await select(cache, wanted, commit, names);
  if (selected !== null) {
    const files = await bringFiles(transfer, selected.files, options);
    await remember(cache, wanted, commit, names);
    return pulled(cache, wanted, commit, selected, files);
  }
  if (wanted.revision !== DEFAULT_REVISION) throw noDataFiles(wanted, "got none");
  const converted = await pullListed(client, cache, { ...wanted, revision: CONVERTED }, options).catch(
    (error) => {
      if (error instanceof InputError && error.code === "missing-revision") {
        throw noDataFiles(wanted, "got none, and the hub has not converted them to Parquet");
      }
      throw error;
    },
  );
  await remember(cache, wanted, commit, names);
  return { ...converted, revision: wanted.revision };
}

/** The split wanted of a commit whose card is in the cache; null where the commit holds no data that armorm reads. */
async function select(
  cache: HubCache,
  wanted: DatasetId,
  commit: string,
  names: readonly string[],
): Promise<SelectedSplit | null> {
  const text = await readFile(cache.pointer(commit, CARD), "utf8").catch(() => "");
  const card = await readCardConfigs(text);
  const layout = layoutOf(names, card, wanted.config);
  if ([...layout.values()].every(({ size }) => size === 0)) return null;
  return selectSplit(wanted, { layout, card, names });
}

/**
 * What the cache holds of a commit, without asking the hub; null where a file is missing, or nobody knows which.
 *
 * @param options.guess Take what is here for all that the commit holds. Default false: the hub has listed it once.
 */
async function findCached(
  cache: HubCache,
  wanted: DatasetId,
  commit: string,
  { guess = false }: { readonly guess?: boolean } = {},
): Promise<PulledDataset | null> {
  const names = guess ? await cache.snapshotNames(commit) : await cache.readNames(commit);
  if (names === null || (names.includes(CARD) && (await cache.sizeOf(commit, CARD)) === null)) return null;
  let selected: SelectedSplit | null;
  try {
    selected = await select(cache, wanted, commit, names);
  } catch (error) {
    // The hub may know of splits that are not here.
    if (error instanceof InputError) return null;
    throw error;
  }
  if (selected === null) {
    const converted = wanted.revision === DEFAULT_REVISION ? await cache.readRef(CONVERTED) : null;
    if (converted === null) return null;
    return await findCached(cache, { ...wanted, revision: CONVERTED }, converted, { guess });
  }
  const files: PulledFile[] = [];
  for (const name of selected.files) {
    const bytes = await cache.sizeOf(commit, name);
    if (bytes === null) return null;
    files.push({ name, bytes, from: "cache" });
  }
  return pulled(cache, wanted, commit, selected, files);
}

function pulled(
  cache: HubCache,
  { id, kind, revision }: DatasetId,
  commit: string,
  { config, split }: SelectedSplit,
  files: readonly PulledFile[],
): PulledDataset {
  const name = formatDatasetId({ id, kind, revision: commit, config, split });
  return { id, revision, commit, directory: cache.snapshot(commit), files, config, split, name };
}

/** Notes what a revision stands for and all that its commit holds, so that the hub need not be asked again. */
async function remember(
  cache: HubCache,
  { revision }: DatasetId,
  commit: string,
  names: readonly string[],
): Promise<void> {
  try {
    await cache.writeNames(commit, names);
    await cache.writeRef(revision, commit);
  } catch (error) {
    // A cache that may only be read still serves what it holds.
    if (!["EACCES", "EPERM", "EROFS"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

function noDataFiles(wanted: DatasetId, got: string): InputError {
  return new InputError(
    "no-data-files",
    `${formatDatasetId(wanted)}: expected Parquet, JSON or CSV files, ${got}`,
    "give another revision or data set, or download it and convert its files",
  );
}

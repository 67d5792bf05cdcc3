// Listed files of a repository into its cache: a plan, the space it needs, and one file after the other.

import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { InputError } from "../../errors.ts";
import { downloadBlob, partialFile } from "./download.ts";
import { type HubCache, sizeOf } from "./hub-cache.ts";
import type { HubClient } from "./hub-client.ts";
import type { HubId } from "./hub-id.ts";
import type { ListedFile, Listing } from "./listing.ts";
import type { PulledFile, PullOptions, PullPlan } from "./pull.ts";

/** What files of one commit are brought from and to. */
export interface Transfer {
  readonly client: HubClient;
  readonly cache: HubCache;
  readonly hubId: HubId;
  readonly listing: Listing;
}

/** Brings a small file that says what else is needed, without a word. */
export async function bringFile(
  transfer: Transfer,
  name: string,
  options: Pick<PullOptions, "signal" | "onNote">,
): Promise<PulledFile> {
  return await bring(transfer, await transfer.listing.describe(name, options.signal), options, () => {});
}

/**
 * Brings files in order; those that are there are left alone.
 *
 * @throws {InputError} `disk-full`, those of `downloadBlob`.
 */
export async function bringFiles(
  transfer: Transfer,
  names: readonly string[],
  options: PullOptions,
): Promise<PulledFile[]> {
  const { signal, onPlan, onProgress } = options;
  const listed: ListedFile[] = [];
  for (const name of names) listed.push(await transfer.listing.describe(name, signal));
  const plan = await planOf(transfer, listed);
  if (plan.bytes > 0) {
    await requireSpace(transfer.client.settings.cache, plan.bytes);
    onPlan?.(plan);
  }
  const bytesOf = (file: PulledFile): number => (file.from === "hub" ? file.bytes : 0);
  const totalBytes = plan.files.reduce((sum, file) => sum + bytesOf(file), 0);
  const files: PulledFile[] = [];
  let before = 0;
  for (const [i, file] of listed.entries()) {
    const onBytes = (bytes: number) => onProgress?.({ file: file.name, bytes: before + bytes, totalBytes });
    files.push(await bring(transfer, file, options, onBytes));
    before += bytesOf(plan.files[i]!);
  }
  return files;
}

async function bring(
  { client, cache, hubId, listing: { commit } }: Transfer,
  file: ListedFile,
  { signal, onNote = () => {} }: Pick<PullOptions, "signal" | "onNote">,
  onBytes: (bytes: number) => void,
): Promise<PulledFile> {
  const { name, bytes, etag } = file;
  if ((await cache.sizeOf(commit, name)) === bytes) return { name, bytes, from: "cache" };
  const wanted = { ...hubId, revision: commit, file: name };
  const fresh = await downloadBlob(client, cache, wanted, file, { signal, onBytes, onNote });
  await cache.link(commit, name, etag, fresh);
  return { name, bytes, from: fresh ? "hub" : "cache" };
}

async function planOf(
  { cache, hubId: { id, revision }, listing: { commit } }: Transfer,
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

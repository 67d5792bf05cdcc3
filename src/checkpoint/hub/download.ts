// One file of a repository into the cache: resumed, checked in size and hash, and there as a whole or not at all.

import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { InputError } from "../../errors.ts";
import { acquireLock } from "./blob-lock.ts";
import { type HubCache, sizeOf } from "./hub-cache.ts";
import { type HubAnswer, type HubClient, orUnreachable, withRetries } from "./hub-client.ts";
import { badAnswer, type HubRequest, NetworkFailure } from "./hub-errors.ts";
import { filePath, type ListedFile } from "./listing.ts";

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of the file that are there. */
  readonly onBytes: (bytes: number) => void;
  readonly onNote: (line: string) => void;
}

/** Where a download stands between two runs: beside the blob, under a name that Python's libraries do not touch. */
export const partialFile = (cache: HubCache, etag: string): string => `${cache.blob(etag)}.armorm.incomplete`;

/**
 * Downloads a file into the blobs of its repository, from where an earlier run stopped, and renames it into place once size and
 * hash are right.
 *
 * @param wanted The commit, and the name of `file`.
 * @returns Whether it was downloaded: false if it was there, or another process has brought it meanwhile.
 * @throws {InputError} `wrong-size`, `wrong-hash` (what was downloaded is then deleted), `hub-unreachable`, those of `refusal`.
 *
 * Memory: one chunk, whatever the size.
 */
export async function downloadBlob(
  client: HubClient,
  cache: HubCache,
  wanted: HubRequest & { readonly file: string },
  file: ListedFile,
  options: DownloadOptions,
): Promise<boolean> {
  const { onNote, signal } = options;
  const blob = cache.blob(file.etag);
  const onWait = () => onNote(`${file.name}: another process is downloading it; waiting`);
  await using _lock = await acquireLock(join(cache.locks, `${file.etag}.armorm.lock`), { signal, onWait });
  if ((await sizeOf(blob)) === file.bytes) return false;
  await mkdir(dirname(blob), { recursive: true });
  const partial = partialFile(cache, file.etag);
  const begun = ((await sizeOf(partial)) ?? 0) > 0;
  if (!(await downloadPart(client, wanted, file, partial, options))) {
    await rm(partial, { force: true });
    // What an earlier run left may be damaged; what came in one piece is what the hub sends.
    if (begun) onNote(`${file.name}: the part that was there is damaged; downloading it again`);
    if (!begun || !(await downloadPart(client, wanted, file, partial, options))) {
      await rm(partial, { force: true });
      throw wrongHash(client, wanted, file);
    }
  }
  await rename(partial, blob);
  return true;
}

/** Completes a half-downloaded file. @returns Whether its hash is right. */
async function downloadPart(
  client: HubClient,
  wanted: HubRequest & { readonly file: string },
  file: ListedFile,
  partial: string,
  { signal, onBytes }: DownloadOptions,
): Promise<boolean> {
  const handle = await open(partial, "a+").then(async (created) => {
    await created.close();
    return await open(partial, "r+");
  });
  try {
    const target = await openTarget(handle, partial, file, { signal, onBytes });
    const transfer = async () => {
      if (target.bytes === file.bytes) return;
      const answer = await client.send(filePath(wanted), wanted, { from: target.bytes, signal });
      await requireStart(client, wanted, file, partial, answer, target);
      for await (const chunk of answer.chunks) {
        if (target.bytes + chunk.length > file.bytes) {
          throw await wrongSize(partial, wanted, file, `more than ${file.bytes}`);
        }
        await target.append(chunk);
      }
      if (target.bytes < file.bytes)
        throw new NetworkFailure("the end of the connection before the end of the file");
    };
    await orUnreachable(client, wanted, withRetries(transfer, { signal, progress: () => target.bytes }));
    await handle.sync();
    return target.digest() === file.etag;
  } finally {
    await handle.close();
  }
}

interface Target {
  /** How many bytes are there. */
  readonly bytes: number;
  append(chunk: Buffer): Promise<void>;
  startAgain(): Promise<void>;
  digest(): string;
}

/** The file to append to, hashed as far as it goes. */
async function openTarget(
  handle: FileHandle,
  path: string,
  file: ListedFile,
  { signal, onBytes }: Pick<DownloadOptions, "signal" | "onBytes">,
): Promise<Target> {
  let hash = hashFor(file);
  let { size: bytes } = await handle.stat();
  const startAgain = async () => {
    await handle.truncate(0);
    hash = hashFor(file);
    bytes = 0;
    onBytes(0);
  };
  if (bytes > file.bytes) await startAgain();
  if (bytes > 0) for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Buffer);
  onBytes(bytes);
  return {
    get bytes() {
      return bytes;
    },
    async append(chunk) {
      for (let done = 0; done < chunk.length; ) {
        done += (await handle.write(chunk, done, chunk.length - done, bytes + done)).bytesWritten;
      }
      hash.update(chunk);
      bytes += chunk.length;
      onBytes(bytes);
    },
    startAgain,
    digest: () => hash.digest("hex"),
  };
}

/** Blobs are named by what git and its large files call them: sha1 with a header, or sha256. */
function hashFor({ etag, bytes }: ListedFile): Hash {
  return etag.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${bytes}\0`);
}

/** Makes sure that what the answer brings follows what is there, and is of the file's size. */
async function requireStart(
  client: HubClient,
  wanted: HubRequest,
  file: ListedFile,
  partial: string,
  { status, headers }: HubAnswer,
  target: Target,
): Promise<void> {
  if (status === 416) {
    await target.startAgain();
    throw new NetworkFailure("a range that it does not have");
  }
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  if (status === 206 && Number(range?.[1] ?? Number.NaN) !== target.bytes) {
    throw badAnswer(client.settings, wanted, `the bytes from ${target.bytes} on`);
  }
  if (status !== 206 && target.bytes > 0) await target.startAgain();
  const total = status === 206 ? range?.[2] : headers["content-length"];
  if (total !== undefined && /^\d+$/.test(total) && Number(total) !== file.bytes) {
    throw await wrongSize(partial, wanted, file, total);
  }
}

async function wrongSize(
  partial: string,
  { id, file: name }: HubRequest,
  { bytes }: ListedFile,
  got: string,
): Promise<InputError> {
  await rm(partial, { force: true });
  return new InputError(
    "wrong-size",
    `${id}: expected ${bytes} bytes of ${name}, got ${got}; the download was deleted`,
    "try again; if it stays, the hub, a mirror or a proxy sends another file",
  );
}

function wrongHash(client: HubClient, { id, file: name }: HubRequest, { etag }: ListedFile): InputError {
  const kind = etag.length === 64 ? "sha256" : "git hash";
  return new InputError(
    "wrong-hash",
    `${id}: expected ${name} with the ${kind} ${etag.slice(0, 16)}…, got other contents from ${client.settings.endpoint}; the download was deleted`,
    "try again; if it stays, a mirror, a proxy or a cache on the way changes files",
  );
}

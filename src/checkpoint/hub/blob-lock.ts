// One process at a time downloads a blob; the others wait for it and find it done.

import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isProcessAlive } from "../process-alive.ts";

const LOOK_AGAIN_MS = 200;
const HEARTBEAT_MS = 10_000;
/** A lock whose owner has not been heard of for this long is nobody's. */
const STALE_MS = 60_000;

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly token: string;
}

/**
 * Waits until the lock file can be had, and holds it until it is released.
 *
 * The file names its owner. It is taken over when the owner's process is gone, or its file has not been touched for a
 * minute (owners touch it every ten seconds), by renaming a new one over it: of several who try, the last one finds its
 * own name there a moment later, and has it. Python's locks are another kind (`flock`), which Node cannot take part in: that
 * is why the names of locks and of half-downloaded files are armorm's own, and blobs appear by renaming only.
 *
 * @param onWait Called once if somebody else has it.
 */
export async function acquireLock(
  path: string,
  { signal, onWait }: { readonly signal?: AbortSignal | undefined; readonly onWait?: () => void } = {},
): Promise<AsyncDisposable> {
  const own: Owner = { pid: process.pid, host: hostname(), token: randomUUID() };
  const text = JSON.stringify(own);
  await mkdir(dirname(path), { recursive: true });
  let waiting = false;
  while (!(await create(path, text)) && !(await takeOver(path, text, own))) {
    if (!waiting) onWait?.();
    waiting = true;
    await delay(LOOK_AGAIN_MS);
    signal?.throwIfAborted();
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => {});
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(heartbeat);
      if ((await readOwner(path))?.token === own.token) await rm(path, { force: true });
    },
  };
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(text);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function takeOver(path: string, text: string, own: Owner): Promise<boolean> {
  const temporary = `${path}.${own.token}.tmp`;
  if (!(await isStale(path))) return false;
  await writeFile(temporary, text);
  await rename(temporary, path);
  await delay(LOOK_AGAIN_MS);
  return (await readOwner(path))?.token === own.token;
}

async function isStale(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null);
  if (stats === null) return false; // just released
  if (Date.now() - stats.mtimeMs > STALE_MS) return true;
  const owner = await readOwner(path);
  return owner !== null && owner.host === hostname() && !isProcessAlive(owner.pid);
}

async function readOwner(path: string): Promise<Owner | null> {
  try {
    const owner = JSON.parse(await readFile(path, "utf8"));
    return Number.isSafeInteger(owner?.pid) ? owner : null;
  } catch {
    return null; // being written, or just released
  }
}

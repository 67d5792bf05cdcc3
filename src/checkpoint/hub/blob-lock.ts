// One process at a time downloads a blob; the others wait for it and find it done.

import { setTimeout as delay } from "node:timers/promises";
import { isHeld, takeOver, tryLock } from "../file-lock.ts";

const LOOK_AGAIN_MS = 200;
/** A lock that nobody has touched while it was watched for this long is nobody's. */
const STALE_MS = 60_000;

/**
 * Waits until the lock file can be had, and holds it until it is released.
 *
 * Python's locks are another kind (`flock`), which Node cannot take part in: that is why the names of locks and of
 * half-downloaded files are armorm's own, and blobs appear by renaming only.
 *
 * @param onWait Called once if somebody else has it.
 */
export async function acquireLock(
  path: string,
  { signal, onWait }: { readonly signal?: AbortSignal | undefined; readonly onWait?: () => void } = {},
): Promise<AsyncDisposable> {
  let waiting = false;
  let [touchedMs, since] = [Number.NaN, performance.now()];
  while (true) {
    let lock = await tryLock(path);
    if (!isHeld(lock)) {
      const now = performance.now();
      if (lock.touchedMs !== touchedMs) [touchedMs, since] = [lock.touchedMs, now];
      else if (!lock.alive && now - since > STALE_MS) lock = await takeOver(lock, path);
    }
    if (isHeld(lock)) return lock;
    if (!waiting) onWait?.();
    waiting = true;
    await delay(LOOK_AGAIN_MS);
    signal?.throwIfAborted();
  }
}

// Nobody else embeds the same parts at the same time.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  type BusyLock,
  describeOwner,
  type HeldLock,
  isHeld,
  takeOver,
  tryLock,
} from "../checkpoint/file-lock.ts";
import { HEARTBEAT_MS } from "../checkpoint/heartbeat.ts";
import { InputError } from "../errors.ts";
import { type Shard, shardParts, showShard } from "./shard.ts";

/**
 * An owner on another machine that has not touched its lock while it was watched for this long is gone. When it did so before says
 * nothing: the clocks of two machines need not agree.
 */
const QUIET_MS = 9 * HEARTBEAT_MS;
const LOOK_AGAIN_MS = 500;

const FILE = /^\.shard-(\d{5,})-of-(\d{5,})\.lock$/;

/** Locks are no contents of a set. */
export const isLockFile = (name: string): boolean => FILE.test(name);

const lockFile = ({ index, count }: Shard): string => {
  const number = (n: number) => String(n).padStart(5, "0");
  return `.shard-${number(index)}-of-${number(count)}.lock`;
};

/**
 * Holds the parts of a shard until it is released; `WHOLE` holds all of them.
 *
 * A lock whose owner is gone is taken over, which `onNote` is told: at once where its process lived on this machine,
 * otherwise once it has been silent for a minute and a half.
 *
 * @throws {InputError} `set-in-use` if another process holds some of these parts.
 */
export async function acquireSetLock(
  directory: string,
  shard: Shard,
  partCount: number,
  onNote: (line: string) => void,
): Promise<AsyncDisposable> {
  const own = await claim(directory, shard, onNote);
  try {
    for (const other of await otherShards(directory, shard)) {
      if (!overlap(shard, other, partCount)) continue;
      await (await claim(directory, other, onNote))[Symbol.asyncDispose]();
    }
  } catch (error) {
    await own[Symbol.asyncDispose]();
    throw error;
  }
  return own;
}

async function otherShards(directory: string, { index, count }: Shard): Promise<Shard[]> {
  const found: Shard[] = [];
  for (const name of await readdir(directory)) {
    const [, i, n] = FILE.exec(name) ?? [];
    if (i === undefined || (Number(i) === index && Number(n) === count)) continue;
    found.push({ index: Number(i), count: Number(n) });
  }
  return found;
}

function overlap(a: Shard, b: Shard, partCount: number): boolean {
  const [one, two] = [shardParts(a, partCount), shardParts(b, partCount)];
  return Math.max(one.first, two.first) < Math.min(one.end, two.end);
}

async function claim(directory: string, shard: Shard, onNote: (line: string) => void): Promise<HeldLock> {
  const path = join(directory, lockFile(shard));
  const what = shard.count === 1 ? directory : `${directory}: shard ${showShard(shard)}`;
  let lock = await tryLock(path);
  if (!isHeld(lock) && !lock.alive) {
    onNote(`${what}: ${describeOwner(lock.owner)} holds the lock; waiting for a sign of life`);
    lock = await takeIfQuiet(path, lock);
  }
  if (!isHeld(lock)) {
    throw new InputError(
      "set-in-use",
      `${what}: expected to be the only one that embeds it, got ${describeOwner(lock.owner)} at work`,
      "wait until that process has ended, or stop it; what it has finished is kept",
    );
  }
  if (lock.previous !== null) onNote(`${what}: ${describeOwner(lock.previous)} is gone; took its lock over`);
  return lock;
}

/** Takes a lock over that stays untouched for as long as it is watched, or one that is released meanwhile. */
async function takeIfQuiet(path: string, { touchedMs }: BusyLock): Promise<HeldLock | BusyLock> {
  const until = performance.now() + QUIET_MS;
  for (;;) {
    await delay(LOOK_AGAIN_MS);
    const lock = await tryLock(path);
    if (isHeld(lock) || lock.touchedMs !== touchedMs) return lock;
    if (performance.now() >= until) return await takeOver(lock, path);
  }
}

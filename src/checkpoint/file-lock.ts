// Locks between processes, on one machine or several that share a file system: a file that names its owner.

import { randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { link, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startHeartbeat } from "./heartbeat.ts";
import { isProcessAlive, processStart } from "./process-alive.ts";

/** Of several who take a lock over at once, the last one finds its own name there after this time. */
const SETTLE_MS = 200;

export interface LockOwner {
  readonly pid: number;
  readonly host: string;
  /** What the process number counts in: containers of one host name count processes each for themselves. */
  readonly processes?: string;
  /** What the machine drew when it started: two machines may have one name. */
  readonly boot?: string;
  /** When the process started, by {@link processStart}; null where the system does not say. */
  readonly started?: string | null;
  /** When the lock was taken, ISO 8601. */
  readonly since: string;
  readonly token: string;
}

export interface HeldLock extends AsyncDisposable {
  /** Who had it before and is gone; null where the lock was free. */
  readonly previous: LockOwner | null;
}

/** How often a lock may be released between two looks at it. */
const TRIES = 5;

/** Somebody else has it. */
export interface BusyLock {
  /** Null while its file is being written. */
  readonly owner: LockOwner | null;
  /** Whether the owner is known to be at work: a process of this machine. Of others, only a touch of the file says so. */
  readonly alive: boolean;
  /** When the file was touched, by a clock that may be the owner's: good for seeing that it changes, and for nothing else. */
  readonly touchedMs: number;
}

/**
 * Takes a lock, or says who has it. Does not wait.
 *
 * A lock is nobody's when its owner's process is gone on this machine; it is then taken over by renaming a new file over it. Owners
 * touch it every ten seconds: where that does not happen for long enough, by the clock of whoever watches, `takeOver` is for them.
 */
export async function tryLock(path: string): Promise<HeldLock | BusyLock> {
  await mkdir(dirname(path), { recursive: true });
  const text = JSON.stringify(thisProcess());
  for (let tries = 0; tries < TRIES; tries++) {
    if (await create(path, text)) return held(path, text, null);
    const stats = await stat(path).catch(() => null);
    if (stats === null) continue; // just released
    const owner = await readOwner(path);
    const life = owner === null ? "unknown" : lifeOf(owner);
    if (life !== "gone") return { owner, alive: life === "alive", touchedMs: stats.mtimeMs };
    return (await takeLock(path, text, owner)) ?? (await lockOf(path));
  }
  return { owner: null, alive: false, touchedMs: 0 }; // there, and not to be looked at: a link to nothing, a file system at fault
}

/** Takes the lock of an owner who has been silent for too long, or says who was quicker. */
export async function takeOver({ owner }: BusyLock, path: string): Promise<HeldLock | BusyLock> {
  return (await takeLock(path, JSON.stringify(thisProcess()), owner)) ?? (await lockOf(path));
}

/** Of somebody who was quicker a moment ago. */
const lockOf = async (path: string): Promise<BusyLock> => ({
  owner: await readOwner(path),
  alive: true,
  touchedMs: Date.now(),
});

export const isHeld = (lock: HeldLock | BusyLock): lock is HeldLock => "previous" in lock;

/** Whether the owner's process is at work, as far as this machine can tell. */
function lifeOf(owner: LockOwner): "alive" | "gone" | "unknown" {
  if (!isHere(owner)) return "unknown";
  if (!isProcessAlive(owner.pid)) return "gone";
  const started = processStart(owner.pid);
  if (started === null || owner.started === undefined || owner.started === null) return "unknown";
  return started === owner.started ? "alive" : "gone"; // another process has its number by now
}

/** Whether the owner's number is one of this machine, and of this container. */
const isHere = ({ host, processes, boot }: LockOwner): boolean =>
  host === hostname() &&
  (processes ?? processNumbers()) === processNumbers() &&
  (boot ?? machineStart()) === machineStart();

/** `process 4711 on node-3 (since 2026-01-02T03:04:05.678Z)` */
export const describeOwner = (owner: LockOwner | null): string =>
  owner === null
    ? "a process that is starting"
    : `process ${owner.pid} on ${owner.host} (since ${owner.since})`;

const thisProcess = (): LockOwner => ({
  pid: process.pid,
  host: hostname(),
  processes: processNumbers(),
  boot: machineStart(),
  started: processStart(process.pid),
  since: new Date().toISOString(),
  token: randomUUID(),
});

function processNumbers(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return ""; // systems without such namespaces
  }
}

/** The first namespace of processes has one number on all machines; this is none. */
function machineStart(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return ""; // systems that draw none
  }
}

// Linked, so that a lock is never there without its owner's name, whenever its owner is killed.
async function create(path: string, text: string): Promise<boolean> {
  const temporary = await writeTemporary(path, text);
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code === "ENOENT") return await create(path, text); // swept away as what a dead process has left
    if (code === "EPERM" || code === "ENOTSUP" || code === "ENOSYS") return await createInPlace(path, text);
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** For file systems without hard links. */
async function createInPlace(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function writeTemporary(path: string, text: string): Promise<string> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, text, { flag: "wx" });
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return temporary;
}

async function takeLock(path: string, text: string, previous: LockOwner | null): Promise<HeldLock | null> {
  await rename(await writeTemporary(path, text), path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error; // swept away by whoever was quicker
  });
  await delay(SETTLE_MS);
  const now = await readFile(path, "utf8").catch(() => null);
  return now === text ? held(path, text, previous) : null;
}

function held(path: string, text: string, previous: LockOwner | null): HeldLock {
  const stop = startHeartbeat(path, text);
  return {
    previous,
    async [Symbol.asyncDispose]() {
      stop();
      if ((await readFile(path, "utf8").catch(() => null)) === text) await rm(path, { force: true });
    },
  };
}

async function readOwner(path: string): Promise<LockOwner | null> {
  try {
    const owner = JSON.parse(await readFile(path, "utf8"));
    return Number.isSafeInteger(owner?.pid) ? owner : null;
  } catch {
    return null; // being written, or just released
  }
}

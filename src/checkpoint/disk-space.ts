// Room on a disk: asked for before a large file is begun, and said in one line when it ends in the middle of one.

import { statfs } from "node:fs/promises";
import { InputError } from "../errors.ts";

/** @param what Who writes, for the message. @throws {InputError} `disk-full` where `folder` has less room than that. */
export async function requireSpace(folder: string, bytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free < bytes) throw diskFull(folder, what, `${gigabytes(bytes)} free`, gigabytes(free));
}

/** Runs work that writes below `folder`; a disk that fills up becomes an error for users. @throws {InputError} `disk-full` */
export async function explainFullDisk<T>(folder: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
    throw diskFull(folder, what, "room for the rest", "a full disk");
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e8 ? 3 : 1)} GB`;

const diskFull = (folder: string, what: string, expected: string, got: string): InputError =>
  new InputError(
    "disk-full",
    `${what}: expected ${expected} at ${folder}, got ${got}`,
    "make room and give the same command again, or choose another disk",
  );

import { mkdir, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { explainFullDisk } from "../checkpoint/disk-space.ts";
import { InputError } from "../errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  EEXIST: "a file",
  ENOTDIR: "a path below a file",
  ENOENT: "a path that cannot be",
  EACCES: "no permission",
  EPERM: "no permission",
  EROFS: "a read-only file system",
};

/** Makes a directory for output, with those above it. @throws {InputError} `bad-output` where that cannot be. */
export async function makeOutputDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      // Of a read-only file system, a recursive mkdir says ENOENT; a plain one says what is the matter.
      if (error.code === "ENOENT") return mkdir(directory);
      throw error;
    });
  } catch (error) {
    throw explained(directory, error);
  }
}

/** Makes the directory of a file to be written, before the work for it begins. @throws {InputError} `bad-output` where it cannot be, or the file is a folder. */
export async function prepareOutputFile(path: string): Promise<void> {
  await makeOutputDirectory(dirname(path));
  if (!(await stat(path).catch(() => null))?.isDirectory()) return;
  throw new InputError(
    "bad-output",
    `output: expected a file to write at ${path}, got a folder`,
    "name a file in it",
  );
}

/**
 * Runs work that writes into `directory`; a disk that fills up and a folder that cannot be written become errors for users.
 *
 * @param what Who writes, for the message.
 * @throws {InputError} `disk-full`, `bad-output`.
 */
export async function explainOutput<T>(directory: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await explainFullDisk(directory, what, work);
  } catch (error) {
    const { path, code } = error as NodeJS.ErrnoException;
    // What the work could not read is another matter, and a file that somebody has deleted there is too.
    if (path === undefined || !isWithin(directory, path) || code === "ENOENT") throw error;
    throw explained(directory, error);
  }
}

/** Whether a path is a directory or lies below it, however the two are written. */
const isWithin = (directory: string, path: string): boolean =>
  resolve(path) === resolve(directory) || resolve(path).startsWith(join(resolve(directory), sep));

function explained(directory: string, error: unknown): unknown {
  const got = REASONS[(error as NodeJS.ErrnoException).code ?? ""];
  if (got === undefined) return error;
  const where = directory === "" ? "an empty path" : directory;
  return new InputError(
    "bad-output",
    `output: expected a folder to write at ${where}, got ${got}`,
    "choose another folder",
  );
}

import { mkdir } from "node:fs/promises";
import { InputError } from "../errors.ts";

/** Makes a directory for output, with those above it. @throws {InputError} `bad-output` where that cannot be. */
export async function makeOutputDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      EEXIST: "a file",
      ENOTDIR: "a path below a file",
      ENOENT: "a path that cannot be",
      EACCES: "no permission",
      EPERM: "no permission",
      EROFS: "a read-only file system",
    };
    const got = reasons[code ?? ""];
    if (got === undefined) throw error;
    const where = directory === "" ? "an empty path" : directory;
    throw new InputError(
      "bad-output",
      `output: expected a folder to write at ${where}, got ${got}`,
      "choose another folder",
    );
  }
}

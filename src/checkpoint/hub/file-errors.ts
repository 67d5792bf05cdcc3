import { InputError } from "../../errors.ts";

/** Runs work on the cache; a full disk and a folder that may not be written become errors for users. */
export async function explainFileErrors<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") {
      throw new InputError(
        "disk-full",
        `${folder}: expected room for the rest of the download, got a full disk`,
        "make room and give the same command again: it goes on where it stopped; or set HF_HOME to a larger disk",
      );
    }
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
      throw new InputError(
        "read-only-cache",
        `${folder}: expected a folder that can be written, got ${code}`,
        "set HF_HOME to a folder of your own, or correct the rights of this one",
      );
    }
    throw error;
  }
}

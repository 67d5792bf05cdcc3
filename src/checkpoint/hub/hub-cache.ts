// One repository in the cache that Python's libraries share.
// Layout: https://huggingface.co/docs/hub/local-cache; of a data set the folder is datasets--org--name.
//
//   models--org--name/refs/main                           the commit that a branch or tag stood for when last asked
//   models--org--name/blobs/<etag>                        contents, once each
//   models--org--name/snapshots/<commit>/config.json  ->  ../../blobs/<etag>
//   models--org--name/.no_exist/<commit>/name             empty: the commit has no such file
//   datasets--org--name/.armorm/<commit>.json             armorm's own: the names of all files of the commit

import { randomBytes } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { type HubId, isCommit } from "./hub-id.ts";

export class HubCache {
  /** The folder of the repository. */
  readonly folder: string;
  /** The folder of its locks. */
  readonly locks: string;

  constructor(cache: string, { id, kind }: Pick<HubId, "id" | "kind">) {
    const name = [kind === "dataset" ? "datasets" : "models", ...id.split("/")].join("--");
    this.folder = join(cache, name);
    this.locks = join(cache, ".locks", name);
  }

  blob(etag: string): string {
    return join(this.folder, "blobs", etag);
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  pointer(commit: string, name: string): string {
    return join(this.snapshot(commit), ...name.split("/"));
  }

  /** The commit that a revision is known to stand for, or null. */
  async readRef(revision: string): Promise<string | null> {
    if (isCommit(revision)) return revision;
    const text = await readFile(this.#ref(revision), "utf8").catch(() => "");
    return isCommit(text.trim()) ? text.trim() : null;
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || (await this.readRef(revision)) === commit) return;
    const path = this.#ref(revision);
    await mkdir(dirname(path), { recursive: true });
    await replace(path, (temporary) => writeFile(temporary, commit));
  }

  #ref(revision: string): string {
    return join(this.folder, "refs", ...revision.split("/"));
  }

  /** Size of a file of a snapshot, or null where it is not there or points nowhere. */
  async sizeOf(commit: string, name: string): Promise<number | null> {
    return await sizeOf(this.pointer(commit, name));
  }

  /**
   * Puts a blob into a snapshot, as a relative link. Where links are impossible (Windows without developer mode) the file
   * itself stands in the snapshot, as with Python.
   *
   * @param fresh Whether the blob has just been written, so that nobody else's link can point to it.
   */
  async link(commit: string, name: string, etag: string, fresh: boolean): Promise<void> {
    const pointer = this.pointer(commit, name);
    await mkdir(dirname(pointer), { recursive: true });
    const target = relative(dirname(pointer), this.blob(etag));
    await replace(pointer, async (temporary) => {
      try {
        await symlink(target, temporary);
      } catch (error) {
        if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
        if (fresh) await rename(this.blob(etag), temporary);
        else await copyFile(this.blob(etag), temporary);
      }
    });
  }

  async markMissing(commit: string, name: string): Promise<void> {
    const path = this.#missing(commit, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "");
  }

  async isMarkedMissing(commit: string, name: string): Promise<boolean> {
    return (await sizeOf(this.#missing(commit, name))) !== null;
  }

  /** Names of all files of a commit, as the hub once listed them; null where it was never asked here. */
  async readNames(commit: string): Promise<readonly string[] | null> {
    try {
      const names: unknown = JSON.parse(await readFile(this.#names(commit), "utf8"));
      return Array.isArray(names) && names.every((name) => typeof name === "string") ? names : null;
    } catch {
      return null; // a damaged list is asked for again
    }
  }

  /** Names of the files of a commit that are here. */
  async snapshotNames(commit: string): Promise<readonly string[]> {
    const found = await readdir(this.snapshot(commit), { recursive: true }).catch(() => []);
    return found.map((name) => name.split(sep).join("/"));
  }

  async writeNames(commit: string, names: readonly string[]): Promise<void> {
    const path = this.#names(commit);
    await mkdir(dirname(path), { recursive: true });
    await replace(path, (temporary) => writeFile(temporary, JSON.stringify(names)));
  }

  #names(commit: string): string {
    return join(this.folder, ".armorm", `${commit}.json`);
  }

  #missing(commit: string, name: string): string {
    return join(this.folder, ".no_exist", commit, ...name.split("/"));
  }
}

/** What file systems without symbolic links answer. */
const NO_LINKS = ["EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "UNKNOWN"];

/** Size of a file, links followed; null where there is none. */
export async function sizeOf(path: string): Promise<number | null> {
  const stats = await stat(path).catch(() => null);
  return stats?.isFile() ? stats.size : null;
}

/** Other processes see the old file or the new one. */
async function replace(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await write(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

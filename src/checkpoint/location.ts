// What a location stands for: the embedded backbone, a directory, or a repository on the hub.

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../errors.ts";
import { HubCache } from "./hub/hub-cache.ts";
import { formatHubId, parseHubId } from "./hub/hub-id.ts";
import { cacheFolder } from "./hub/hub-settings.ts";
import type { PullOptions } from "./hub/pull.ts";

/** The name of the backbone that comes with the package: a toy, for trying the pipeline. */
export const EMBEDDED_BACKBONE = "tiny";

/** Its directory. */
export const EMBEDDED_DIRECTORY = fileURLToPath(new URL("../../models/tiny", import.meta.url));

export interface LocatedCheckpoint {
  /** Where its files lie. May not exist, if the location is a path. */
  readonly directory: string;
  /** What the same files are found by again: `tiny`, the path as it was given, or `org/name@<commit>`. */
  readonly name: string;
}

/**
 * Finds the directory that a location stands for, and downloads what is missing of a repository on the hub.
 *
 * `tiny` is the embedded backbone. An existing directory is itself, and so is every text that can only be a path: one that
 * begins with `.`, `/`, `~`, `\` or a drive letter. What remains is `org/name` or `org/name@revision`.
 *
 * @throws {InputError} `missing-checkpoint` if the text is nothing of these; those of `pull`.
 */
export async function locateCheckpoint(
  location: string,
  options: PullOptions = {},
): Promise<LocatedCheckpoint> {
  if (location === EMBEDDED_BACKBONE) return { directory: EMBEDDED_DIRECTORY, name: location };
  if (await isPath(location)) return { directory: location, name: location };
  if (parseHubId(location) === null) {
    throw new InputError(
      "missing-checkpoint",
      `${location}: expected a directory, a repository org/name of the hub, or ${EMBEDDED_BACKBONE}, got none of these`,
      "check the path; a repository is named with its organisation, as in org/name or org/name@revision",
    );
  }
  // Loaded when it is needed: HTTP and proxies take a while to start.
  const { pull } = await import("./hub/pull.ts");
  const { id, commit, directory } = await pull(location, options);
  return { directory, name: formatHubId({ id, revision: commit }) };
}

/**
 * How files that outlive this process name a location, so that it is found again from another folder: `tiny`, an absolute
 * path, or `org/name@<commit>`, the commit that a branch or tag stood for when it was last opened here.
 */
export async function storedLocation(location: string): Promise<string> {
  if (location === EMBEDDED_BACKBONE) return location;
  const hubId = (await isPath(location)) ? null : parseHubId(location);
  if (hubId === null) return resolve(location);
  const commit = await new HubCache(cacheFolder(process.env), hubId).readRef(hubId.revision);
  return formatHubId({ id: hubId.id, revision: commit ?? hubId.revision });
}

/** The directory of a location if it is on this machine already; the hub is not asked. */
export async function localDirectory(location: string): Promise<string | null> {
  if (location === EMBEDDED_BACKBONE) return EMBEDDED_DIRECTORY;
  const hubId = (await isPath(location)) ? null : parseHubId(location);
  if (hubId === null) return location;
  const cache = new HubCache(cacheFolder(process.env), hubId);
  const commit = await cache.readRef(hubId.revision);
  return commit === null ? null : cache.snapshot(commit);
}

async function isPath(location: string): Promise<boolean> {
  if (/^(?:[./~\\]|[A-Za-z]:)/.test(location)) return true;
  const stats = await stat(location).catch(() => null);
  return stats?.isDirectory() ?? false;
}

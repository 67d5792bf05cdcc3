// What a location stands for: the embedded backbone, a directory, a repository on the hub, or a remote engine that serves one of these.

import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../errors.ts";
import { HubCache } from "./hub/hub-cache.ts";
import { formatHubId, parseHubId } from "./hub/hub-id.ts";
import { cacheFolder } from "./hub/hub-settings.ts";
import type { PullOptions } from "./hub/pull.ts";
import { formatRemoteLocation, parseRemoteLocation } from "./remote-location.ts";

/** The name of the backbone that comes with the package: a toy, for trying the pipeline. */
export const EMBEDDED_BACKBONE = "tiny";

/** Its directory. */
export const EMBEDDED_DIRECTORY = fileURLToPath(new URL("../../models/tiny", import.meta.url));

export interface LocatedCheckpoint {
  /** Where its files lie. May not exist, if the location is a path. */
  readonly directory: string;
  /** What the same is found by again: `tiny`, the path as it was given, `org/name@<commit>`, or an engine with one of these. */
  readonly name: string;
  /** `name` without the engine that serves it. */
  readonly checkpoint: string;
}

/**
 * Finds the directory that a location stands for, and downloads what is missing of a repository on the hub.
 *
 * `tiny` is the embedded backbone. An existing directory is itself, and so is every text that can only be a path: one that
 * begins with `.`, `/`, `~`, `\` or a drive letter. What remains is `org/name` or `org/name@revision`. Of a remote engine it is
 * the checkpoint behind its `#`, whose weights are not downloaded.
 *
 * @throws {InputError} `missing-checkpoint` if the text is nothing of these; those of `pull` and `parseRemoteLocation`.
 */
export async function locateCheckpoint(
  location: string,
  options: PullOptions = {},
): Promise<LocatedCheckpoint> {
  if (location === EMBEDDED_BACKBONE) return located(EMBEDDED_DIRECTORY, location);
  if (await isPath(location)) return located(location, location);
  const remote = parseRemoteLocation(location);
  if (remote !== null) {
    const { directory, checkpoint } = await locateCheckpoint(remote.checkpoint, {
      ...options,
      weights: false,
    });
    return { directory, name: formatRemoteLocation({ ...remote, checkpoint }), checkpoint };
  }
  if (parseHubId(location) === null) {
    throw new InputError(
      "missing-checkpoint",
      `${location}: expected a directory, a repository org/name of the hub, or ${EMBEDDED_BACKBONE}, got none of these`,
      "check the path; a repository is named with its organisation, as in org/name or org/name@revision; an engine as in vllm+http://host:8000#org/name",
    );
  }
  // Loaded when it is needed: HTTP and proxies take a while to start.
  const { pull } = await import("./hub/pull.ts");
  const { id, commit, directory } = await pull(location, options);
  return located(directory, formatHubId({ id, revision: commit }));
}

const located = (directory: string, name: string): LocatedCheckpoint => ({
  directory,
  name,
  checkpoint: name,
});

/**
 * How files that outlive this process name a location, so that it is found again from another folder: `tiny`, an absolute
 * path, or `org/name@<commit>`, the commit that a branch or tag stood for when it was last opened here; a remote engine with
 * one of these.
 */
export async function storedLocation(location: string): Promise<string> {
  if (location === EMBEDDED_BACKBONE) return location;
  const path = await isPath(location);
  const remote = path ? null : parseRemoteLocation(location);
  if (remote !== null) {
    return formatRemoteLocation({ ...remote, checkpoint: await storedLocation(remote.checkpoint) });
  }
  const hubId = path ? null : parseHubId(location);
  if (hubId === null) return resolve(location);
  const commit = await new HubCache(cacheFolder(process.env), hubId).readRef(hubId.revision);
  return formatHubId({ id: hubId.id, revision: commit ?? hubId.revision });
}

/** The directory of a location if it is on this machine already; the hub is not asked, nor is an engine. */
export async function localDirectory(location: string): Promise<string | null> {
  if (location === EMBEDDED_BACKBONE) return EMBEDDED_DIRECTORY;
  const path = await isPath(location);
  const remote = path ? null : parseRemoteLocation(location);
  if (remote !== null) return localDirectory(remote.checkpoint);
  const hubId = path ? null : parseHubId(location);
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

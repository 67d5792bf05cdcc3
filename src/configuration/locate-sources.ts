// Where the parts of a configuration lie: for the run that reads them, and as the model directory names them.

import { existsSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import {
  type DataSource,
  ROLES,
  type SetRole,
  storedPath,
  type TrainingConfiguration,
  type TrainingSource,
  type TrainingSources,
} from "../armo/training-configuration.ts";
import { parseHubId } from "../checkpoint/hub/hub-id.ts";
import { EMBEDDED_BACKBONE, locateCheckpoint } from "../checkpoint/location.ts";
import { parseRemoteLocation } from "../checkpoint/remote-location.ts";
import { isDataset, locateData } from "../data/data-files.ts";
import { type DataLocation, parseDataLocation } from "../data/location.ts";
import { InputError } from "../errors.ts";
import type { PlacedConfiguration } from "./read-configuration.ts";

/** How repositories of the hub are downloaded; each gives the name with the commit that is there then. */
export interface Locators {
  readonly checkpoint: (location: string) => Promise<string>;
  readonly data: (location: string) => Promise<string>;
}

export const QUIET_LOCATORS: Locators = {
  checkpoint: async (location) => (await locateCheckpoint(location)).name,
  data: async (location) => (await locateData(location)).name,
};

/** A source that was found. `place` names it in messages: `ratings[0]`. */
export type LocatedSource = { readonly place: string; readonly role: SetRole } & (
  | { readonly directory: string }
  | { readonly data: DataLocation; readonly options: Omit<DataSource, "data"> }
);

export interface LocatedSources {
  readonly backbone: string | null;
  readonly template: string | null;
  /** The folder of the embedding sets. */
  readonly directory: string;
  readonly sources: readonly LocatedSource[];
  /** Files of statistics that stand for ratings; none: these are sources. */
  readonly statistics: readonly string[];
  /** The same for the model directory: relative paths from there, repositories with their commits. */
  readonly stored: TrainingSources;
}

const DIRECTORY = "embedded";

/**
 * Finds what a configuration names. Files must be there before anything is downloaded.
 *
 * @param out The model directory, from where this process runs.
 * @throws {InputError} `missing-file`; `bad-configuration` for a backbone that is missing, or that nothing needs.
 */
export async function locateSources(
  { folder, configuration }: PlacedConfiguration,
  out: string,
  locators: Locators,
): Promise<LocatedSources> {
  const { chat, embedding, statistics = [] } = configuration;
  requireRatings(configuration);
  const here = (path: string) => (isAbsolute(path) ? path : join(folder, path));
  const fromModel = (path: string) => (isAbsolute(path) ? path : storedPath(out, relative("", here(path))));
  const entries = ROLES.flatMap((role) =>
    (configuration[role] ?? []).map((entry, i) => ({
      role,
      place: `${role}[${i}]`,
      entry: typeof entry === "string" ? { data: entry } : entry,
    })),
  );
  const files = entries.map(({ entry }) =>
    "embeddings" in entry ? entry.embeddings : parseDataLocation(entry.data).path,
  );
  const onHub = (path: string) => !existsSync(here(path)) && isDataset(path);
  for (const [i, { place, entry }] of entries.entries()) {
    if (existsSync(here(files[i]!)) || ("data" in entry && onHub(files[i]!))) continue;
    throw new InputError(
      "missing-file",
      `${place}: expected ${"data" in entry ? "a file, a folder or a data set on the hub" : "an embedding set"}, got nothing at ${here(files[i]!)}`,
      "check the path: relative ones start from the configuration's folder",
    );
  }
  for (const [i, path] of statistics.entries()) {
    if (existsSync(here(path))) continue;
    throw new InputError(
      "missing-file",
      `statistics[${i}]: expected a file of statistics, got nothing at ${here(path)}`,
      "check the path: relative ones start from the configuration's folder",
    );
  }
  requireBackbone(
    configuration,
    entries.some(({ entry }) => "data" in entry),
  );

  const backbone = configuration.backbone === undefined ? null : await locateBackbone(configuration.backbone);
  const stored: Record<SetRole, TrainingSource[]> = { ratings: [], pairs: [], reference: [], evaluation: [] };
  const sources: LocatedSource[] = [];
  for (const { role, place, entry } of entries) {
    if ("embeddings" in entry) {
      sources.push({ role, place, directory: here(entry.embeddings) });
      stored[role].push({ embeddings: fromModel(entry.embeddings) });
      continue;
    }
    const { data: text, ...options } = entry;
    const location = parseDataLocation(text);
    const hub = onHub(location.path);
    const path = hub ? await locators.data(location.path) : here(location.path);
    const { format } = options;
    const data = { ...location, path, ...(format === undefined ? {} : { format }) };
    sources.push({ role, place, data, options });
    const name = hub ? path : fromModel(location.path);
    const named = location.prefix !== "";
    stored[role].push({ data: named ? `${location.source}=${name}` : name, ...options });
  }
  const { ratings, ...storedRoles } = stored;
  const directory = embedding?.directory ?? DIRECTORY;
  return {
    backbone: backbone?.use ?? null,
    template: chat?.template === undefined ? null : here(chat.template),
    directory: here(directory),
    sources,
    statistics: statistics.map(here),
    stored: {
      ...(backbone === null
        ? {}
        : {
            backbone: backbone.store,
            chat: {
              ...chat,
              ...(chat?.template === undefined ? {} : { template: fromModel(chat.template) }),
            },
            embedding: { ...embedding, directory: fromModel(directory) },
          }),
      ...storedRoles,
      ...(statistics.length > 0 ? { statistics: statistics.map(fromModel) } : { ratings }),
    },
  };

  async function locateBackbone(location: string) {
    if (location === EMBEDDED_BACKBONE) return { use: location, store: location };
    if (parseRemoteLocation(location) !== null) {
      // Its checkpoint, without weights, may have to be downloaded; a folder after the # starts from the current one.
      const name = await locators.checkpoint(location);
      return { use: name, store: name };
    }
    const path = /^(?:[./~\\]|[A-Za-z]:)/.test(location) || existsSync(here(location));
    if (path || parseHubId(location) === null) return { use: here(location), store: fromModel(location) };
    const name = await locators.checkpoint(location);
    return { use: name, store: name };
  }
}

/** Ratings, or statistics of them: exactly one of the two. */
function requireRatings({ ratings = [], statistics = [] }: TrainingConfiguration): void {
  const both = ratings.length > 0 && statistics.length > 0;
  if (!both && ratings.length + statistics.length > 0) return;
  throw new InputError(
    "bad-configuration",
    `ratings: expected a list of data locations, or statistics in their place, got ${both ? "both" : "neither"}`,
    "name data or embedding sets under ratings, or files of `armorm statistics` under statistics",
  );
}

/** Nothing that is written down is without effect. */
function requireBackbone(configuration: TrainingConfiguration, needed: boolean): void {
  const { backbone } = configuration;
  if (needed && backbone === undefined) {
    throw new InputError(
      "bad-configuration",
      "backbone: expected a directory, org/name on the hub, or tiny, to embed the data with, got none",
      "name the backbone, or embedding sets instead of data",
    );
  }
  if (needed) return;
  const idle = (["backbone", "chat", "embedding"] as const).find((key) => configuration[key] !== undefined);
  if (idle === undefined) return;
  throw new InputError(
    "bad-configuration",
    `${idle}: expected data to embed, got embedding sets alone, whose backbone is known`,
    `leave ${idle} out`,
  );
}

// Names of data sets on the hub: org/name[@revision][:[config/]split].

import { formatHubId, type HubId, parseHubId } from "./hub-id.ts";

/** A data set on the hub, and which part of it is wanted. */
export interface DatasetId extends HubId {
  readonly kind: "dataset";
  /** Null: the only one, or the default one. */
  readonly config: string | null;
  /** Null: the only one. */
  readonly split: string | null;
}

// What the hub allows in names of splits and configurations: no slashes, nor what file names cannot hold.
const PART = /^[^\s/\\:*?"<>|@]+$/;

/**
 * Reads `org/name`, `org/name@revision`, either followed by `:split` or `:config/split`; null where the text is no such
 * name.
 */
export function parseDatasetId(text: string): DatasetId | null {
  // No revision holds a colon.
  const colon = text.indexOf(":");
  const hubId = parseHubId(colon < 0 ? text : text.slice(0, colon));
  if (hubId === null) return null;
  const parts = colon < 0 ? [] : text.slice(colon + 1).split("/");
  if (parts.length > 2 || !parts.every((part) => PART.test(part))) return null;
  const split = parts.at(-1) ?? null;
  return { ...hubId, kind: "dataset", config: parts.length === 2 ? parts[0]! : null, split };
}

/** `org/name@revision:config/split` */
export function formatDatasetId({ config, split, ...hubId }: DatasetId): string {
  const part = [config, split].filter((each) => each !== null).join("/");
  return part === "" ? formatHubId(hubId) : `${formatHubId(hubId)}:${part}`;
}

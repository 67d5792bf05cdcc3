// What decides the contents of an embedding set, and what its manifest says once parts are there.

import type { Backbone } from "../backbone/backbone.ts";
import { storedLocation } from "../checkpoint/location.ts";
import type { EmbedOptions } from "./embed.ts";
import { type EmbeddingManifest, hashOf, type Rejection } from "./manifest.ts";
import { type PartInfo, partFile, requirePartRows } from "./part.ts";
import type { Survey } from "./survey.ts";

const PART_ROWS = 8192;
/** As many as those of 8192 pairs. */
const PART_RESPONSES = 2 * PART_ROWS;

/** What a manifest says of a part. */
export interface PartSummary {
  readonly file: string;
  readonly id: string;
  readonly rows: number;
  /** Of best-of-N rows; 0 for others. */
  readonly responses: number;
  readonly rejections: readonly Rejection[];
}

/**
 * The manifest of a set of which no part is there.
 *
 * `run`, its identity, hashes the backbone's and the chat's fingerprints, the data's hashes and every option that decides a
 * byte. How many processes share the work does not, nor where the backbone lies.
 *
 * @throws {InputError} `bad-part-rows`
 */
export async function describeSet(
  backbone: Backbone,
  options: EmbedOptions,
  maxTokens: number,
  survey: Survey,
): Promise<EmbeddingManifest> {
  const { kind, overlong = "reject", limit = null } = options;
  const perPart = kind === "best-of-n" ? Math.floor(PART_RESPONSES / survey.mostResponses) : PART_ROWS;
  const partRows = options.partRows ?? Math.max(1, Math.min(perPart, PART_ROWS));
  requirePartRows(partRows, survey.mostResponses);
  const about = {
    format: "armorm-embeddings",
    version: 1,
    kind,
    backbone: {
      // A model that is trained on the embeddings looks for its backbone from another folder.
      location: await storedLocation(options.location),
      fingerprint: backbone.fingerprint,
      hiddenSize: backbone.hiddenSize,
      dtype: backbone.dtype,
    },
    chat: options.chatSettings,
    data: survey.files.map((file, i) => {
      const { format } = options.data[i]!;
      return format === undefined ? file : { ...file, format };
    }),
    maxTokens,
    overlong,
    limit,
    partRows,
    objectives: survey.objectives,
  } as const;
  const { location: _place, ...backboneIdentity } = about.backbone;
  return {
    ...about,
    run: hashOf({ ...about, backbone: backboneIdentity }),
    complete: false,
    rowsIn: survey.rows,
    rowsUnrated: survey.rowsUnrated,
    rowsOut: 0,
    ...(kind === "best-of-n" ? { responses: 0 } : {}),
    rejections: [],
    parts: [],
  };
}

/** How many parts a set has, whoever makes them. */
export const countParts = ({ rowsIn, partRows }: EmbeddingManifest): number =>
  Math.max(1, Math.ceil(rowsIn / partRows));

/** Name and id of part `index`, counted from 0, and the rows of the data that it accounts for: `[start, end)`. */
export function describePart(set: EmbeddingManifest, index: number) {
  const { kind, run, rowsIn, partRows } = set;
  return {
    file: partFile(kind, index, countParts(set)),
    id: hashOf({ run, index }),
    start: index * partRows,
    end: Math.min(rowsIn, (index + 1) * partRows),
  };
}

/** What remains of a part in memory. */
export const summarizePart = ({ file, id, rows, rejections }: PartInfo): PartSummary => ({
  file,
  id,
  rows: rows.length,
  responses: rows.reduce((sum, { finalAnswers = [] }) => sum + finalAnswers.length, 0),
  rejections,
});

/** The manifest of the set with these parts, in their order. The same parts give the same bytes, whoever made them. */
export function withParts(
  set: EmbeddingManifest,
  parts: readonly PartSummary[],
  complete: boolean,
): EmbeddingManifest {
  const sum = (count: (part: PartSummary) => number) => parts.reduce((total, part) => total + count(part), 0);
  return {
    ...set,
    complete,
    rowsOut: sum((part) => part.rows),
    ...(set.kind === "best-of-n" ? { responses: sum((part) => part.responses) } : {}),
    rejections: parts.flatMap((part) => part.rejections),
    parts: parts.map(({ file, id, rows }) => ({ file, id, rows })),
  };
}

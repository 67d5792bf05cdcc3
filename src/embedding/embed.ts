// Records → embeddings on disk. Two passes over the data: one that counts and names, one that computes, part by part.
// H hidden size, K objectives, n rows of a part.

import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { Backbone } from "../backbone/backbone.ts";
import type { Chat } from "../chat/chat.ts";
import type { OverlongPolicy } from "../chat/overlong.ts";
import { storedLocation } from "../checkpoint/location.ts";
import type { FormatOptions } from "../data/formats/formats.ts";
import type { DataLocation } from "../data/location.ts";
import type { DeclaredScale } from "../data/rating-scale.ts";
import { placeOf } from "../data/records.ts";
import { InputError } from "../errors.ts";
import { type EncodedRow, encodeRecord } from "./encode.ts";
import {
  type ChatSettings,
  type EmbeddingKind,
  type EmbeddingManifest,
  hashOf,
  MANIFEST,
  prepareDirectory,
  type Rejection,
  writeManifest,
} from "./manifest.ts";
import { type PartInfo, partFile, readPart, writePart } from "./part.ts";
import { toTensors } from "./part-tensors.ts";
import { type EmbedPlan, estimateSize } from "./plan.ts";
import { numberedRecords, surveyData } from "./survey.ts";

export interface EmbedOptions {
  readonly kind: EmbeddingKind;
  readonly data: readonly DataLocation[];
  /** The directory to write: empty, absent, or this same run begun. */
  readonly out: string;
  /** The backbone's, which the manifest names so that a model can find it again: `location` of its `Embedder`. */
  readonly location: string;
  readonly chatSettings: ChatSettings;
  /** Ratings only: the objectives to keep, by name or pattern with `*`. Default: all that occur. */
  readonly objectives?: readonly string[];
  /**
   * Ratings only: declared scales (`parseScale`). Ratings outside a declared range are rejected with their row. Default:
   * none, the range that occurs counts.
   */
  readonly scales?: readonly DeclaredScale[];
  /** Called once per data location whose format is another than armorm's own. */
  readonly onFormat?: FormatOptions["onFormat"];
  /** Rows of the data per file. Default 8192; for best-of-N as many as have 16384 responses if all had the most. */
  readonly partRows?: number;
  /** Longest conversation in tokens. Default: the backbone's limit. */
  readonly maxTokens?: number;
  /** What becomes of longer ones. Default `reject`. */
  readonly overlong?: OverlongPolicy;
  /** Only the first rows of the data. */
  readonly limit?: number;
  /** Stop at the first row that cannot be read, instead of counting it. Default false. */
  readonly strict?: boolean;
  /** After an abort the current part is still finished; the run can be resumed. */
  readonly signal?: AbortSignal;
  /** Called once, before anything is computed. Costs the tokenization of a sample of rows. */
  readonly onPlan?: (plan: EmbedPlan) => void;
  readonly onProgress?: (progress: EmbedProgress) => void;
}

export interface EmbedProgress {
  readonly rows: number;
  readonly totalRows: number;
  readonly tokens: number;
}

const PART_ROWS = 8192;
/** As many as those of 8192 pairs. */
const PART_RESPONSES = 2 * PART_ROWS;

/**
 * Embeds rated conversations, preference pairs or best-of-N rows into a directory.
 *
 * A part holds the rows of one stretch of the data; it is written under a temporary name, synced and renamed, so a
 * killed run leaves whole parts only, and the same call continues with the first part that is missing. The manifest
 * accounts for every row: `rowsIn = rowsOut + rejections.length`.
 *
 * @returns The manifest; `complete` is false if the signal was aborted.
 * @throws {InputError} If the data has no usable row, an objective is unknown, or the directory holds something else.
 *
 * Memory: one part twice, `partRows · H` floats (three times that for pairs; for best-of-N one vector per response and
 * per prompt). Source: the reference's stage-1 and stage-2 preparation. Differs: one prompt embedding per pair, no
 * padding, nothing dropped silently.
 */
export async function embed(
  backbone: Backbone,
  chat: Chat,
  options: EmbedOptions,
): Promise<EmbeddingManifest> {
  const { kind, out, overlong = "reject", strict = false } = options;
  const maxTokens = Math.min(options.maxTokens ?? backbone.maxTokens, backbone.maxTokens);
  const survey = await surveyData(options);
  const perPart = kind === "best-of-n" ? Math.floor(PART_RESPONSES / survey.mostResponses) : PART_ROWS;
  const partRows = options.partRows ?? Math.max(1, Math.min(perPart, PART_ROWS));
  const names = survey.objectives.map(({ name }) => name);
  const { limit = null } = options;
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
  const run = hashOf({ ...about, backbone: backboneIdentity });
  await prepareDirectory(out, run);

  const partCount = Math.max(1, Math.ceil(survey.rows / partRows));
  const partAt = (index: number) => readPart(out, partFile(kind, index, partCount), hashOf({ run, index }));
  const parts: PartInfo[] = [];
  const manifest = (complete: boolean): EmbeddingManifest => {
    const rowsOut = parts.reduce((sum, part) => sum + part.rows.length, 0);
    return {
      ...about,
      run,
      complete,
      rowsIn: survey.rows,
      rowsUnrated: survey.rowsUnrated,
      rowsOut,
      ...(kind === "best-of-n" ? { responses: countResponses(parts) } : {}),
      rejections: parts.flatMap((part) => part.rejections),
      parts: parts.map(({ file, id, rows }) => ({ file, id, rows: rows.length })),
    };
  };
  if (!existsSync(join(out, MANIFEST))) await writeManifest(out, manifest(false));

  const encode = { chat, maxTokens, overlong, objectives: names };
  if (options.onPlan) {
    const size = estimateSize(kind, survey, encode, backbone.hiddenSize);
    let partsDone = 0;
    while (partsDone < partCount && (await partAt(partsDone)) !== null) partsDone++;
    const rowsDone = Math.min(partsDone * partRows, survey.rows);
    options.onPlan({ rows: survey.rows, ...size, parts: partCount, partsDone, rowsDone });
  }
  let tokens = 0;
  const finishPart = async (
    index: number,
    encoded: readonly EncodedRow[],
    rejections: readonly Rejection[],
  ) => {
    const file = partFile(kind, index, partCount);
    const id = hashOf({ run, index });
    const requests = encoded.flatMap((row) => row.requests);
    const before = tokens;
    const states = await backbone.hiddenStates(requests, {
      onProgress: (done, total) => {
        const share = total === 0 ? 1 : done / total;
        const rows = Math.min(index * partRows + Math.round(encoded.length * share), survey.rows);
        options.onProgress?.({ rows, totalRows: survey.rows, tokens: before + done });
      },
    });
    tokens += requests.reduce((sum, request) => sum + request.ids.length, 0);
    const part = { file, id, rows: encoded.map((row) => row.info), rejections };
    await writePart(out, part, toTensors(kind, encoded, states, backbone.hiddenSize));
    parts.push(part);
  };

  let encoded: EncodedRow[] = [];
  let rejections: Rejection[] = [];
  let existing = await partAt(0);
  const { onFormat: _said, ...selection } = options; // the survey has said it
  for await (const { row, source, record } of numberedRecords(selection)) {
    if (!existing) {
      const result =
        record.kind === "error"
          ? {
              rejected: `${basename(record.file)}: ${placeOf(record)}: ${record.error}`,
              kind: "invalid" as const,
            }
          : encodeRecord(record, row, encode);
      if ("info" in result) encoded.push(result);
      else {
        const subset = "subset" in record ? (record.subset ?? null) : null;
        const { kind: why, rejected: reason } = result;
        const prompt = record.kind === "error" ? {} : { promptHash: record.promptHash };
        rejections.push({ row, id: record.id, source, subset, ...prompt, kind: why, reason });
        if (strict && record.kind === "error") {
          throw new InputError(
            "bad-row",
            result.rejected,
            "mend the row, or leave --strict out to skip such rows",
          );
        }
      }
    }
    const last = row + 1 === survey.rows;
    if ((row + 1) % partRows !== 0 && !last) continue;
    const index = Math.floor(row / partRows);
    if (existing) parts.push(existing);
    else await finishPart(index, encoded, rejections);
    encoded = [];
    rejections = [];
    if (last) break;
    if (options.signal?.aborted) return await written(out, manifest(false));
    existing = await partAt(index + 1);
  }
  return await written(out, manifest(true));
}

const countResponses = (parts: readonly PartInfo[]): number =>
  parts.flatMap(({ rows }) => rows).reduce((sum, { finalAnswers = [] }) => sum + finalAnswers.length, 0);

async function written(out: string, manifest: EmbeddingManifest): Promise<EmbeddingManifest> {
  await writeManifest(out, manifest);
  return manifest;
}

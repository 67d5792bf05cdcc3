// Records → embeddings on disk. Two passes over the data: one that counts and names, one that computes, part by part.
// H hidden size, K objectives, n rows of a part.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Backbone } from "../backbone/backbone.ts";
import type { Chat } from "../chat/chat.ts";
import type { OverlongPolicy } from "../chat/overlong.ts";
import type { Doubt } from "../data/doubts.ts";
import type { FormatOptions } from "../data/formats/formats.ts";
import type { DataLocation } from "../data/location.ts";
import type { DeclaredScale } from "../data/rating-scale.ts";
import { requireUnchanged, stampData } from "./data-stamp.ts";
import { type EncodeContext, type EncodedRow, encodeRecord } from "./encode.ts";
import {
  type ChatSettings,
  type EmbeddingKind,
  type EmbeddingManifest,
  MANIFEST,
  type Rejection,
  readManifest,
  writeManifest,
} from "./manifest.ts";
import { explainOutput } from "./output-directory.ts";
import { readPart, writePart } from "./part.ts";
import { toTensors } from "./part-tensors.ts";
import { type EmbedPlan, planRun } from "./plan.ts";
import {
  countParts,
  describePart,
  describeSet,
  type PartSummary,
  summarizePart,
  withParts,
} from "./set-description.ts";
import { prepareDirectory, removeUnfinished } from "./set-directory.ts";
import { acquireSetLock } from "./set-lock.ts";
import { type Shard, shardParts, WHOLE } from "./shard.ts";
import { writeJournal } from "./shard-journal.ts";
import { describeError, type NumberedRecord, numberedRecords, strictly, surveyData } from "./survey.ts";

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
  /**
   * Stop at the first row that is not embedded, whatever the reason, or that is odd: an id of an earlier row, turns that do not
   * alternate, an empty response. Default false: the former are counted as rejections, the latter embedded and given to `onDoubts`.
   */
  readonly strict?: boolean;
  /** Called once, before anything is computed, if rows are odd. */
  readonly onDoubts?: (doubts: readonly Doubt[]) => void;
  /**
   * Only the parts of this shard: `mergeShards` makes the set of them once all are there. Default: all parts, and the set is
   * made.
   */
  readonly shard?: Shard;
  /** How a command line would start this run, for what `mergeShards` says about missing parts. */
  readonly command?: readonly string[];
  /** After an abort the current part is still finished; the run can be resumed. */
  readonly signal?: AbortSignal;
  /** Called once, before anything is computed. Costs the tokenization of a sample of rows. */
  readonly onPlan?: (plan: EmbedPlan) => void;
  readonly onProgress?: (progress: EmbedProgress) => void;
  /** Called when a lock of a process that is gone is taken over, or one of another machine is watched. */
  readonly onNote?: (line: string) => void;
}

/** Rows and tokens of this run: of a shard, of its own stretch. */
export interface EmbedProgress {
  readonly rows: number;
  readonly totalRows: number;
  readonly tokens: number;
}

/**
 * Embeds rated conversations, preference pairs or best-of-N rows into a directory.
 *
 * A part holds the rows of one stretch of the data; it is written under a temporary name, synced and renamed, so a
 * killed run leaves whole parts only, and the same call continues with the parts that are missing. The manifest
 * accounts for every row: `rowsIn = rowsOut + rejections.length`. How parts are cut depends on the data and
 * `partRows` alone: a shard writes the very bytes that one process would have written. Two processes never make the same part.
 *
 * @returns The manifest; `complete` is false if the signal was aborted. Of a shard: the manifest with its parts alone,
 *   `complete` false, or that of the set if it is complete already.
 * @throws {InputError} If the data has no usable row or changes meanwhile, an objective is unknown, the directory holds
 *   something else or cannot be written (`output-not-empty`, `bad-output`, `disk-full`), or another process is at it (`set-in-use`).
 *
 * Memory: one part twice, `partRows · H` floats (three times that for pairs; for best-of-N one vector per response and
 * per prompt). Cost of a shard beside its parts: one parse of all data. Source: the reference's stage-1 and stage-2
 * preparation. Differs: one prompt embedding per pair, no padding, nothing dropped silently.
 */
export async function embed(
  backbone: Backbone,
  chat: Chat,
  options: EmbedOptions,
): Promise<EmbeddingManifest> {
  const { out, overlong = "reject", shard = WHOLE, onNote = () => {} } = options;
  const maxTokens = Math.min(options.maxTokens ?? backbone.maxTokens, backbone.maxTokens);
  const stamp = await stampData(options.data);
  const survey = await surveyData(options);
  const set = await describeSet(backbone, options, maxTokens, survey);
  const context = { chat, maxTokens, overlong, objectives: survey.objectives.map(({ name }) => name) };
  return await explainOutput(out, "embed", async () => {
    await prepareDirectory(out, set);
    await using _lock = await acquireSetLock(out, shard, countParts(set), onNote);
    await removeUnfinished(out, set, shard);
    const check = () => requireUnchanged(stamp);
    return await embedParts({ backbone, set, shard, context, options, check }, (size) =>
      planRun(size, set.kind, survey, context, backbone.hiddenSize),
    );
  });
}

const isComplete = async (directory: string): Promise<boolean> =>
  existsSync(join(directory, MANIFEST)) && (await readManifest(directory)).complete;

interface Run {
  readonly backbone: Backbone;
  readonly set: EmbeddingManifest;
  readonly shard: Shard;
  readonly context: EncodeContext;
  readonly options: EmbedOptions;
  /** Fails where the data is no longer what `set` says. */
  readonly check: () => Promise<void>;
}

type RunSize = Parameters<typeof planRun>[0];

async function embedParts(run: Run, plan: (size: RunSize) => EmbedPlan): Promise<EmbeddingManifest> {
  const { set, shard, options } = run;
  const { out, strict = false } = options;
  const { first, end } = shardParts(shard, countParts(set));
  const [firstRow, endRow] = [first * set.partRows, Math.min(end * set.partRows, set.rowsIn)];
  const parts: PartSummary[] = [];
  const partAt = async (index: number): Promise<PartSummary | null> => {
    const { file, id } = describePart(set, index);
    const part = index < end ? await readPart(out, file, id) : null;
    return part && summarizePart(part);
  };
  const save = async (complete: boolean): Promise<EmbeddingManifest> => {
    const manifest = withParts(set, parts, complete && shard === WHOLE);
    if (shard === WHOLE) await writeManifest(out, manifest);
    else await writeJournal(out, shard, options.command ?? null, manifest);
    return manifest;
  };
  const there: number[] = [];
  for (let index = first; index < end; index++) if (await partAt(index)) there.push(index);
  const nothingLeft = there.length === end - first;
  if (shard !== WHOLE && nothingLeft && (await isComplete(out))) return await readManifest(out);
  // A folder says from the beginning whose it is.
  if (shard !== WHOLE || !existsSync(join(out, MANIFEST))) await save(false);
  const rowsDone = there
    .map((index) => describePart(set, index))
    .reduce((sum, at) => sum + at.end - at.start, 0);
  options.onPlan?.(plan({ rows: endRow - firstRow, parts: end - first, partsDone: there.length, rowsDone }));
  if (first === end) return await save(true);

  let tokens = 0;
  let encoded: EncodedRow[] = [];
  let rejections: Rejection[] = [];
  let existing = await partAt(first);
  const { onFormat: _said, ...selection } = options; // the survey has said it
  for await (const numbered of numberedRecords(selection)) {
    const { row } = numbered;
    if (row < firstRow) continue;
    if (!existing) {
      const result = encodeNumbered(numbered, run.context);
      if ("info" in result) encoded.push(result);
      else {
        if (strict) throw strictly(result.reason);
        rejections.push(result);
      }
    }
    const last = row + 1 === endRow;
    if ((row + 1) % set.partRows !== 0 && !last) continue;
    const index = Math.floor(row / set.partRows);
    if (existing) parts.push(existing);
    else {
      const begin = index * set.partRows - firstRow;
      const part = await embedPart(run, index, encoded, rejections, (share, done) => {
        const rows = begin + Math.round((row + 1 - firstRow - begin) * share);
        options.onProgress?.({ rows, totalRows: endRow - firstRow, tokens: tokens + done });
      });
      tokens += encoded.reduce((sum, { requests }) => sum + countTokens(requests), 0);
      parts.push(part);
    }
    encoded = [];
    rejections = [];
    if (last) return await save(true);
    if (options.signal?.aborted) return await save(false);
    existing = await partAt(index + 1);
  }
  await run.check();
  throw new Error(`embed: expected ${set.rowsIn} rows on the second reading, got fewer`);
}

/** @param onProgress The share of the part that is done, and its tokens. */
async function embedPart(
  { backbone, set, options, check }: Run,
  index: number,
  encoded: readonly EncodedRow[],
  rejections: readonly Rejection[],
  onProgress: (share: number, tokens: number) => void,
): Promise<PartSummary> {
  const states = await backbone.hiddenStates(
    encoded.flatMap(({ requests }) => requests),
    { onProgress: (done, total) => onProgress(total === 0 ? 1 : done / total, done) },
  );
  await check();
  const { file, id } = describePart(set, index);
  const part = { file, id, rows: encoded.map(({ info }) => info), rejections };
  await writePart(options.out, part, toTensors(set.kind, encoded, states, backbone.hiddenSize));
  return summarizePart(part);
}

function encodeNumbered(
  { row, source, record }: NumberedRecord,
  context: EncodeContext,
): EncodedRow | Rejection {
  const result =
    record.kind === "error"
      ? {
          rejected: describeError(record),
          kind: "invalid" as const,
        }
      : encodeRecord(record, row, context);
  if ("info" in result) return result;
  const subset = "subset" in record ? (record.subset ?? null) : null;
  const prompt = record.kind === "error" ? {} : { promptHash: record.promptHash };
  return { row, id: record.id, source, subset, ...prompt, kind: result.kind, reason: result.rejected };
}

const countTokens = (requests: EncodedRow["requests"]): number =>
  requests.reduce((sum, { ids }) => sum + ids.length, 0);

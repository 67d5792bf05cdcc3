// Records → embeddings on disk. Three passes over the data: one that parses and counts, one that hashes, and, unless every part is there,
// one that computes, part by part, up to the last row of the run. While the backbone computes a part, the next one is read and tokenized
// and the one before it is written. What keeps these apart is that a large backbone lives in a process of its own
// (src/backbone/isolated/), not that reading does: so an engine elsewhere overlaps by the same lines, this process stays free for Ctrl-C
// and progress, and the weights lie in huge pages.
// H hidden size, K objectives, n rows of a part.

import type { Backbone } from "../backbone/backbone.ts";
import type { Chat } from "../chat/chat.ts";
import type { OverlongPolicy } from "../chat/overlong.ts";
import { withFiles } from "../data/data-files.ts";
import type { Doubt } from "../data/doubts.ts";
import type { FormatOptions } from "../data/formats/formats.ts";
import type { DataLocation } from "../data/location.ts";
import type { DeclaredScale } from "../data/rating-scale.ts";
import { requireUnchanged, stampData } from "./data-stamp.ts";
import { type EmbedStopwatch, type EmbedTiming, startTiming } from "./embed-timing.ts";
import type { EncodeContext } from "./encode.ts";
import { type EncodedPart, encodedParts } from "./encoded-parts.ts";
import { rejectNotFinite } from "./finite-rows.ts";
import {
  type ChatSettings,
  type EmbeddingKind,
  type EmbeddingManifest,
  readManifest,
  writeManifest,
} from "./manifest.ts";
import { explainOutput } from "./output-directory.ts";
import { writePart } from "./part.ts";
import { toTensors } from "./part-tensors.ts";
import { type PartWriter, startPartWriter } from "./part-writer.ts";
import { type EmbedPlan, planRun } from "./plan.ts";
import { readAhead } from "./read-ahead.ts";
import {
  countParts,
  describePart,
  describeSet,
  type PartSummary,
  summarizePart,
  withParts,
} from "./set-description.ts";
import { isComplete, markIncomplete, prepareDirectory, removeUnfinished } from "./set-directory.ts";
import { acquireSetLock } from "./set-lock.ts";
import { type Shard, shardParts, WHOLE } from "./shard.ts";
import { removeJournals, writeJournal } from "./shard-journal.ts";
import { type LocatedSelection, requireNoRejections, surveyData } from "./survey.ts";
import { verifyPart } from "./verify-part.ts";

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
  /** After an abort the current part is still finished, and none is begun; the run can be resumed. */
  readonly signal?: AbortSignal;
  /** Called once, before anything is computed. Costs the tokenization of a sample of rows. */
  readonly onPlan?: (plan: EmbedPlan) => void;
  readonly onProgress?: (progress: EmbedProgress) => void;
  /** Called at the end, also that of a run which was aborted, with what it took. */
  readonly onTiming?: (timing: EmbedTiming) => void;
  /** Called when a lock of a process that is gone is taken over, or one of another machine is watched. */
  readonly onNote?: (line: string) => void;
}

/** Rows of this run, of a shard those of its own stretch; conversations and tokens that it has computed. */
export interface EmbedProgress {
  readonly rows: number;
  readonly totalRows: number;
  readonly conversations: number;
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
 * @throws {InputError} If the data has no usable row or changes meanwhile, an objective is unknown or a scale is declared for none
 *   (`unused-scale`), parts would hold too many rows (`bad-part-rows`), the directory holds something else or cannot be written
 *   (`output-not-empty`, `bad-output`, `disk-full`), another process is at it
 *   (`set-in-use`), or the backbone gives no finite states (`not-finite`).
 *
 * Memory: two parts, one that is computed and one that is written, `partRows · H` floats each (three times that for pairs; for
 * best-of-N one vector per response and per prompt), and the token ids of two. Cost of a shard beside its parts: all data is parsed
 * once and hashed once, and parsed again up to the shard's last row; files that come meanwhile are not read. Source: the reference's
 * stage-1 and stage-2 preparation. Differs: one prompt embedding per pair, no padding, nothing dropped silently.
 */
export async function embed(
  backbone: Backbone,
  chat: Chat,
  options: EmbedOptions,
): Promise<EmbeddingManifest> {
  const { out, overlong = "reject", shard = WHOLE, onNote = () => {} } = options;
  const timing = startTiming();
  const maxTokens = Math.min(options.maxTokens ?? backbone.maxTokens, backbone.maxTokens);
  const selection = { ...options, data: await withFiles(options.data) };
  const stamp = await stampData(selection.data);
  const survey = await surveyData(selection);
  const set = await describeSet(backbone, options, maxTokens, survey);
  const context = { chat, maxTokens, overlong, objectives: survey.objectives.map(({ name }) => name) };
  return await explainOutput(out, "embed", async () => {
    await prepareDirectory(out, set);
    await using _lock = await acquireSetLock(out, shard, countParts(set), onNote);
    await removeUnfinished(out, set, shard);
    const check = () => requireUnchanged(stamp);
    const run = { backbone, set, shard, context, selection, options, check, timing };
    const manifest = await embedParts(run, (size) =>
      planRun(size, set.kind, survey, context, backbone.hiddenSize),
    );
    options.onTiming?.(timing.taken());
    return manifest;
  });
}

interface Run {
  readonly backbone: Backbone;
  readonly set: EmbeddingManifest;
  readonly shard: Shard;
  readonly context: EncodeContext;
  readonly selection: LocatedSelection;
  readonly options: EmbedOptions;
  /** Fails where the data is no longer what `set` says. */
  readonly check: () => Promise<void>;
  readonly timing: EmbedStopwatch;
}

type RunSize = Parameters<typeof planRun>[0];

async function embedParts(run: Run, plan: (size: RunSize) => EmbedPlan): Promise<EmbeddingManifest> {
  const { set, shard, options } = run;
  const { out, strict = false } = options;
  const { first, end } = shardParts(shard, countParts(set));
  const [firstRow, endRow] = [first * set.partRows, Math.min(end * set.partRows, set.rowsIn)];
  const parts = new Map<number, PartSummary>();
  for (let index = first; index < end; index++) {
    const { part } = await verifyPart(out, set, index);
    if (part) parts.set(index, part);
  }
  if (strict) requireNoRejections([...parts.values()].flatMap((part) => part.rejections));
  const nothingLeft = () => parts.size === end - first;
  if (shard !== WHOLE && nothingLeft() && (await isComplete(out))) return await readManifest(out);
  const save = async (): Promise<EmbeddingManifest> => {
    const inOrder = [...parts].sort(([a], [b]) => a - b).map(([, part]) => part);
    const manifest = withParts(set, inOrder, shard === WHOLE && nothingLeft());
    if (shard !== WHOLE) await writeJournal(out, shard, options.command ?? null, manifest);
    else {
      await writeManifest(out, manifest);
      if (manifest.complete) await removeJournals(out);
    }
    return manifest;
  };
  if (!nothingLeft()) await markIncomplete(out);
  const saved = await save(); // A folder says from the beginning whose it is.
  const rowsDone = [...parts.keys()]
    .map((index) => describePart(set, index))
    .reduce((sum, at) => sum + at.end - at.start, 0);
  options.onPlan?.(plan({ rows: endRow - firstRow, parts: end - first, partsDone: parts.size, rowsDone }));
  if (nothingLeft() || options.signal?.aborted) return saved;

  const writer = startPartWriter();
  const partAt = async (index: number) => parts.get(index) ?? null;
  const stretch = { selection: said(run.selection), partRows: set.partRows, firstRow, endRow };
  const encoded = readAhead((stop) =>
    encodedParts({ ...stretch, context: run.context, partAt, strict, stop }),
  );
  try {
    for await (const part of explained(encoded, run.check)) {
      if (part.there === null && !options.signal?.aborted) {
        parts.set(
          part.index,
          await embedPart(run, part, writer, [...parts.values()].some(hasRows), ({ share, ...computed }) => {
            const begin = part.index * set.partRows;
            const rows = begin + Math.round((part.endRow - begin) * share) - firstRow;
            options.onProgress?.({ rows, totalRows: endRow - firstRow, ...computed });
          }),
        );
      }
      if (options.signal?.aborted) break;
    }
  } catch (error) {
    await writer.done().catch(() => {}); // What has been computed is kept.
    throw error;
  }
  await writer.done();
  return await save();
}

/** The survey has said what the format is. */
const said = ({ onFormat: _said, ...selection }: LocatedSelection) => selection;

/** Data that has changed is the better explanation of what goes wrong while it is read. */
async function* explained<T>(items: AsyncIterable<T>, check: () => Promise<void>): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    await check();
    throw error;
  }
}

interface PartProgress {
  /** Of the part. */
  readonly share: number;
  /** Of the run. */
  readonly conversations: number;
  readonly tokens: number;
}

const hasRows = ({ rows }: PartSummary): boolean => rows > 0;

/** Computes a part and begins to write it. */
async function embedPart(
  { backbone, set, options, check, timing }: Run,
  encoded: EncodedPart<PartSummary>,
  writer: PartWriter,
  begun: boolean,
  onProgress: (progress: PartProgress) => void,
): Promise<PartSummary> {
  const requests = encoded.rows.flatMap((row) => row.requests);
  const [conversations, tokens] = [timing.conversations(), timing.tokens()];
  const computed = await timing.compute(backbone, requests, writer.failed, (done, total) => {
    const share = total === 0 ? 1 : done / total;
    onProgress({
      share,
      conversations: conversations + Math.round(requests.length * share),
      tokens: tokens + done,
    });
  });
  const { strict = false } = options;
  const { rows, states, rejections } = rejectNotFinite(encoded, computed, { strict, begun });
  await writer.done(); // Before it there is memory for no third part.
  const { file, id } = describePart(set, encoded.index);
  const part = { file, id, rows: rows.map(({ info }) => info), rejections };
  const tensors = toTensors(set.kind, rows, states, backbone.hiddenSize);
  writer.begin(async () => {
    await check();
    await writePart(options.out, part, tensors);
  });
  return summarizePart(part);
}

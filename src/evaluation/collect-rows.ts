// One pass over a model's results, whatever a row is: what could not be scored, what training saw, ids that repeat.

import { createGateMeans, type GateMeans } from "../armo/gate-means.ts";
import { InputError } from "../errors.ts";
import type { ByObjective, RewardModel } from "../reward-model.ts";
import type { SkippedRow } from "../scoring/score-embeddings.ts";

export interface CollectOptions {
  /** Leave out rows whose prompt the model was trained on. Default false: they are counted. */
  readonly dropOverlaps?: boolean;
  readonly signal?: AbortSignal;
  /** Called with the number of rows so far. */
  readonly onProgress?: (rows: number) => void;
}

/** A row that was not scored, and why. */
export interface RejectedRow {
  readonly id: string | number | null;
  readonly source: string;
  /** Null where the row names none, or could not be read so far. */
  readonly subset: string | null;
  readonly kind: "invalid" | "too-long";
  readonly reason: string;
}

/** What every scored row says. */
export interface ScoredRow {
  readonly id: string | number | null;
  readonly source: string;
  readonly subset: string | null;
  readonly promptHash: string;
}

/** Scores rows in order, but not those whose prompt is to be skipped. */
export type RowScorer<Row extends ScoredRow> = (
  skip: (promptHash: string) => boolean,
) => AsyncIterable<Row | RejectedRow | SkippedRow>;

/** All results of one model on one set of rows. */
export interface CollectedRows<Kept> {
  readonly kept: readonly Kept[];
  readonly rejected: readonly RejectedRow[];
  /** Rows whose prompt training saw: found, and left out. Null if the model does not say. */
  readonly overlaps: { readonly found: number; readonly dropped: number } | null;
  /** Mean gating output by subset, or by source where rows name none. */
  readonly gating: GateMeans;
  /** Rows whose id occurred before in their subset: with the same prompt, and with another one. */
  readonly repeatedIds: { readonly samePrompt: number; readonly otherPrompt: number };
  /** Results of any kind. */
  readonly rows: number;
}

/** What becomes of a row: what is kept of it, with its finite scores and its prompt's gating output. */
export interface RowReading<Row, Kept> {
  readonly scores: (row: Row) => readonly number[];
  readonly gatingOutput: (row: Row) => ByObjective;
  /** @param index Its place among all results, from 0. */
  readonly keep: (row: Row, index: number) => Kept;
}

/** Goes through a scorer's results once. A row with a score that is no finite number is rejected. */
export async function collectRows<Row extends ScoredRow, Kept>(
  score: RowScorer<Row>,
  trainedOn: RewardModel["trainedOn"],
  { scores, gatingOutput, keep }: RowReading<Row, Kept>,
  { dropOverlaps = false, signal, onProgress }: CollectOptions = {},
): Promise<CollectedRows<Kept>> {
  const kept: Kept[] = [];
  const rejected: RejectedRow[] = [];
  const gating = createGateMeans();
  const overlaps = { found: 0, dropped: 0 };
  const repeatedIds = { samePrompt: 0, otherPrompt: 0 };
  const promptOfId = new Map<string, string>();
  let rows = 0;
  const skip = (promptHash: string) => dropOverlaps && (trainedOn?.(promptHash) ?? false);
  for await (const row of score(skip)) {
    signal?.throwIfAborted();
    const index = rows++;
    onProgress?.(rows);
    if ("reason" in row) {
      rejected.push(row);
      continue;
    }
    if (trainedOn?.(row.promptHash)) overlaps.found++;
    if ("skipped" in row) {
      overlaps.dropped++;
      continue;
    }
    const { id, source, subset } = row;
    if (id !== null) {
      const key = JSON.stringify([subset ?? source, id]);
      const before = promptOfId.get(key);
      if (before === undefined) promptOfId.set(key, row.promptHash);
      else repeatedIds[before === row.promptHash ? "samePrompt" : "otherPrompt"]++;
    }
    if (scores(row).every(Number.isFinite)) {
      kept.push(keep(row, index));
      // All responses answer one prompt, and share its gating output.
      gating.add(subset ?? source, gatingOutput(row));
    } else {
      const reason = "the score is not a finite number";
      rejected.push({ id, source, subset, kind: "invalid", reason });
    }
  }
  return { kept, rejected, overlaps: trainedOn ? overlaps : null, gating: gating.means(), repeatedIds, rows };
}

/** @throws {InputError} `no-rows` if none was scored. */
export function requireRows({ kept, rejected, overlaps, rows }: CollectedRows<unknown>): void {
  if (kept.length > 0) return;
  const first = rejected[0] ? `; the first: ${rejected[0].reason}` : "";
  throw new InputError(
    "no-rows",
    `evaluate: expected rows to score, got none of ${rows} (${rejected.length} rejected, ${overlaps?.dropped ?? 0} overlaps${first})`,
    "give rows that fit the model and that it was not trained on",
  );
}

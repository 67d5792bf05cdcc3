import { createGateMeans, type GateMeans } from "../armo/gate-means.ts";
import type { RewardModel } from "../reward-model.ts";
import { type PairScorer, type RejectedPair, type ScoredPair, toScoredPair } from "./pair-scores.ts";

export interface CollectPairsOptions {
  /** Leave out pairs whose prompt the model was trained on. Default false: they are counted. */
  readonly dropOverlaps?: boolean;
  readonly signal?: AbortSignal;
  /** Called with the number of pairs scored so far. */
  readonly onProgress?: (pairs: number) => void;
}

/** All results of one model on one set of pairs. */
export interface CollectedPairs {
  readonly pairs: readonly ScoredPair[];
  readonly rejected: readonly RejectedPair[];
  /** Pairs whose prompt training saw: found, and left out. Null if the model does not say. */
  readonly overlaps: { readonly found: number; readonly dropped: number } | null;
  /** Mean gating output by subset. */
  readonly gating: GateMeans;
  /** Rows whose id occurred before in their subset: with the same prompt, and with another one. */
  readonly repeatedIds: { readonly samePrompt: number; readonly otherPrompt: number };
  /** Results of any kind. */
  readonly rows: number;
}

/**
 * Goes through a scorer's results once and keeps what accuracies need.
 *
 * Memory: about 100 bytes per pair and objective.
 */
export async function collectPairs(
  score: PairScorer,
  trainedOn: RewardModel["trainedOn"],
  { dropOverlaps = false, signal, onProgress }: CollectPairsOptions = {},
): Promise<CollectedPairs> {
  const pairs: ScoredPair[] = [];
  const rejected: RejectedPair[] = [];
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
    const pair = toScoredPair(row, index);
    if (Number.isFinite(row.chosen.score) && Number.isFinite(row.rejected.score)) {
      pairs.push(pair);
      // Both responses answer one prompt, and share its gating output.
      gating.add(pair.subset, row.chosen.gatingOutput);
    } else {
      const reason = "the score is not a finite number: embed the pair again";
      rejected.push({ id, source, subset, kind: "invalid", reason });
    }
  }
  return {
    pairs,
    rejected,
    overlaps: trainedOn ? overlaps : null,
    gating: gating.means(),
    repeatedIds,
    rows,
  };
}

import type { RewardModel } from "../reward-model.ts";
import { type CollectedRows, type CollectOptions, collectRows } from "./collect-rows.ts";
import { type PairScorer, type ScoredPair, toScoredPair } from "./pair-scores.ts";

/** All results of one model on one set of pairs. */
export type CollectedPairs = CollectedRows<ScoredPair>;

/**
 * Goes through a scorer's results once and keeps what accuracies need.
 *
 * Memory: about 100 bytes per pair and objective.
 */
export async function collectPairs(
  score: PairScorer,
  trainedOn: RewardModel["trainedOn"],
  options: CollectOptions = {},
): Promise<CollectedPairs> {
  const reading = {
    scores: ({ chosen, rejected }: Parameters<typeof toScoredPair>[0]) => [chosen.score, rejected.score],
    gatingOutput: ({ chosen }: Parameters<typeof toScoredPair>[0]) => chosen.gatingOutput,
    keep: toScoredPair,
  };
  return collectRows(score, trainedOn, reading, options);
}

// What evaluations of pairs are made of: one result per pair, from text or from embeddings.

import type { ByObjective, Score } from "../reward-model.ts";
import type { SkippedRow } from "../scoring/score-embeddings.ts";
import type { RejectedRow, RowScorer, ScoredRow } from "./collect-rows.ts";
import { type UnsteeredPair, unsteeredPair } from "./steering-effect.ts";

export type ResponseScore = Pick<
  Score,
  "score" | "rewards" | "adjustedRewards" | "gatingOutput" | "contributions" | "tokens" | "unsteered"
>;

/** One pair's scores. */
export interface PairScores extends ScoredRow {
  /** Further fields of the row, as text, that accuracies are asked for by. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly chosen: ResponseScore;
  readonly rejected: ResponseScore;
}

export type PairResult = PairScores | RejectedRow | SkippedRow;

/** Scores pairs in order, but not those whose prompt is to be skipped. */
export type PairScorer = RowScorer<PairScores>;

/** A scored pair, as far as accuracies need it. */
export interface ScoredPair {
  /** Its place among all results, from 0. */
  readonly index: number;
  readonly id: string | number | null;
  readonly source: string;
  readonly subset: string;
  readonly promptHash: string;
  readonly fields?: Readonly<Record<string, string>>;
  /** score(chosen) − score(rejected) */
  readonly margin: number;
  /** What each objective adds to the margin: they sum to it. */
  readonly contributions: ByObjective;
  /** reward(chosen) − reward(rejected) by objective, before debiasing. */
  readonly rewardDifferences: ByObjective;
  /** Tokens of the chosen response − tokens of the rejected one; NaN where they are not known. */
  readonly lengthDifference: number;
  /** Margins of simpler models on the same rewards, by name. */
  readonly baselines: Readonly<Record<string, number>>;
  /** Only of a steered model. */
  readonly unsteered?: UnsteeredPair;
}

/** @param index Its place among all results. */
export function toScoredPair(scores: PairScores, index: number): ScoredPair {
  const { id, source, subset, promptHash, fields, chosen, rejected } = scores;
  const difference = (of: "contributions" | "rewards"): ByObjective =>
    Object.fromEntries(
      Object.entries(chosen[of]).map(([name, value]) => [name, value - rejected[of][name]!]),
    );
  // With one objective there is nothing to weigh: simpler models on its reward are the model itself.
  const unsteered = unsteeredPair(chosen, rejected);
  const weighed = Object.keys(chosen.rewards).length > 1;
  return {
    index,
    id,
    source,
    subset: subset ?? source,
    promptHash,
    ...(fields ? { fields } : {}),
    margin: chosen.score - rejected.score,
    contributions: difference("contributions"),
    rewardDifferences: difference("rewards"),
    // JSON holds null for what is not known.
    lengthDifference: (chosen.tokens ?? Number.NaN) - (rejected.tokens ?? Number.NaN),
    baselines: weighed
      ? {
          "regression mean": mean(chosen.rewards) - mean(rejected.rewards),
          "uniform gate": mean(chosen.adjustedRewards) - mean(rejected.adjustedRewards),
        }
      : {},
    ...(unsteered ? { unsteered } : {}),
  };
}

function mean(values: ByObjective): number {
  const list = Object.values(values);
  return list.reduce((sum, value) => sum + value, 0) / list.length;
}

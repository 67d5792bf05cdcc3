// What evaluations of best-of-N rows are made of: one result per prompt, from text or from embeddings.

import { finalAnswersOf } from "../data/best-of-n.ts";
import type { BestOfNRow, RowError } from "../data/records.ts";
import type { RewardModel } from "../reward-model.ts";
import type { SkippedRow } from "../scoring/score-embeddings.ts";
import {
  type CollectedRows,
  type CollectOptions,
  collectRows,
  type RejectedRow,
  type RowScorer,
  type ScoredRow,
} from "./collect-rows.ts";
import type { ResponseScore } from "./pair-scores.ts";
import { type ScoreRecordsOptions, scoreRecords } from "./score-records.ts";
import { type UnsteeredPrompt, unsteeredPrompt } from "./steering-effect.ts";

/** One prompt's scores. */
export interface BestOfNScores extends ScoredRow {
  readonly responses: readonly ResponseScore[];
  /** One per response: 1 right and 0 wrong, or grades. */
  readonly labels: readonly number[];
  /** One per response, for voting; null where it has none. */
  readonly finalAnswers: readonly (string | null)[];
}

export type BestOfNResult = BestOfNScores | RejectedRow | SkippedRow;
export type BestOfNScorer = RowScorer<BestOfNScores>;

/** Scores prompts with their responses, as text: one result per record, in order. */
export async function* scoreBestOfN(
  model: RewardModel,
  records: AsyncIterable<BestOfNRow | RowError>,
  options: ScoreRecordsOptions = {},
): AsyncGenerator<BestOfNResult> {
  for await (const result of scoreRecords(model, records, ({ responses }) => responses, options)) {
    if (!("record" in result)) {
      yield result;
      continue;
    }
    const { id, source, subset, promptHash, labels } = result.record;
    const finalAnswers = finalAnswersOf(result.record);
    yield { id, source, subset, promptHash, responses: result.scores, labels, finalAnswers };
  }
}

/** A scored prompt, as far as accuracies need it. */
export interface ScoredPrompt {
  /** Its place among all results, from 0. */
  readonly index: number;
  readonly id: string | number | null;
  readonly source: string;
  readonly subset: string;
  readonly promptHash: string;
  /** One per response, as the next three. */
  readonly scores: readonly number[];
  readonly labels: readonly number[];
  readonly finalAnswers: readonly (string | null)[];
  readonly tokens: readonly number[];
  /** Only of a steered model. */
  readonly unsteered?: UnsteeredPrompt;
}

export type CollectedPrompts = CollectedRows<ScoredPrompt>;

/** Goes through a scorer's results once and keeps what accuracies need. */
export async function collectBestOfN(
  score: BestOfNScorer,
  trainedOn: RewardModel["trainedOn"],
  options: CollectOptions = {},
): Promise<CollectedPrompts> {
  const reading = {
    scores: ({ responses }: BestOfNScores) => responses.map((response) => response.score),
    gatingOutput: ({ responses }: BestOfNScores) => responses[0]!.gatingOutput,
    keep: (row: BestOfNScores, index: number): ScoredPrompt => {
      const { id, source, subset, promptHash, responses, labels, finalAnswers } = row;
      const unsteered = unsteeredPrompt(responses);
      return {
        index,
        id,
        source,
        subset: subset ?? source,
        promptHash,
        scores: responses.map((response) => response.score),
        labels,
        finalAnswers,
        // JSON holds null for what is not known.
        tokens: responses.map(({ tokens }) => tokens ?? Number.NaN),
        ...(unsteered ? { unsteered } : {}),
      };
    },
  };
  return collectRows(score, trainedOn, reading, options);
}

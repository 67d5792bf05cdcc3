import type { RewardModel } from "../reward-model.ts";
import { type Accuracy, groupBy } from "./accuracy.ts";
import { type CollectedPairs, collectPairs } from "./collect-pairs.ts";
import { type CollectOptions, requireRows } from "./collect-rows.ts";
import { type AnalysisOptions, analyzePairs, judgePairs, type PairAnalysis } from "./pair-analysis.ts";
import type { PairScorer, ScoredPair } from "./pair-scores.ts";
import { PAIR_STEERING, type Steered, withSteeringEffect } from "./steering-effect.ts";

export interface EvaluatePairsOptions extends CollectOptions, AnalysisOptions {}

/** Accuracy on preference pairs, with what was left out of it and what it hides. */
export interface PairEvaluation extends PairAnalysis, Steered {
  readonly benchmark: "pairs";
  readonly sections: Readonly<Record<string, never>>;
  /** Accuracy over all pairs. */
  readonly score: number;
  readonly interval: readonly [number, number];
  readonly scoreWithPriorSets: null;
  /** By subset, or by source where rows name none. */
  readonly subsets: Readonly<Record<string, Accuracy>>;
  /** By every field that was asked for, and its values. */
  readonly groups: Readonly<Record<string, Readonly<Record<string, Accuracy>>>>;
}

/**
 * Accuracy of a model on preference pairs.
 *
 * @param score The pairs: `scorePairs` for text, `scorePairSets` for a model's heads over embeddings.
 * @param trainedOn The model's `trainedOn`.
 * @throws {InputError} `no-rows` if not one could be scored.
 */
export async function evaluatePairs(
  score: PairScorer,
  trainedOn: RewardModel["trainedOn"],
  options: EvaluatePairsOptions = {},
): Promise<PairEvaluation> {
  return reportPairs(await collectPairs(score, trainedOn, options), options);
}

/** What a row counts as that lacks a field. */
const NONE = "(none)";

/** The same from results that were collected before. @throws {InputError} `no-rows` */
export function reportPairs(collected: CollectedPairs, options: AnalysisOptions = {}): PairEvaluation {
  return withSteeringEffect(collected, PAIR_STEERING, (rows) => evaluationOf(rows, options));
}

function evaluationOf(collected: CollectedPairs, options: AnalysisOptions): PairEvaluation {
  requireRows(collected);
  const { kept: pairs } = collected;
  const { accuracy: score, interval } = judgePairs(pairs, "all");
  const fields = options.fields ?? [...new Set(pairs.flatMap((pair) => Object.keys(pair.fields ?? {})))];
  return {
    benchmark: "pairs",
    sections: {},
    score,
    interval,
    scoreWithPriorSets: null,
    subsets: judgeBy(pairs, ({ subset }) => subset),
    groups: Object.fromEntries(
      fields.map((field) => [field, judgeBy(pairs, (pair) => pair.fields?.[field] ?? NONE)]),
    ),
    ...analyzePairs(collected, options),
  };
}

const judgeBy = (
  pairs: readonly ScoredPair[],
  nameOf: (pair: ScoredPair) => string,
): Record<string, Accuracy> =>
  Object.fromEntries([...groupBy(pairs, nameOf)].map(([name, group]) => [name, judgePairs(group, name)]));

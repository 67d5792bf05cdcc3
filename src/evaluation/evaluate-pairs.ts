import { InputError } from "../errors.ts";
import type { RewardModel } from "../reward-model.ts";
import { type Accuracy, accuracyOf, groupBy } from "./accuracy.ts";
import { type CollectedPairs, collectPairs } from "./collect-pairs.ts";
import type { CollectedRows, CollectOptions } from "./collect-rows.ts";
import { type AnalysisOptions, analyzePairs, type PairAnalysis } from "./pair-analysis.ts";
import type { PairScorer, ScoredPair } from "./pair-scores.ts";

export interface EvaluatePairsOptions extends CollectOptions, AnalysisOptions {}

/** Accuracy on preference pairs, with what was left out of it and what it hides. */
export interface PairEvaluation extends PairAnalysis {
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
  requireRows(collected);
  const { kept: pairs } = collected;
  const { accuracy: score, interval } = judge(pairs, "all");
  const fields = new Set(pairs.flatMap((pair) => Object.keys(pair.fields ?? {})));
  return {
    benchmark: "pairs",
    sections: {},
    score,
    interval,
    scoreWithPriorSets: null,
    subsets: judgeBy(pairs, ({ subset }) => subset),
    groups: Object.fromEntries(
      [...fields].map((field) => [field, judgeBy(pairs, (pair) => pair.fields?.[field] ?? NONE)]),
    ),
    ...analyzePairs(collected, options),
  };
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

const judge = (pairs: readonly ScoredPair[], name: string): Accuracy =>
  accuracyOf(
    pairs.map(({ promptHash, margin }) => ({ promptHash, right: margin > 0 })),
    name,
  );

const judgeBy = (
  pairs: readonly ScoredPair[],
  nameOf: (pair: ScoredPair) => string,
): Record<string, Accuracy> =>
  Object.fromEntries([...groupBy(pairs, nameOf)].map(([name, group]) => [name, judge(group, name)]));

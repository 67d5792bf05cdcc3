// Evaluations as they are stored. In JSON, NaN has become null; both mean that there is no figure. Earlier versions lack some parts.

import type { BestOfNEvaluation, BestOfNPoint as EvaluatedPoint } from "../evaluation/evaluate-best-of-n.ts";
import type { PairEvaluation } from "../evaluation/evaluate-pairs.ts";
import type { RewardBenchEvaluation } from "../evaluation/evaluate-reward-bench.ts";
import type { RewardBench2Evaluation, Subset2Result } from "../evaluation/evaluate-reward-bench-2.ts";
import type { PairAnalysis } from "../evaluation/pair-analysis.ts";
import type { Steered } from "../evaluation/steering-effect.ts";

type Later = "groups" | "prompts" | "repeatedIds" | "margins" | "length" | "objectives" | "hardest";
type Stored<E extends PairAnalysis> = Omit<E, Later> & Partial<Pick<E, Extract<keyof E, Later>>>;

export type StoredPairs = Stored<PairEvaluation>;
export type StoredRewardBench = Stored<RewardBenchEvaluation>;

/** One subset of RewardBench 2, as far as it is shown. */
export type RewardBench2Subset = Omit<Subset2Result, "unscored">;
export interface StoredRewardBench2
  extends Steered,
    Pick<RewardBench2Evaluation, "benchmark" | "score" | "interval" | "ties" | "missing"> {
  readonly subsets: Readonly<Record<string, RewardBench2Subset>>;
}

/** One N, as far as it is shown. */
export type BestOfNPoint = EvaluatedPoint;
export interface StoredBestOfN
  extends Steered,
    Pick<BestOfNEvaluation, "benchmark" | "graded">,
    Partial<Pick<BestOfNEvaluation, "score" | "subsets">> {
  readonly curve: readonly BestOfNPoint[];
}

/** What preference pairs say of a model, whatever the benchmark. */
export type StoredPairAnalysis = StoredPairs | StoredRewardBench;
export type StoredEvaluation = StoredPairAnalysis | StoredRewardBench2 | StoredBestOfN;

/** An evaluation, and what to call its data. */
export interface Named<E> {
  readonly name: string;
  readonly evaluation: E;
}

/** The evaluations of one benchmark. */
export function ofBenchmark<B extends StoredEvaluation["benchmark"], N extends Named<StoredEvaluation>>(
  evaluations: readonly N[],
  benchmark: B,
): (N & Named<Extract<StoredEvaluation, { readonly benchmark: B }>>)[] {
  return evaluations.filter(({ evaluation }) => evaluation.benchmark === benchmark) as (N &
    Named<Extract<StoredEvaluation, { readonly benchmark: B }>>)[];
}

/** The evaluations that were made of preference pairs. */
export function ofPairs<N extends Named<StoredEvaluation>>(
  evaluations: readonly N[],
): (N & Named<StoredPairAnalysis>)[] {
  return evaluations.filter(({ evaluation }) =>
    ["pairs", "rewardbench"].includes(evaluation.benchmark),
  ) as (N & Named<StoredPairAnalysis>)[];
}

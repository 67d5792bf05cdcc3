// Evaluations as they are stored. In JSON, NaN has become null; both mean that there is no figure. Earlier versions lack some parts.

import type { Accuracy } from "../evaluation/accuracy.ts";
import type { PairEvaluation } from "../evaluation/evaluate-pairs.ts";
import type { RewardBenchEvaluation } from "../evaluation/evaluate-reward-bench.ts";
import type { PairAnalysis } from "../evaluation/pair-analysis.ts";
import type { TiesScore } from "../evaluation/ties.ts";

type Later = "groups" | "prompts" | "repeatedIds" | "margins" | "length" | "objectives" | "hardest";
type Stored<E extends PairAnalysis> = Omit<E, Later> & Partial<Pick<E, Extract<keyof E, Later>>>;

export type StoredPairs = Stored<PairEvaluation>;
export type StoredRewardBench = Stored<RewardBenchEvaluation>;

/** One subset of RewardBench 2. */
export interface RewardBench2Subset extends Accuracy {
  /** Prompts of the official set; null for a subset that the benchmark does not have. */
  readonly officialPrompts: number | null;
}

/** RewardBench 2: six subsets of prompts with several answers, and their mean. */
export interface StoredRewardBench2 {
  readonly benchmark: "rewardbench2";
  readonly score: number;
  readonly interval: readonly [number, number];
  readonly subsets: Readonly<Record<string, RewardBench2Subset>>;
  readonly ties: TiesScore | null;
  readonly missing: readonly string[];
}

/** Accuracy of the answer that is chosen among N. */
export interface BestOfNPoint {
  readonly n: number;
  /** Prompts with at least n answers. */
  readonly prompts: number;
  readonly accuracy: number;
  readonly interval: readonly [number, number];
  /** Share of prompts with a right answer among the n: nothing that chooses can do better. */
  readonly oracle: number;
  /** Of the most frequent answer; null where answers cannot be told to be the same. */
  readonly majority: number | null;
  readonly random: number;
}

export interface StoredBestOfN {
  readonly benchmark: "best-of-n";
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

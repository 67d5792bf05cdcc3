import { createGateMeans, type GateMeans } from "../armo/gate-means.ts";
import type { RewardModel } from "../reward-model.ts";
import { groupBy } from "./accuracy.ts";
import { accuracyInterval, percentileInterval, type ResampledMean, resampleMean } from "./bootstrap.ts";
import { type CollectedPairs, collectPairs } from "./collect-pairs.ts";
import { type CollectOptions, requireRows } from "./collect-rows.ts";
import { type AnalysisOptions, analyzePairs, baselineMargins, type PairAnalysis } from "./pair-analysis.ts";
import type { PairScorer, ScoredPair } from "./pair-scores.ts";
import {
  isPriorSet,
  officialPairs,
  type RewardBenchOptions,
  type RewardBenchScore,
  rewardBench,
  SECTION_NAMES,
  type SectionName,
  sectionOf,
} from "./reward-bench.ts";
import { PAIR_STEERING, type Steered, withSteeringEffect } from "./steering-effect.ts";

/** One subset. */
export interface SubsetResult {
  /** Rows, those that could not be scored included: they count as wrong. */
  readonly n: number;
  readonly unscored: number;
  readonly accuracy: number;
  /** 95 %, by bootstrap over prompts. */
  readonly interval: readonly [number, number];
  /** Null for a prior set or a subset that the benchmark does not have. */
  readonly section: SectionName | null;
  /** What it weighs in its section; null outside. */
  readonly weight: number | null;
  /** Pairs of the official set; another `n` says that these data are not that set. Null outside. */
  readonly officialPairs: number | null;
}

type SectionScores = Pick<RewardBenchScore, "sections" | "score" | "priorSets" | "scoreWithPriorSets">;

/** RewardBench 1: subsets, sections, both scores, and what they hide. */
export interface RewardBenchEvaluation extends PairAnalysis, SectionScores, Steered {
  readonly benchmark: "rewardbench";
  /** Whether the xstest subsets were weighed as published scores did. */
  readonly referenceCounts: boolean;
  readonly subsets: Readonly<Record<string, SubsetResult>>;
  readonly sectionIntervals: Readonly<Record<SectionName, readonly [number, number]>>;
  readonly interval: readonly [number, number];
  readonly intervalWithPriorSets: readonly [number, number];
  readonly missing: RewardBenchScore["missing"];
  readonly unknown: readonly string[];
  /** The same figures for length alone and for simpler models on the same rewards. */
  readonly baselineScores: Readonly<Record<string, SectionScores>>;
  /** Mean gating output by section, over pairs. */
  readonly gatingBySection: GateMeans;
}

export interface EvaluateRewardBenchOptions extends CollectOptions, AnalysisOptions, RewardBenchOptions {}

/**
 * RewardBench 1 of a model. Accuracy is strict: a tie is wrong, and so is a row that could not be scored.
 *
 * @param score The pairs; `subset` names the subset, and a source named as a prior set is one.
 * @throws {InputError} `no-rows` if none could be scored.
 */
export async function evaluateRewardBench(
  score: PairScorer,
  trainedOn: RewardModel["trainedOn"],
  options: EvaluateRewardBenchOptions = {},
): Promise<RewardBenchEvaluation> {
  return reportRewardBench(await collectPairs(score, trainedOn, options), options);
}

/** The same from results that were collected before. */
export function reportRewardBench(
  all: CollectedPairs,
  options: AnalysisOptions & RewardBenchOptions = {},
): RewardBenchEvaluation {
  return withSteeringEffect(all, PAIR_STEERING, (rows) => evaluationOf(rows, options));
}

function evaluationOf(
  all: CollectedPairs,
  options: AnalysisOptions & RewardBenchOptions,
): RewardBenchEvaluation {
  requireRows(all);
  const collected = { ...all, kept: all.kept.map((pair) => ({ ...pair, subset: subsetOf(pair) })) };
  const rows = rowsOf(collected);
  const bySubset = groupBy(rows, ({ subset }) => subset);
  const resampled = new Map(
    [...bySubset].map(([name, list]) => [
      name,
      resampleMean(
        list.map(({ promptHash, pair }) => ({ promptHash, value: pair && pair.margin > 0 ? 1 : 0 })),
        name,
      ),
    ]),
  );
  const bench = rewardBench(means(resampled), options);
  const draws = resampledScores(resampled, options);
  const interval = (of: (scores: RewardBenchScore) => number) =>
    percentileInterval(Float64Array.from(draws, (scores) => of(scores)));
  const { sections, score, priorSets, scoreWithPriorSets, missing, unknown, counts } = bench;
  const analysis = analyzePairs(collected, options);
  return {
    ...analysis,
    benchmark: "rewardbench",
    sections,
    score,
    priorSets,
    scoreWithPriorSets,
    referenceCounts: options.referenceCounts ?? false,
    subsets: Object.fromEntries(
      [...resampled].map(([name, result]) => {
        const unscored = bySubset.get(name)!.filter(({ pair }) => pair === null).length;
        return [
          name,
          {
            n: result.n,
            unscored,
            accuracy: result.mean,
            interval: accuracyInterval(result),
            section: sectionOf(name),
            weight: Object.hasOwn(counts, name) ? counts[name]! : null,
            officialPairs: officialPairs(name),
          },
        ];
      }),
    ),
    sectionIntervals: Object.fromEntries(
      SECTION_NAMES.map((name) => [name, interval((scores) => scores.sections[name])]),
    ) as Record<SectionName, [number, number]>,
    interval: interval((scores) => scores.score),
    intervalWithPriorSets: interval((scores) => scores.scoreWithPriorSets),
    missing,
    unknown,
    baselineScores: baselineScores(rows, collected.kept, options),
    gatingBySection: gatingBySection(analysis.gating),
  };
}

/** A row of the benchmark: scored, or not. */
interface BenchmarkRow {
  readonly subset: string;
  readonly promptHash: string;
  readonly pair: ScoredPair | null;
}

const subsetOf = ({ source, subset }: { source: string; subset: string }): string =>
  isPriorSet(source) ? source : subset;

function rowsOf({ kept: pairs, rejected }: CollectedPairs): BenchmarkRow[] {
  return [
    ...pairs.map((pair) => ({ subset: pair.subset, promptHash: pair.promptHash, pair })),
    // Nothing is known of its prompt: it is drawn by itself.
    ...rejected.map(({ source, subset }, i) => ({
      subset: subsetOf({ source, subset: subset ?? source }),
      promptHash: `rejected ${i}`,
      pair: null,
    })),
  ];
}

const means = (resampled: ReadonlyMap<string, ResampledMean>): Record<string, number> =>
  Object.fromEntries([...resampled].map(([name, { mean }]) => [name, mean]));

/** Sections and scores of every resample; subsets are drawn independently. */
function resampledScores(
  resampled: ReadonlyMap<string, ResampledMean>,
  options: RewardBenchOptions,
): RewardBenchScore[] {
  const B = [...resampled.values()][0]!.resampled.length;
  return Array.from({ length: B }, (_, b) =>
    rewardBench(
      Object.fromEntries([...resampled].map(([name, { resampled: draws }]) => [name, draws[b]!])),
      options,
    ),
  );
}

function baselineScores(
  rows: readonly BenchmarkRow[],
  pairs: readonly ScoredPair[],
  options: RewardBenchOptions,
): Record<string, SectionScores> {
  const place = new Map(pairs.map((pair, i) => [pair, i]));
  return Object.fromEntries(
    [...baselineMargins(pairs)].map(([name, margins]) => {
      const accuracies = [...groupBy(rows, ({ subset }) => subset)].map(([subset, list]) => {
        const right = list.filter(({ pair }) => pair !== null && margins[place.get(pair)!]! > 0).length;
        return [subset, right / list.length];
      });
      const { sections, score, priorSets, scoreWithPriorSets } = rewardBench(
        Object.fromEntries(accuracies),
        options,
      );
      return [name, { sections, score, priorSets, scoreWithPriorSets }];
    }),
  );
}

function gatingBySection(gating: GateMeans): GateMeans {
  const sections = createGateMeans();
  for (const [subset, { n, gatingOutput }] of Object.entries(gating)) {
    const section = sectionOf(subset);
    if (section) sections.add(section, gatingOutput, n);
  }
  return sections.means();
}

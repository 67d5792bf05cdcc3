// What one accuracy hides: margins, length, single objectives, the pairs that went most wrong.

import { type Calibration, calibrationOf } from "../armo/calibration.ts";
import type { GateMeans } from "../armo/gate-means.ts";
import { type ObjectiveAccuracy, objectiveAccuracies } from "../armo/objective-accuracy.ts";
import { spearman } from "../armo/spearman.ts";
import type { ByObjective } from "../reward-model.ts";
import { type Accuracy, accuracyOf } from "./accuracy.ts";
import type { CollectedPairs } from "./collect-pairs.ts";
import type { RejectedRow } from "./collect-rows.ts";
import { type MarginSummary, summarizeMargins } from "./margins.ts";
import type { ScoredPair } from "./pair-scores.ts";

/** How accuracy and margins depend on which response is the longer one, in tokens. */
export interface LengthAnalysis {
  /** Accuracy where the chosen response is the longer one, the shorter one, or as long. */
  readonly chosenLonger: Accuracy;
  readonly chosenShorter: Accuracy;
  readonly equal: Accuracy;
  /** Spearman's correlation of margin and length difference; NaN where one does not vary. */
  readonly correlation: number;
}

/** A pair that the model has wrong, or nearly. */
export interface HardPair
  extends Pick<ScoredPair, "index" | "id" | "subset" | "margin" | "lengthDifference"> {
  readonly contributions: ByObjective;
}

/** Everything that evaluations of pairs say beside their score. */
export interface PairAnalysis {
  /** Pairs scored, and the prompts that they belong to. */
  readonly n: number;
  readonly prompts: number;
  /** Margins of exactly 0: they count as wrong. */
  readonly ties: number;
  /** `prefer the longer`, `prefer the shorter` (a tie counts as wrong), and the model's own baselines. */
  readonly baselines: Readonly<Record<string, Accuracy>>;
  readonly margins: MarginSummary;
  /** Of σ(β · margin); null without a margin scale. */
  readonly calibration: Calibration | null;
  /** Null where lengths are not known, as in imported embeddings. */
  readonly length: LengthAnalysis | null;
  readonly objectives: Readonly<Record<string, ObjectiveAccuracy>>;
  /** Mean gating output by subset. */
  readonly gating: GateMeans;
  /** The pairs with the lowest margins, lowest first. */
  readonly hardest: readonly HardPair[];
  readonly overlaps: CollectedPairs["overlaps"];
  readonly repeatedIds: CollectedPairs["repeatedIds"];
  readonly rejected: readonly RejectedRow[];
}

export interface AnalysisOptions {
  /** β of the model, for the calibration of σ(β · margin). Default null: no calibration. */
  readonly marginScale?: number | null;
  /** Fields of the rows to give accuracies by. Default: those that some row has. */
  readonly fields?: readonly string[];
}

const HARDEST = 20;

/** @param collected At least one scored pair. */
export function analyzePairs(
  collected: CollectedPairs,
  { marginScale = null }: AnalysisOptions = {},
): PairAnalysis {
  const { kept: pairs, overlaps, repeatedIds, rejected, gating } = collected;
  const margins = pairs.map(({ margin }) => margin);
  return {
    n: pairs.length,
    prompts: new Set(pairs.map(({ promptHash }) => promptHash)).size,
    ties: margins.filter((margin) => margin === 0).length,
    baselines: baselinesOf(pairs),
    margins: summarizeMargins(margins),
    calibration: marginScale === null ? null : calibrationOf(margins, marginScale),
    length: analyzeLength(pairs, margins),
    objectives: analyzeObjectives(pairs),
    gating,
    hardest: hardestOf(pairs),
    overlaps,
    repeatedIds,
    rejected,
  };
}

/** The margins of every baseline, by name, in the order of `pairs`; without rules of length where a length is not known. */
export function baselineMargins(pairs: readonly ScoredPair[]): Map<string, readonly number[]> {
  const names = new Set(pairs.flatMap(({ baselines }) => Object.keys(baselines)));
  const lengths = pairs.map(({ lengthDifference }) => lengthDifference);
  const rules = [
    ["prefer the longer", lengths],
    ["prefer the shorter", lengths.map((difference) => -difference)],
  ] as const;
  return new Map([
    ...[...names].map((name) => [name, pairs.map((pair) => pair.baselines[name] ?? 0)] as const),
    ...(lengths.some(Number.isNaN) ? [] : rules),
  ]);
}

function baselinesOf(pairs: readonly ScoredPair[]): Record<string, Accuracy> {
  const judge = (margins: readonly number[], name: string) =>
    accuracyOf(
      pairs.map(({ promptHash }, i) => ({ promptHash, right: margins[i]! > 0 })),
      name,
    );
  return Object.fromEntries(
    [...baselineMargins(pairs)].map(([name, margins]) => [name, judge(margins, name)]),
  );
}

/** Accuracy of the model on pairs. @param name Names the draws of the interval. */
export const judgePairs = (pairs: readonly ScoredPair[], name: string): Accuracy =>
  accuracyOf(
    pairs.map(({ promptHash, margin }) => ({ promptHash, right: margin > 0 })),
    name,
  );

function analyzeLength(pairs: readonly ScoredPair[], margins: readonly number[]): LengthAnalysis | null {
  if (pairs.some(({ lengthDifference }) => Number.isNaN(lengthDifference))) return null;
  const where = (name: string, holds: (difference: number) => boolean) =>
    judgePairs(
      pairs.filter(({ lengthDifference }) => holds(lengthDifference)),
      name,
    );
  return {
    chosenLonger: where("chosen longer", (difference) => difference > 0),
    chosenShorter: where("chosen shorter", (difference) => difference < 0),
    equal: where("equal length", (difference) => difference === 0),
    correlation: spearman(
      margins,
      pairs.map(({ lengthDifference }) => lengthDifference),
    ),
  };
}

function analyzeObjectives(pairs: readonly ScoredPair[]): Record<string, ObjectiveAccuracy> {
  const names = Object.keys(pairs[0]!.contributions);
  const table = (of: "contributions" | "rewardDifferences") =>
    pairs.flatMap((pair) => names.map((name) => pair[of][name]!));
  return objectiveAccuracies({
    names,
    margins: pairs.map(({ margin }) => margin),
    contributions: table("contributions"),
    rewardDifferences: table("rewardDifferences"),
    lengthDifferences: pairs.map(({ lengthDifference }) => lengthDifference),
  });
}

function hardestOf(pairs: readonly ScoredPair[]): HardPair[] {
  // Of equal margins the earlier first, so that two runs agree.
  const order = [...pairs].sort((a, b) => a.margin - b.margin || a.index - b.index);
  return order.slice(0, HARDEST).map(({ index, id, subset, margin, lengthDifference, contributions }) => ({
    index,
    id,
    subset,
    margin,
    lengthDifference,
    contributions,
  }));
}

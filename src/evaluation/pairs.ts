// Pair accuracy: how often a model puts the preferred response first, and how often length alone would have.

import { wilsonInterval } from "./intervals.ts";

/** One preference pair, scored. */
export interface ScoredPair {
  readonly id: string | number | null;
  readonly subset: string;
  /** score(chosen) − score(rejected) */
  readonly margin: number;
  /** Tokens of the chosen response − tokens of the rejected one; NaN where they are not known. */
  readonly lengthDifference: number;
  /** Margins of simpler models on the same rewards, by name. */
  readonly baselines: Readonly<Record<string, number>>;
}

export interface Accuracy {
  readonly n: number;
  /** Share of pairs with a margin above 0, strictly: a tie counts as wrong. In [0, 1]; NaN for no pairs. */
  readonly accuracy: number;
  /** 95 % Wilson interval. */
  readonly interval: readonly [number, number];
}

export interface PairReport {
  readonly benchmark: "pairs";
  readonly sections: Readonly<Record<string, never>>;
  /** Accuracy over all pairs. */
  readonly score: number;
  readonly interval: readonly [number, number];
  readonly scoreWithPriorSets: null;
  readonly n: number;
  readonly ties: number;
  readonly subsets: Readonly<Record<string, Accuracy>>;
  /**
   * Accuracy of `prefer the longer`, `prefer the shorter` (a tie counts as wrong), and of the model's own baselines. The two rules
   * are left out where a length is not known.
   */
  readonly baselines: Readonly<Record<string, Accuracy>>;
}

/** Sums up scored pairs. A tie counts as wrong, for the model and for every baseline. */
export function reportPairs(pairs: readonly ScoredPair[]): PairReport {
  const bySubset = new Map<string, ScoredPair[]>();
  for (const pair of pairs) {
    const subset = bySubset.get(pair.subset);
    if (subset) subset.push(pair);
    else bySubset.set(pair.subset, [pair]);
  }
  const all = accuracyOf(pairs.map(({ margin }) => margin));
  const names = [...new Set(pairs.flatMap(({ baselines }) => Object.keys(baselines)))];
  const baselines: Record<string, Accuracy> = {};
  for (const name of names) baselines[name] = accuracyOf(pairs.map((pair) => pair.baselines[name] ?? 0));
  const lengths = pairs.map(({ lengthDifference }) => lengthDifference);
  if (!lengths.some(Number.isNaN)) {
    baselines["prefer the longer"] = accuracyOf(lengths);
    baselines["prefer the shorter"] = accuracyOf(lengths.map((difference) => -difference));
  }
  return {
    benchmark: "pairs",
    sections: {},
    score: all.accuracy,
    interval: all.interval,
    scoreWithPriorSets: null,
    n: pairs.length,
    ties: pairs.filter(({ margin }) => margin === 0).length,
    subsets: Object.fromEntries(
      [...bySubset].map(([name, rows]) => [name, accuracyOf(rows.map(({ margin }) => margin))]),
    ),
    baselines,
  };
}

function accuracyOf(margins: readonly number[]): Accuracy {
  const n = margins.length;
  const right = margins.filter((margin) => margin > 0).length;
  return { n, accuracy: right / n, interval: wilsonInterval(right, n) };
}

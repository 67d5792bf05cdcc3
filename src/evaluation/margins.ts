// How far apart a model puts the two responses of a pair.

import { percentile } from "./bootstrap.ts";

/** The distribution of score(chosen) − score(rejected). */
export interface MarginSummary {
  readonly mean: number;
  readonly standardDeviation: number;
  /** The 5th, 25th, 50th, 75th and 95th percentile. */
  readonly percentiles: Readonly<Record<"p5" | "p25" | "p50" | "p75" | "p95", number>>;
  /** Equal bins from the least to the greatest margin, one of whose bounds is 0. */
  readonly histogram: readonly { readonly from: number; readonly to: number; readonly n: number }[];
}

const BINS = 30;

/** @param margins Finite, at least one. */
export function summarizeMargins(margins: readonly number[]): MarginSummary {
  const n = margins.length;
  const sorted = Float64Array.from(margins).sort();
  const mean = sorted.reduce((sum, margin) => sum + margin, 0) / n;
  const variance = sorted.reduce((sum, margin) => sum + (margin - mean) ** 2, 0) / n;
  return {
    mean,
    standardDeviation: Math.sqrt(variance),
    percentiles: {
      p5: percentile(sorted, 0.05),
      p25: percentile(sorted, 0.25),
      p50: percentile(sorted, 0.5),
      p75: percentile(sorted, 0.75),
      p95: percentile(sorted, 0.95),
    },
    histogram: histogramOf(sorted),
  };
}

function histogramOf(sorted: Float64Array): MarginSummary["histogram"] {
  const [low, high] = [Math.min(0, sorted[0]!), Math.max(0, sorted.at(-1)!)];
  const width = (high - low) / BINS || 1;
  const first = Math.floor(low / width);
  const last = Math.max(first, Math.ceil(high / width) - 1);
  const counts = Array.from({ length: last - first + 1 }, (_, i) => ({
    from: (first + i) * width,
    to: (first + i + 1) * width,
    n: 0,
  }));
  for (const margin of sorted) {
    counts[Math.min(counts.length - 1, Math.max(0, Math.floor(margin / width) - first))]!.n++;
  }
  return counts;
}

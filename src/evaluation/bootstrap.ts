// Uncertainty of accuracies by resampling prompts: pairs of one prompt rise and fall together, so they are drawn together.
// B resamples.

import { createRandom } from "../random.ts";
import { wilsonInterval } from "./intervals.ts";

/** B. */
const RESAMPLES = 2000;

/** A value of one unit, and the prompt that it belongs to. */
export interface Clustered {
  readonly promptHash: string;
  /** Right or wrong as 1 or 0, a credit between, or a difference of two models in [−1, 1]. */
  readonly value: number;
}

/** A mean and how it varies over resamples. */
export interface ResampledMean {
  readonly n: number;
  readonly prompts: number;
  readonly mean: number;
  /** The least and the greatest value. */
  readonly extremes: readonly [number, number];
  /** `[B]`, the mean in each resample. */
  readonly resampled: Float64Array;
}

/**
 * The mean of values and of B bootstrap resamples of its prompts, drawn with replacement.
 *
 * @param stream Names the draws: the same name, the same draws, so that figures repeat in every digit.
 * With more than `largest` prompts the mean of a resample is normal to within a hundredth of its deviation, and is drawn as such,
 * with the deviation of the ratio Σ values / Σ counts over prompts.
 *
 * Cost: B draws per prompt, beyond `largest` B draws in all. Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), ch. 8; cluster bootstrap.
 */
export function resampleMean(
  values: readonly Clustered[],
  stream: string,
  { largest = 20_000 }: { readonly largest?: number } = {},
): ResampledMean {
  const clusters = new Map<string, { n: number; sum: number }>();
  for (const { promptHash, value } of values) {
    const cluster = clusters.get(promptHash);
    if (cluster) {
      cluster.n++;
      cluster.sum += value;
    } else clusters.set(promptHash, { n: 1, sum: value });
  }
  const sizes = Uint32Array.from(clusters.values(), ({ n }) => n);
  const sums = Float64Array.from(clusters.values(), ({ sum }) => sum);
  const total = sums.reduce((a, b) => a + b, 0);
  const resampled = new Float64Array(RESAMPLES).fill(Number.NaN);
  const P = sizes.length;
  const random = createRandom(0, stream);
  if (P > largest) {
    const mean = total / values.length;
    const squares = sums.reduce((sum, value, i) => sum + (value - mean * sizes[i]!) ** 2, 0);
    const deviation = Math.sqrt(squares) / values.length;
    for (let b = 0; b < RESAMPLES; b++) resampled[b] = mean + deviation * random.normal();
  } else if (P > 0) {
    for (let b = 0; b < RESAMPLES; b++) {
      let [n, sum] = [0, 0];
      for (let i = 0; i < P; i++) {
        const drawn = Math.floor((random.nextUint32() / 2 ** 32) * P);
        n += sizes[drawn]!;
        sum += sums[drawn]!;
      }
      resampled[b] = sum / n;
    }
  }
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { value } of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return { n: values.length, prompts: P, mean: total / values.length, extremes: [least, most], resampled };
}

/** A statistic of B resamples of units, drawn with replacement. @param stream Names the draws. Cost: B evaluations. */
export function resampleStatistic<Unit>(
  units: readonly Unit[],
  statistic: (drawn: readonly Unit[]) => number,
  stream: string,
): Float64Array {
  const random = createRandom(0, stream);
  const draw = () => units[Math.floor((random.nextUint32() / 2 ** 32) * units.length)]!;
  return Float64Array.from({ length: RESAMPLES }, () => statistic(units.map(draw)));
}

/** The 2.5th and the 97.5th percentile of resamples; NaN if one of them is NaN, or if all agree, which says nothing of doubt. */
export function percentileInterval(resampled: Float64Array): [number, number] {
  const sorted = resampled.toSorted();
  if (resampled.some(Number.isNaN) || sorted[0] === sorted.at(-1)) return [Number.NaN, Number.NaN];
  return [percentile(sorted, 0.025), percentile(sorted, 0.975)];
}

/** The value below which a share of sorted values lies; linear between neighbours, as numpy.percentile. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}

/**
 * 95 % interval of an accuracy. Where everything is right, or everything wrong, resampling knows no doubt: Wilson's interval over
 * the prompts stands in.
 */
export function accuracyInterval({ mean, prompts, extremes, resampled }: ResampledMean): [number, number] {
  const [least, most] = extremes;
  if (least === most && (mean === 0 || mean === 1)) return wilsonInterval(mean * prompts, prompts);
  return percentileInterval(resampled);
}

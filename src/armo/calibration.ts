// Whether probabilities mean what they say: when the model says 70 %, is it right in 70 of 100?

/** Pairs that the model is about equally sure of. */
export interface CalibrationBin {
  /** Bounds of the probability: from ≤ p < to; the last bin includes 1. */
  readonly from: number;
  readonly to: number;
  readonly n: number;
  /** Mean probability of the response that the model prefers. */
  readonly predicted: number;
  /** Share of pairs in which people prefer it too. */
  readonly observed: number;
}

const BINS = 10;

/**
 * The data of a reliability diagram of σ(β · margin), over ten equal bins of [0.5, 1]; bins without pairs are left out.
 *
 * Which response is called chosen must not matter, so a pair counts with the response that the model prefers: it is
 * given σ(β · |margin|), and the model is right if the margin is above 0. A tie prefers neither, and counts as half right.
 *
 * @param margins score(chosen) − score(rejected), one per pair.
 * @param marginScale β > 0.
 */
export function calibrationBins(margins: Iterable<number>, marginScale: number): CalibrationBin[] {
  const sums = Array.from({ length: BINS }, () => ({ n: 0, predicted: 0, right: 0 }));
  for (const margin of margins) {
    const probability = 1 / (1 + Math.exp(-marginScale * Math.abs(margin)));
    const bin = sums[Math.min(BINS - 1, Math.floor((probability - 0.5) * 2 * BINS))]!;
    bin.n++;
    bin.predicted += probability;
    bin.right += margin > 0 ? 1 : margin < 0 ? 0 : 0.5;
  }
  const bound = (b: number) => (BINS + b) / (2 * BINS);
  return sums.flatMap(({ n, predicted, right }, b) =>
    n === 0 ? [] : [{ from: bound(b), to: bound(b + 1), n, predicted: predicted / n, observed: right / n }],
  );
}

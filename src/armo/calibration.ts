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

/** Expected calibration error: mean distance of what bins predict from what happened, over all pairs. NaN without pairs. */
export function calibrationError(bins: readonly CalibrationBin[]): number {
  let [error, pairs] = [0, 0];
  for (const { n, predicted, observed } of bins) {
    error += n * Math.abs(predicted - observed);
    pairs += n;
  }
  return error / pairs;
}

/** Whether σ(β · margin) means what it says. */
export interface Calibration {
  readonly bins: readonly CalibrationBin[];
  readonly calibrationError: number;
  /** Mean (1 − p)², p the probability given to the chosen response: 0.25 for a coin. */
  readonly brierScore: number;
  /** Mean −ln p: ln 2 = 0.693 for a coin. */
  readonly logLoss: number;
}

/** @param marginScale β > 0. */
export function calibrationOf(margins: readonly number[], marginScale: number): Calibration {
  const bins = calibrationBins(margins, marginScale);
  let [brier, loss] = [0, 0];
  for (const margin of margins) {
    const logit = marginScale * margin;
    brier += (1 / (1 + Math.exp(logit))) ** 2;
    loss += Math.max(-logit, 0) + Math.log1p(Math.exp(-Math.abs(logit))); // softplus(−logit)
  }
  const N = margins.length;
  return { bins, calibrationError: calibrationError(bins), brierScore: brier / N, logLoss: loss / N };
}

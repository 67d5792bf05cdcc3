// Whether the gate does anything: beside weights that are the same for every prompt. V pairs, K objectives.

/** What the gate's weights are compared with: their own mean, and equal ones. */
export type FixedWeights = "mean weights" | "uniform gate";

/** One set of weights for all prompts, in place of the gate. */
export interface FixedWeightsEffect {
  /** Of the score with these weights; a tie counts as wrong. */
  readonly accuracy: number;
  /** Share of pairs in which the gate prefers the other response. */
  readonly changed: number;
}

/**
 * - `collapsed`: one objective takes more than 95 % of the weight for nearly all prompts.
 * - `uniform`: for nearly all prompts every weight is within 5 % of 1 / K: the gate never moved from where it began.
 * - `same-for-all`: weights differ from their mean by less than one hundredth on average: fixed weights would do.
 */
export type GateWarningCode = "collapsed" | "uniform" | "same-for-all";

export interface GateWarning {
  readonly code: GateWarningCode;
  /** The objective that takes the weight; null unless the gate collapsed. */
  readonly objective: string | null;
  /** Share of pairs of which it holds; of `same-for-all` the weight that differs on average. */
  readonly share: number;
}

/** Of the weight, what one objective must take; and of the prompts, what counts as nearly all. */
const TAKES_ALL = 0.95;
const NEARLY_ALL = 0.95;
/** How far from 1 / K, as a share of it. */
const UNMOVED = 0.05;
/** Mean total variation distance of a prompt's weights from the mean. */
const ALIKE = 0.01;

/** @param margins `[V]` of the gate. @param differences Adjusted rewards `[V, K]`, chosen − rejected. */
export function fixedWeightsEffect(
  margins: ArrayLike<number>,
  differences: ArrayLike<number>,
  weights: ArrayLike<number>,
): FixedWeightsEffect {
  const [V, K] = [margins.length, weights.length];
  let [right, changed] = [0, 0];
  for (let n = 0; n < V; n++) {
    let margin = 0;
    for (let k = 0; k < K; k++) margin += weights[k]! * differences[n * K + k]!;
    if (margin > 0) right++;
    if (margin > 0 !== margins[n]! > 0) changed++;
  }
  return { accuracy: right / V, changed: changed / V };
}

/** @param weights The gate's softmax `[V, K]`. With one objective there is nothing to warn of. */
export function gateWarnings(
  weights: ArrayLike<number>,
  meanWeights: ArrayLike<number>,
  names: readonly string[],
): GateWarning[] {
  const K = names.length;
  const V = weights.length / K;
  if (K === 1) return [];
  const takes = new Float64Array(K);
  let [unmoved, distance] = [0, 0];
  for (let n = 0; n < V; n++) {
    let farthest = 0;
    for (let k = 0; k < K; k++) {
      const weight = weights[n * K + k]!;
      if (weight > TAKES_ALL) takes[k]!++;
      farthest = Math.max(farthest, Math.abs(K * weight - 1));
      distance += Math.abs(weight - meanWeights[k]!) / 2;
    }
    if (farthest < UNMOVED) unmoved++;
  }
  const most = takes.indexOf(Math.max(...takes));
  if (takes[most]! >= NEARLY_ALL * V) {
    return [{ code: "collapsed", objective: names[most]!, share: takes[most]! / V }];
  }
  if (unmoved >= NEARLY_ALL * V) return [{ code: "uniform", objective: null, share: unmoved / V }];
  if (distance < ALIKE * V) return [{ code: "same-for-all", objective: null, share: distance / V }];
  return [];
}

/** A warning and what to do about it, for people. */
export function describeGateWarning({ code, objective, share }: GateWarning): string {
  const percent = `${(100 * share).toFixed(1)} %`;
  switch (code) {
    case "collapsed":
      return `the gate collapsed: ${objective} takes more than 95 % of the weight for ${percent} of the prompts; lower the learning rate, add weight decay or pairs, or score with ${objective} alone`;
    case "uniform":
      return `the gate never moved from uniform weights for ${percent} of the prompts; train it longer or at a higher learning rate, or β is so large that any mixture has little loss: see the preset fitted`;
    case "same-for-all":
      return `the gate mixes all prompts alike (${percent} of the weight differs): fixed weights would do; more steps or pairs, or prompts of more kinds, may tell it what to look at`;
  }
}

// How widely the gate spreads its weights. V pairs, K objectives.

/** How widely the gate spreads its weights for one kind of prompts. */
export interface GroupEntropy {
  readonly n: number;
  /** Mean of H / ln K with H = −Σ p ln p over the gate's softmax p: 0, one objective takes all; 1, all weigh alike. */
  readonly entropy: number;
  /** Mean of exp(H): as many objectives that weigh alike would have this entropy. */
  readonly effectiveObjectives: number;
}

/** How widely the gate spreads its weights. With one objective there is nothing to spread: entropies are NaN. */
export interface GateEntropy extends GroupEntropy {
  /** H / ln K of the mean weights. */
  readonly ofMeanWeights: number;
  /**
   * `ofMeanWeights` − `entropy`, which is what weights tell of the prompt (mutual information over ln K, the Jensen–Shannon
   * divergence of all prompts' weights): 0 where all prompts are mixed alike; 1 where each has one objective, and all objectives are used.
   */
  readonly promptDependence: number;
  /** Twenty equal bins of H / ln K in [0, 1], from ≤ x < to; the last includes 1. Empty with one objective. */
  readonly histogram: readonly { readonly from: number; readonly to: number; readonly n: number }[];
  /** By subset, or source where there is no subset. */
  readonly bySource: Readonly<Record<string, GroupEntropy>>;
}

const BINS = 20;

/** H = −Σ p ln p in nats; weights of 0 add nothing. */
export function entropyOf(weights: ArrayLike<number>, from = 0, count = weights.length): number {
  let entropy = 0;
  for (let k = from; k < from + count; k++)
    if (weights[k]! > 0) entropy -= weights[k]! * Math.log(weights[k]!);
  return Math.max(0, entropy);
}

/** Mean over rows of `[V, K]`. */
export function meanOfRows(values: ArrayLike<number>, K: number): Float64Array {
  const means = new Float64Array(K);
  for (let i = 0; i < values.length; i++) means[i % K]! += values[i]!;
  return means.map((sum) => sum / (values.length / K));
}

/** @param weights The gate's softmax `[V, K]`, V ≥ 1; rows sum to 1. @param groups `[V]` names of the pairs' sources. */
export function gateEntropy(
  weights: ArrayLike<number>,
  groups: readonly string[],
  meanWeights: ArrayLike<number>,
): GateEntropy {
  const K = meanWeights.length;
  const entropies = Float64Array.from(groups, (_, n) => entropyOf(weights, n * K, K));
  const all = Uint32Array.from(groups.keys());
  const byGroup = new Map<string, number[]>();
  for (const [n, group] of groups.entries()) {
    const rows = byGroup.get(group);
    if (rows) rows.push(n);
    else byGroup.set(group, [n]);
  }
  const whole = summarize(entropies, all, K);
  const ofMeanWeights = entropyOf(meanWeights) / Math.log(K);
  return {
    ...whole,
    ofMeanWeights,
    promptDependence: ofMeanWeights - whole.entropy,
    histogram: K === 1 ? [] : histogramOf(entropies, K),
    bySource: Object.fromEntries([...byGroup].map(([group, rows]) => [group, summarize(entropies, rows, K)])),
  };
}

function summarize(entropies: Float64Array, rows: ArrayLike<number>, K: number): GroupEntropy {
  let [entropy, effective] = [0, 0];
  for (let i = 0; i < rows.length; i++) {
    entropy += entropies[rows[i]!]!;
    effective += Math.exp(entropies[rows[i]!]!);
  }
  const n = rows.length;
  return { n, entropy: entropy / n / Math.log(K), effectiveObjectives: effective / n };
}

function histogramOf(entropies: Float64Array, K: number): GateEntropy["histogram"] {
  const counts = new Array<number>(BINS).fill(0);
  for (const entropy of entropies) {
    counts[Math.min(BINS - 1, Math.floor((entropy / Math.log(K)) * BINS))]!++;
  }
  return counts.map((n, b) => ({ from: b / BINS, to: (b + 1) / BINS, n }));
}

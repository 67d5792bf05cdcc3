// What rewards and scores have to do with length. V pairs, K objectives.

import { spearman } from "./spearman.ts";
import type { PairRewards } from "./training-pairs.ts";

/** Spearman's correlation with the length of the response in tokens; NaN where one of them does not vary. */
export interface LengthCorrelation {
  /** Of raw rewards. */
  readonly before: number;
  /** Of debiased rewards. */
  readonly after: number;
}

/** Over the responses of both sides, whatever rewards are debiased against. */
export interface LengthCorrelations {
  readonly responses: number;
  readonly objectives: Readonly<Record<string, LengthCorrelation>>;
  /** Of scores: rewards weighed alike, and by the gate. */
  readonly scores: Readonly<Record<"uniform gate" | "trained gate", LengthCorrelation>>;
}

export interface WeighedPairs {
  readonly names: readonly string[];
  readonly rewards: Pick<PairRewards, "chosen" | "rejected" | "tokens">;
  /** T `[K, K]` */
  readonly transform: ArrayLike<number>;
  /** The pairs to look at. */
  readonly named: ArrayLike<number>;
  /** Gating outputs of these, `[V, K]`. */
  readonly gatingOutput: ArrayLike<number>;
}

/** Null where a length is not known. Cost: 2K + 4 sorts of 2V numbers. */
export function lengthCorrelations(pairs: WeighedPairs): LengthCorrelations | null {
  const { names, rewards, transform, named, gatingOutput } = pairs;
  const [V, K] = [named.length, names.length];
  const lengths = Float64Array.from(
    { length: 2 * V },
    (_, i) => rewards.tokens[2 * named[i >> 1]! + (i & 1)]!,
  );
  if (lengths.some(Number.isNaN)) return null;

  const raw = names.map(() => new Float64Array(2 * V));
  const adjusted = names.map(() => new Float64Array(2 * V));
  for (let i = 0; i < 2 * V; i++) {
    const from = named[i >> 1]! * K;
    const side = i & 1 ? rewards.rejected : rewards.chosen;
    for (let j = 0; j < K; j++) {
      raw[j]![i] = side[from + j]!;
      for (let k = 0; k < K; k++) adjusted[k]![i]! += side[from + j]! * transform[j * K + k]!;
    }
  }
  const mix = (values: readonly Float64Array[], weight: (i: number, k: number) => number) =>
    Float64Array.from(lengths, (_, i) =>
      values.reduce((sum, column, k) => sum + weight(i, k) * column[i]!, 0),
    );
  const equal = () => 1 / K;
  const gated = (i: number, k: number) => gatingOutput[(i >> 1) * K + k]!;
  const compare = (before: Float64Array, after: Float64Array): LengthCorrelation => ({
    before: spearman(before, lengths),
    after: spearman(after, lengths),
  });
  return {
    responses: 2 * V,
    objectives: Object.fromEntries(names.map((name, k) => [name, compare(raw[k]!, adjusted[k]!)])),
    scores: {
      "uniform gate": compare(mix(raw, equal), mix(adjusted, equal)),
      "trained gate": compare(mix(raw, gated), mix(adjusted, gated)),
    },
  };
}

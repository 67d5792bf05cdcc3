// The rewards of preference pairs, for debiasing, gating and the baselines. N pairs, K objectives.

import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import { requireFinite } from "./finite-rows.ts";
import type { Projection } from "./projection.ts";
import type { RowUse } from "./training-rows.ts";

/** The used pairs of several sets, numbered through. */
export interface PairRewards {
  /** `[N, K]` */
  readonly chosen: Float32Array;
  /** `[N, K]` */
  readonly rejected: Float32Array;
  /** `[N, 2]` tokens of the chosen and of the rejected response; NaN where they are not known. */
  readonly tokens: Float32Array;
}

/**
 * Reads the used pairs once and projects both responses. Memory: 8K + 8 bytes per pair.
 *
 * @throws {InputError} `not-finite`
 */
export async function rewardPairs(
  sets: readonly EmbeddingSet[],
  { used }: RowUse,
  projection: Projection,
  numObjectives: number,
): Promise<PairRewards> {
  const K = numObjectives;
  const count = used.reduce((sum, flag) => sum + flag, 0);
  const chosen = new Float32Array(count * K);
  const rejected = new Float32Array(count * K);
  const tokens = new Float32Array(2 * count).fill(Number.NaN);
  let row = 0;
  let at = 0;
  for (const set of sets) {
    for await (const { rows, embeddings, responseTokens } of set.pairs()) {
      const rewards = await projection.project(embeddings); // [n, 2, K]
      for (let i = 0; i < rows.length; i++, row++) {
        if (!used[row]) continue;
        const both = rewards.subarray(2 * i * K, (2 * i + 2) * K);
        requireFinite("train", both, "embeddings", `${set.directory}, row ${rows[i]!.row}`);
        chosen.set(rewards.subarray(2 * i * K, (2 * i + 1) * K), at * K);
        rejected.set(rewards.subarray((2 * i + 1) * K, (2 * i + 2) * K), at * K);
        if (responseTokens) tokens.set(responseTokens.subarray(2 * i, 2 * i + 2), 2 * at);
        at++;
      }
    }
  }
  return { chosen, rejected, tokens };
}

/** The rewards of both responses of the named pairs, `[2 · pairs, K]`: a distribution of responses. */
export function responseRewards(
  pairs: PairRewards,
  named: ArrayLike<number>,
  numObjectives: number,
): Float32Array {
  const K = numObjectives;
  const rewards = new Float32Array(2 * named.length * K);
  for (let i = 0; i < named.length; i++) {
    const from = named[i]! * K;
    rewards.set(pairs.chosen.subarray(from, from + K), 2 * i * K);
    rewards.set(pairs.rejected.subarray(from, from + K), (2 * i + 1) * K);
  }
  return rewards;
}

/** The rewards of every response of the rows that `wanted` names, ratings or pairs, `[responses, K]`. */
export async function rewardResponses(
  sets: readonly EmbeddingSet[],
  wanted: (row: number) => boolean,
  projection: Projection,
): Promise<Float32Array> {
  const chunks: Float32Array[] = [];
  let row = 0;
  for (const set of sets) {
    const stream = set.manifest.kind === "pairs" ? set.pairs() : set.ratings();
    for await (const { rows, embeddings } of stream) {
      const width = embeddings.length / rows.length;
      let n = 0;
      for (let i = 0; i < rows.length; i++, row++) {
        if (wanted(row)) embeddings.copyWithin(n++ * width, i * width, (i + 1) * width);
      }
      chunks.push(await projection.project(embeddings.subarray(0, n * width)));
    }
  }
  const rewards = new Float32Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    rewards.set(chunk, at);
    at += chunk.length;
  }
  return rewards;
}

/** The accuracies that need no gate, over the named pairs; a tie counts as wrong. NaN for length where one is not known. */
export function baselineAccuracies(
  { chosen, rejected, tokens }: PairRewards,
  named: ArrayLike<number>,
  transform: ArrayLike<number>,
  numObjectives: number,
) {
  const K = numObjectives;
  // The mean of the adjusted rewards weighs reward j by the mean of row j of T.
  const uniform = Float64Array.from({ length: K }, (_, j) => {
    let sum = 0;
    for (let k = 0; k < K; k++) sum += transform[j * K + k]!;
    return sum / K;
  });
  const right = { "uniform gate": 0, "regression mean": 0, "prefer the longer": 0, "prefer the shorter": 0 };
  let unknown = 0;
  for (let i = 0; i < named.length; i++) {
    const pair = named[i]!;
    let [regression, gated] = [0, 0];
    for (let k = 0; k < K; k++) {
      const difference = chosen[pair * K + k]! - rejected[pair * K + k]!;
      regression += difference;
      gated += uniform[k]! * difference;
    }
    if (gated > 0) right["uniform gate"]++;
    if (regression > 0) right["regression mean"]++;
    const longer = tokens[2 * pair]! - tokens[2 * pair + 1]!;
    if (longer > 0) right["prefer the longer"]++;
    if (longer < 0) right["prefer the shorter"]++;
    if (Number.isNaN(longer)) unknown++;
  }
  const share = (count: number) => count / named.length;
  const lengthShare = (count: number) => (unknown > 0 ? Number.NaN : share(count));
  return {
    "uniform gate": share(right["uniform gate"]),
    "regression mean": share(right["regression mean"]),
    "prefer the longer": lengthShare(right["prefer the longer"]),
    "prefer the shorter": lengthShare(right["prefer the shorter"]),
  };
}

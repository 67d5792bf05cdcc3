// Which pairs a training step sees, and which hidden units. N pairs, B pairs of a batch, H hidden size, K objectives.

import type { Weights } from "../engine/optimizer.ts";
import { type Random, shuffle } from "../random.ts";

/** Rows of prompt embeddings, wherever they are. */
export interface PromptSource {
  readonly rows: number;
  /** Copies the named rows into `out [indices, H]`. */
  gather(indices: ArrayLike<number>, out: Float32Array): void | Promise<void>;
}

/** Preference pairs. */
export interface GatingData {
  /** `[N, H]`, one per pair: both responses answer one prompt. */
  readonly promptEmbeddings: Float32Array | PromptSource;
  /** Rewards of the chosen responses `[N, K]`, before the transform. */
  readonly chosen: Float32Array | Float64Array;
  /** Rewards of the rejected ones `[N, K]`. */
  readonly rejected: Float32Array | Float64Array;
}

/** Makes rows out of an array that holds them all. */
export function promptSource(prompts: Float32Array | PromptSource, hiddenSize: number): PromptSource {
  if (!(prompts instanceof Float32Array)) return prompts;
  return {
    rows: prompts.length / hiddenSize,
    gather(indices, out) {
      for (let i = 0; i < indices.length; i++) {
        const from = indices[i]! * hiddenSize;
        out.set(prompts.subarray(from, from + hiddenSize), i * hiddenSize);
      }
    },
  };
}

/** (chosen − rejected) @ T `[N, K]`, which is the difference of the adjusted rewards. */
export function adjustedDifferences(
  { chosen, rejected }: GatingData,
  transform: ArrayLike<number> | undefined,
  numObjectives: number,
): Float64Array {
  const K = numObjectives;
  const differences = Float64Array.from(chosen, (reward, i) => reward - rejected[i]!);
  if (!transform) return differences;
  const row = new Float64Array(K);
  for (let from = 0; from < differences.length; from += K) {
    row.fill(0);
    for (let j = 0; j < K; j++) {
      const difference = differences[from + j]!;
      for (let k = 0; k < K; k++) row[k]! += difference * transform[j * K + k]!;
    }
    differences.set(row, from);
  }
  return differences;
}

/** Copies the named rows of `[N, K]` into `out`. */
export function gatherDifferences(
  differences: Float64Array,
  indices: ArrayLike<number>,
  out: Weights,
  numObjectives: number,
): void {
  const K = numObjectives;
  for (let i = 0; i < indices.length; i++) {
    for (let k = 0; k < K; k++) out[i * K + k] = differences[indices[i]! * K + k]!;
  }
}

/**
 * Endless batches of `batchSize` of the given rows: pass after pass, each in a new order.
 *
 * @returns One batch, the same array at every call.
 */
export function shuffledBatches(rows: Uint32Array, batchSize: number, random: Random): () => Uint32Array {
  const order = rows.slice();
  const batch = new Uint32Array(batchSize);
  let at = order.length;
  return () => {
    for (let i = 0; i < batchSize; i++) {
      if (at === order.length) {
        shuffle(order, random);
        at = 0;
      }
      batch[i] = order[at++]!;
    }
    return batch;
  };
}

/**
 * Draws a dropout mask: each element is 0 with probability `share`, else 1 / (1 − share).
 *
 * One draw of 32 bits serves two elements, so the share is exact to 2⁻¹⁷.
 */
export function drawMask(mask: Weights, share: number, random: Random): void {
  const threshold = Math.round(share * 65536);
  const kept = 1 / (1 - share);
  for (let i = 0; i < mask.length; i += 2) {
    const bits = random.nextUint32();
    mask[i] = bits >>> 16 < threshold ? 0 : kept;
    if (i + 1 < mask.length) mask[i + 1] = (bits & 0xffff) < threshold ? 0 : kept;
  }
}

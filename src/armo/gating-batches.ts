// Pairs as the gate is trained on them, and the batches of a step. N pairs, n pairs of a batch, H hidden size, K objectives.

import type { Weights } from "../engine/optimizer.ts";

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
  /** `[N]` how much better the chosen response is, for `targetMargins`. */
  readonly margins?: Float32Array | Float64Array;
  /** `[N]` names, for `balance`. */
  readonly groups?: readonly string[];
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
  { chosen, rejected }: Pick<GatingData, "chosen" | "rejected">,
  transform: ArrayLike<number> | undefined,
  numObjectives: number,
): Float64Array {
  const differences = Float64Array.from(chosen, (reward, i) => reward - rejected[i]!);
  return adjust(differences, transform, numObjectives);
}

/** (chosen + rejected) @ T `[N, K]`, the sum of the adjusted rewards. */
export function adjustedSums(
  { chosen, rejected }: Pick<GatingData, "chosen" | "rejected">,
  transform: ArrayLike<number> | undefined,
  numObjectives: number,
): Float64Array {
  const sums = Float64Array.from(chosen, (reward, i) => reward + rejected[i]!);
  return adjust(sums, transform, numObjectives);
}

/** rewards @ T, in place. */
function adjust(rewards: Float64Array, transform: ArrayLike<number> | undefined, K: number): Float64Array {
  if (!transform) return rewards;
  const row = new Float64Array(K);
  for (let from = 0; from < rewards.length; from += K) {
    row.fill(0);
    for (let j = 0; j < K; j++) {
      const reward = rewards[from + j]!;
      for (let k = 0; k < K; k++) row[k]! += reward * transform[j * K + k]!;
    }
    rewards.set(row, from);
  }
  return rewards;
}

/** Copies the named rows of `[N, width]` into `out`. */
export function gatherRows(
  values: Float64Array,
  indices: ArrayLike<number>,
  out: Weights,
  width: number,
): void {
  for (let i = 0; i < indices.length; i++) {
    for (let k = 0; k < width; k++) out[i * width + k] = values[indices[i]! * width + k]!;
  }
}

/** All pairs, ready to be gathered. */
export interface GatingPairs {
  readonly prompts: PromptSource;
  /** `[N, K]` adjusted rewards, chosen − rejected. */
  readonly differences: Float64Array;
  /** `[N]` target margins; none without `targetMargins`. */
  readonly targets: Float64Array | null;
  /** `[N, K]` adjusted rewards, chosen + rejected; none without `centering`. */
  readonly sums: Float64Array | null;
}

/** What the network reads of `n` pairs. */
export interface GatingBatch {
  /** `[n, H]` */
  readonly prompts: Float32Array;
  /** `[n, K]` */
  readonly differences: Weights;
  /** `[n]`, or null where the loss does not read them, as for `sums`. */
  readonly targets: Weights | null;
  /** `[n, K]` */
  readonly sums: Weights | null;
}

/** Room for `n` of these pairs. */
export function createBatch(
  { prompts, differences, targets, sums }: GatingPairs,
  n: number,
  hiddenSize: number,
  dtype: "f32" | "f64",
): GatingBatch {
  const zeros = (count: number) => (dtype === "f32" ? new Float32Array(count) : new Float64Array(count));
  const K = differences.length / prompts.rows;
  return {
    prompts: new Float32Array(n * hiddenSize),
    differences: zeros(n * K),
    targets: targets && zeros(n),
    sums: sums && zeros(n * K),
  };
}

/** The first `n` pairs of a batch, sharing its memory. */
export function headOfBatch(
  { prompts, differences, targets, sums }: GatingBatch,
  n: number,
  of: number,
): GatingBatch {
  const head = <T extends Float32Array | Float64Array>(values: T): T =>
    values.subarray(0, (values.length / of) * n) as T;
  return {
    prompts: head(prompts),
    differences: head(differences),
    targets: targets && head(targets),
    sums: sums && head(sums),
  };
}

/** Fills a batch with the named pairs. */
export async function gatherBatch(
  pairs: GatingPairs,
  indices: ArrayLike<number>,
  into: GatingBatch,
): Promise<void> {
  const K = pairs.differences.length / pairs.prompts.rows;
  gatherRows(pairs.differences, indices, into.differences, K);
  if (pairs.targets) gatherRows(pairs.targets, indices, into.targets!, 1);
  if (pairs.sums) gatherRows(pairs.sums, indices, into.sums!, K);
  await pairs.prompts.gather(indices, into.prompts);
}

/** Batches in order, the next one being read while the present one is computed. */
export interface BatchQueue extends AsyncDisposable {
  /** Rows of the batch that `next` will give: drawn already, used by no step yet. Undefined at the end. */
  readonly upcoming: ArrayLike<number> | undefined;
  /** The next batch; valid until the call after it. */
  next(): Promise<GatingBatch>;
  /** Waits for what is being read. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens a queue over two buffers.
 *
 * @param draw The rows of the batch after the one that is upcoming; undefined where there is none.
 * @param upcoming The rows of the first batch.
 */
export function openBatchQueue(
  pairs: GatingPairs,
  buffers: readonly [GatingBatch, GatingBatch],
  draw: () => ArrayLike<number> | undefined,
  upcoming: ArrayLike<number> | undefined,
): BatchQueue {
  let turn = 0;
  const read = async (): Promise<void> => {
    if (upcoming) await gatherBatch(pairs, upcoming, buffers[turn]!);
  };
  const start = (): Promise<void> => {
    const reading = read();
    reading.catch(() => {}); // Whoever asks for the batch is told.
    return reading;
  };
  let reading = start();
  return {
    get upcoming() {
      return upcoming;
    },
    async next() {
      await reading;
      const batch = buffers[turn]!;
      turn = 1 - turn;
      upcoming = draw();
      reading = start();
      return batch;
    },
    async [Symbol.asyncDispose]() {
      await reading.catch(() => {});
    },
  };
}

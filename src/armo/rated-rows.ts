// The stream of rows that the regression reads. n rows of a chunk, H hidden size, K objectives.

import { InputError } from "../errors.ts";

/** Some rows: any number at once, all of them if they fit. */
export interface RatedRows {
  /** `[n, H]`. */
  readonly embeddings: Float32Array;
  /** `[n, K]`, NaN = missing. */
  readonly labels: Float32Array | Float64Array;
  /** `[n]`, each above 0: a row of weight w counts like w equal rows, in training and in validation. Default: 1 each. */
  readonly weights?: ArrayLike<number>;
  /** What errors call row i of the chunk. Default: `row <number in the stream>`. */
  readonly nameOf?: (i: number) => string;
}

type RowChunks = Iterable<RatedRows> | AsyncIterable<RatedRows>;

/** All rows at once, chunks of them, or a function that starts a new pass over the chunks. */
export type RowSource = RatedRows | RowChunks | (() => RowChunks);

/** One row, and where it stands. */
export interface RatedRow {
  /** Number in the stream, from 0. */
  readonly row: number;
  readonly name: string;
  readonly embedding: Float32Array;
  /** `[K]`. */
  readonly labels: Float32Array | Float64Array;
  readonly weight: number;
}

/** Whether the rows can be read more than once. */
export const isRepeatable = (rows: RowSource): boolean => typeof rows === "function" || "embeddings" in rows;

/**
 * Reads all rows once, in order.
 *
 * @returns K.
 * @throws {TypeError} where a chunk is not [n, H] and [n, K]. @throws {RangeError} where a weight is not above 0.
 * @throws {InputError} `no-rows`
 */
export async function forEachRow(
  rows: RowSource,
  hiddenSize: number,
  visit: (row: RatedRow, numObjectives: number) => Promise<void> | void,
): Promise<number> {
  const H = hiddenSize;
  let numObjectives: number | null = null;
  let row = 0;
  for await (const chunk of chunksOf(rows)) {
    const { embeddings, labels, weights, nameOf } = chunk;
    const n = embeddings.length / H;
    if (n === 0) continue;
    const K: number = numObjectives ?? labels.length / n;
    if (!Number.isInteger(n) || !Number.isInteger(K) || K === 0 || labels.length !== n * K) {
      throw new TypeError(
        `fitRidge: expected embeddings [n, ${H}] and labels [n, K], got ${embeddings.length} and ${labels.length} values`,
      );
    }
    if (weights !== undefined && weights.length !== n) {
      throw new TypeError(`fitRidge: expected ${n} weights, got ${weights.length}`);
    }
    numObjectives = K;
    for (let i = 0; i < n; i++, row++) {
      const weight = weights?.[i] ?? 1;
      const name = nameOf?.(i) ?? `row ${row}`;
      if (!(weight > 0 && Number.isFinite(weight))) {
        throw new RangeError(`fitRidge: weights must be above 0, got ${weight} for ${name}`);
      }
      const embedding = embeddings.subarray(i * H, (i + 1) * H);
      await visit({ row, name, embedding, labels: labels.subarray(i * K, (i + 1) * K), weight }, K);
    }
  }
  if (numObjectives === null) {
    throw new InputError(
      "no-rows",
      "fitRidge: expected rated rows, got none",
      "give at least one rated conversation",
    );
  }
  return numObjectives;
}

function chunksOf(rows: RowSource): RowChunks {
  if (typeof rows === "function") return rows();
  return "embeddings" in rows ? [rows] : rows;
}

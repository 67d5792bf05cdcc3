// The rows of one part of an import, checked one by one. H hidden size, K columns of labels, n rows that remain.

import { createHash } from "node:crypto";
import { type Tensor, toFloat32 } from "../checkpoint/dtypes.ts";
import { readTensorRows } from "../checkpoint/safetensors.ts";
import type { TensorRange } from "../checkpoint/safetensors-header.ts";
import type { Rejection } from "./manifest.ts";
import type { RowInfo } from "./part.ts";
import type { ReferenceFile, ReferenceFiles } from "./reference-files.ts";

/** Prompt embeddings of one prompt differ by the rounding of bf16; those of two prompts by more than this share of their length. */
const SAME_PROMPT = 0.1;

/** What becomes of the rows of one part. */
export interface ImportedPart {
  readonly rows: readonly RowInfo[];
  readonly rejections: readonly Rejection[];
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Pairs whose prompt embeddings are not equal to the last bit, and the largest relative difference. */
  readonly differences: { readonly rows: number; readonly largest: number };
}

/** Rows `[start, end)` of rated conversations, with the named columns of their labels. */
export async function importRatings(
  { files, name, hiddenSize: H, labels: K }: ReferenceFiles,
  start: number,
  end: number,
  columns: readonly number[],
): Promise<ImportedPart> {
  const embeddings = await readRows(files, (file) => file.embeddings, start, end);
  const labels = await readRows(files, (file) => file.labels!, start, end);
  const rows: RowInfo[] = [];
  const rejections: Rejection[] = [];
  const kept = new Float32Array((end - start) * columns.length);
  for (let i = 0; i < end - start; i++) {
    const state = embeddings.subarray(i * H, (i + 1) * H);
    const ratings = labels.subarray(i * K, (i + 1) * K);
    const [row, n] = [start + i, rows.length];
    if (!state.every(Number.isFinite)) rejections.push(rejected(row, name, "the embedding is not finite"));
    else if (ratings.some((rating) => Math.abs(rating) === Number.POSITIVE_INFINITY)) {
      rejections.push(rejected(row, name, "a label is infinite"));
    } else {
      embeddings.copyWithin(n * H, i * H, (i + 1) * H);
      for (const [k, column] of columns.entries()) kept[n * columns.length + k] = ratings[column]!;
      rows.push(rowInfo(row, name, state));
    }
  }
  const n = rows.length;
  return {
    rows,
    rejections,
    tensors: new Map<string, Tensor>([
      ["embeddings", { dtype: "F32", shape: [n, H], data: embeddings.subarray(0, n * H) }],
      ["labels", { dtype: "F32", shape: [n, columns.length], data: kept.subarray(0, n * columns.length) }],
    ]),
    differences: { rows: 0, largest: 0 },
  };
}

/** Rows `[start, end)` of pairs; of two prompt embeddings the chosen response's remains. */
export async function importPairs(
  { files, name, hiddenSize: H }: ReferenceFiles,
  start: number,
  end: number,
): Promise<ImportedPart> {
  const embeddings = await readRows(files, (file) => file.embeddings, start, end); // [n, 2, H]
  const prompts = await readRows(files, (file) => file.promptEmbeddings!, start, end); // [n, 2, H], then [n, H]
  const rows: RowInfo[] = [];
  const rejections: Rejection[] = [];
  const differences = { rows: 0, largest: 0 };
  for (let i = 0; i < end - start; i++) {
    const chosen = prompts.subarray(2 * i * H, (2 * i + 1) * H);
    const difference = relativeDifference(chosen, prompts.subarray((2 * i + 1) * H, (2 * i + 2) * H));
    const [row, n] = [start + i, rows.length];
    // A number that is not finite in either prompt makes their difference one.
    if (
      !embeddings.subarray(2 * i * H, (2 * i + 2) * H).every(Number.isFinite) ||
      !Number.isFinite(difference)
    ) {
      rejections.push(rejected(row, name, "an embedding is not finite"));
    } else if (difference > SAME_PROMPT) {
      const reason = `chosen and rejected answer different prompts: their embeddings differ by ${(100 * difference).toFixed(0)} %`;
      rejections.push(rejected(row, name, reason));
    } else {
      if (difference > 0) differences.rows++;
      differences.largest = Math.max(differences.largest, difference);
      rows.push(rowInfo(row, name, chosen));
      embeddings.copyWithin(2 * n * H, 2 * i * H, (2 * i + 2) * H);
      prompts.copyWithin(n * H, 2 * i * H, (2 * i + 1) * H);
    }
  }
  const n = rows.length;
  return {
    rows,
    rejections,
    differences,
    tensors: new Map<string, Tensor>([
      ["embeddings", { dtype: "F32", shape: [n, 2, H], data: embeddings.subarray(0, 2 * n * H) }],
      ["prompt_embeddings", { dtype: "F32", shape: [n, H], data: prompts.subarray(0, n * H) }],
    ]),
  };
}

const rowInfo = (row: number, source: string, state: Float32Array): RowInfo => ({
  ...{ row, id: null, source, subset: null },
  promptHash: createHash("sha256")
    .update(new Uint8Array(state.buffer, state.byteOffset, state.byteLength))
    .digest("hex"),
});

const rejected = (row: number, source: string, reason: string): Rejection => ({
  ...{ row, id: null, source, kind: "invalid", reason },
});

/** ‖a − b‖ / ‖a‖; 0 for equal ones, NaN or infinite where a number is. */
function relativeDifference(a: Float32Array, b: Float32Array): number {
  let [difference, length] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    length += a[i]! ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / length);
}

/** Rows `[start, end)` over all files, one after the other, as f32. */
export async function readRows(
  files: readonly ReferenceFile[],
  tensorOf: (file: ReferenceFile) => TensorRange,
  start: number,
  end: number,
): Promise<Float32Array> {
  const pieces: Float32Array[] = [];
  let first = 0;
  for (const file of files) {
    const [from, to] = [Math.max(start, first), Math.min(end, first + file.rows)];
    if (from < to) pieces.push(toFloat32(await readTensorRows(tensorOf(file), from - first, to - first)));
    first += file.rows;
  }
  if (pieces.length === 1) return pieces[0]!;
  const all = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

// The numbers of a part. H hidden size, K objectives, n rows, r responses of all of them.

import type { Tensor } from "../checkpoint/dtypes.ts";
import type { EncodedRow } from "./encode.ts";
import type { EmbeddingKind } from "./manifest.ts";

/**
 * Encoded rows and what the backbone gave for their requests, as the tensors of a part:
 *
 * - ratings: `embeddings [n, H]`, `response_tokens [n]`, `labels [n, K]`;
 * - pairs: `embeddings [n, 2, H]`, `response_tokens [n, 2]`, `prompt_embeddings [n, H]`;
 * - best-of-n: `embeddings [r, H]`, `response_tokens [r]`, `labels [r]` in f64, `response_counts [n]`,
 *   `prompt_embeddings [n, H]`.
 *
 * @param states One per request, row after row: the last token alone, or the gating token and the last token.
 */
export function toTensors(
  kind: EmbeddingKind,
  rows: readonly EncodedRow[],
  states: readonly Float32Array[],
  hiddenSize: number,
): Map<string, Tensor> {
  const n = rows.length;
  const lastTokens = new Float32Array(states.length * hiddenSize);
  for (const [r, state] of states.entries()) {
    lastTokens.set(state.subarray(state.length - hiddenSize), r * hiddenSize);
  }
  const shape = kind === "pairs" ? [n, 2] : [states.length];
  const responseTokens = Int32Array.from(rows.flatMap((row) => row.responseTokens));
  const tensors = new Map<string, Tensor>([
    ["embeddings", { dtype: "F32", shape: [...shape, hiddenSize], data: lastTokens }],
    ["response_tokens", { dtype: "I32", shape, data: responseTokens }],
  ]);
  const labels = rows.flatMap((row) => row.labels);
  if (kind === "ratings") {
    const count = n === 0 ? 0 : labels.length / n;
    tensors.set("labels", { dtype: "F32", shape: [n, count], data: Float32Array.from(labels) });
    return tensors;
  }
  tensors.set("prompt_embeddings", {
    dtype: "F32",
    shape: [n, hiddenSize],
    data: gatingTokens(rows, states, hiddenSize),
  });
  if (kind === "best-of-n") {
    const counts = Int32Array.from(rows, (row) => row.requests.length);
    tensors.set("labels", { dtype: "F64", shape: [labels.length], data: Float64Array.from(labels) });
    tensors.set("response_counts", { dtype: "I32", shape: [n], data: counts });
  }
  return tensors;
}

/** `[n, H]`. The first request of each row asks for the gating token and for the last token, in this order. */
function gatingTokens(
  rows: readonly EncodedRow[],
  states: readonly Float32Array[],
  hiddenSize: number,
): Float32Array {
  const embeddings = new Float32Array(rows.length * hiddenSize);
  let request = 0;
  for (const [i, row] of rows.entries()) {
    embeddings.set(states[request]!.subarray(0, hiddenSize), i * hiddenSize);
    request += row.requests.length;
  }
  return embeddings;
}

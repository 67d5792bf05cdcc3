// The operators that decoders need beyond the engine's, most of them ONNX Runtime's own.
//
// T packed tokens, B paths, S slots per path, D head size.

import { CONTRIB, type Dim, float, show, type Value } from "../engine/graph.ts";

/** RMS norm over the last axis: x / √(mean x² + ε) · weight. */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  requireVector("rmsNorm", weight, x.shape.at(-1));
  const attributes = { axis: -1, epsilon: float(epsilon) };
  return x.graph.node("SimplifiedLayerNormalization", [x, weight], [x], attributes)[0]!;
}

/** Adds a branch to the residual stream and normalises the sum, in one pass. */
export function addRmsNorm(
  stream: Value,
  branch: Value,
  weight: Value,
  epsilon: number,
): { sum: Value; normed: Value } {
  if (show(stream.shape) !== show(branch.shape)) {
    throw new TypeError(
      `addRmsNorm: expected equal shapes, got ${show(stream.shape)} and ${show(branch.shape)}`,
    );
  }
  requireVector("addRmsNorm", weight, stream.shape.at(-1));
  // Outputs two and three are statistics of layer norm that this operator leaves empty.
  const statistics = { dtype: stream.dtype, shape: [] };
  const outputs = [stream, statistics, statistics, stream];
  const attributes = { epsilon: float(epsilon) };
  const [normed, , , sum] = stream.graph.node(
    "SkipSimplifiedLayerNormalization",
    [stream, branch, weight],
    outputs,
    attributes,
    CONTRIB,
  );
  return { sum: sum!, normed: normed! };
}

/** SiLU, x · σ(x). */
export function silu(x: Value): Value {
  return x.graph.node("QuickGelu", [x], [x], { alpha: float(1) }, CONTRIB)[0]!;
}

/**
 * Rotates the heads of `x [1, T, heads·D]` in halves: (a, b) → (a·cos − b·sin, b·cos + a·sin).
 *
 * `cos` and `sin` are `[1, T, D/2]`, one row per token, so positions and scaling are the caller's.
 */
export function rotate(x: Value, cos: Value, sin: Value, heads: number): Value {
  const width = x.shape.at(-1);
  const half = cos.shape.at(-1);
  if (typeof width !== "number" || typeof half !== "number" || width !== 2 * half * heads) {
    throw new TypeError(`rotate: expected ${heads} heads of twice ${half}, got ${show(x.shape)}`);
  }
  return x.graph.node("RotaryEmbedding", [x, cos, sin], [x], { num_heads: heads })[0]!;
}

/**
 * Causal attention with grouped key and value heads: softmax(scale · q·kᵀ) · v, slot i seeing slots 0 … i.
 *
 * `query [B, S, heads·D]`, `key` and `value [B, S, keyValueHeads·D]`, D a multiple of 8. `lastSlot [B]` is S − 1 for
 * every path and `slots [1]` is S, both i32. Returns `[B, S, heads·D]`.
 */
export function causalAttention(
  { query, key, value }: { query: Value; key: Value; value: Value },
  { lastSlot, slots }: { lastSlot: Value; slots: Value },
  { heads, keyValueHeads, scale }: { heads: number; keyValueHeads: number; scale: number },
): Value {
  const size = (query.shape.at(-1) as number) / heads;
  if (size % 8 !== 0 || key.shape.at(-1) !== size * keyValueHeads || show(key.shape) !== show(value.shape)) {
    throw new TypeError(
      `causalAttention: expected heads of one size, a multiple of 8, got ${show(query.shape)} and ${show(key.shape)}`,
    );
  }
  const cache: Dim[] = [query.shape[0]!, keyValueHeads, query.shape[1]!, size];
  const outputs = [query, { dtype: query.dtype, shape: cache }, { dtype: query.dtype, shape: cache }];
  return query.graph.node(
    "GroupQueryAttention",
    [query, key, value, null, null, lastSlot, slots],
    outputs,
    { num_heads: heads, kv_num_heads: keyValueHeads, scale: float(scale) },
    CONTRIB,
  )[0]!;
}

function requireVector(what: string, weight: Value, length: Dim | undefined): void {
  if (weight.shape.length !== 1 || weight.shape[0] !== length) {
    throw new TypeError(`${what}: weight must be [${length}], got ${show(weight.shape)}`);
  }
}

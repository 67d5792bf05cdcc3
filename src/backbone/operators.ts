// The operators that decoders need beyond the engine's, most of them ONNX Runtime's own.
//
// T packed tokens, B paths, S slots per path, D head size.

import { CONTRIB, type Dim, float, show, type Value } from "../engine/graph.ts";
import {
  add,
  cast,
  greater,
  matmul,
  mul,
  reshape,
  scalar,
  softmax,
  sub,
  tanh,
  transpose,
  where,
} from "../engine/operators.ts";
import type { Activation } from "./decoder.ts";
import type { BlockScheme } from "./quantization/blocks.ts";

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

/**
 * x · wᵀ (+ bias) for weights in blocks: w = scale of the block · (integer − 2^(bits − 1)).
 *
 * `x [M, K]` f32, `weights [N, ⌈K / blockSize⌉, bytes]` u8, `scales [N, ⌈K / blockSize⌉]` f32. Rows of x are quantized to int8
 * block by block while they are multiplied, so a large value spoils its own block alone.
 */
export function blockGemm(
  x: Value,
  { weights, scales, bias }: { weights: Value; scales: Value; bias: Value | null },
  { bits, blockSize }: BlockScheme,
): Value {
  const K = x.shape[1] as number;
  const [N, B] = weights.shape as [number, number];
  if (x.shape.length !== 2 || B !== Math.ceil(K / blockSize) || show(scales.shape) !== show([N, B])) {
    throw new TypeError(
      `blockGemm: ${show(x.shape)}, ${show(weights.shape)} and ${show(scales.shape)} do not fit`,
    );
  }
  const inputs = bias === null ? [x, weights, scales] : [x, weights, scales, null, null, bias];
  const output = { dtype: x.dtype, shape: [x.shape[0]!, N] };
  const attributes = { K, N, bits, block_size: blockSize, accuracy_level: INT8_ARITHMETIC };
  return x.graph.node("MatMulNBits", inputs, [output], attributes, CONTRIB)[0]!;
}

/** The accuracy level of MatMulNBits at which x is quantized too. */
const INT8_ARITHMETIC = 4;

/** The activation of the MLP's gate. */
export function activate(x: Value, activation: Activation): Value {
  if (activation === "silu") return x.graph.node("QuickGelu", [x], [x], { alpha: float(1) }, CONTRIB)[0]!;
  const approximate = activation === "gelu-tanh" ? "tanh" : "none";
  return x.graph.node("Gelu", [x], [x], { approximate })[0]!;
}

/**
 * Rotates the first R of every head's D values in halves, for `x [1, T, heads·D]`: (a, b) → (a·cos − b·sin, b·cos + a·sin).
 *
 * `cos` and `sin` are `[1, T, R/2]`, one row per token, so positions and scaling are the caller's.
 */
export function rotate(x: Value, cos: Value, sin: Value, heads: number): Value {
  const width = x.shape.at(-1);
  const half = cos.shape.at(-1);
  if (
    typeof width !== "number" ||
    typeof half !== "number" ||
    width % heads !== 0 ||
    width < 2 * half * heads
  ) {
    throw new TypeError(`rotate: expected ${heads} heads of at least twice ${half}, got ${show(x.shape)}`);
  }
  const partial = width > 2 * half * heads ? { rotary_embedding_dim: 2 * half } : {};
  return x.graph.node("RotaryEmbedding", [x, cos, sin], [x], { num_heads: heads, ...partial })[0]!;
}

/** What attention does beside attending. */
export interface AttentionOptions {
  readonly heads: number;
  /** Divides `heads`. */
  readonly keyValueHeads: number;
  readonly scale: number;
  /** c of c · tanh(score / c); null: none. */
  readonly softcap: number | null;
  /** Slots that a slot sees, itself included; null: all before it. */
  readonly window: number | null;
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
  { heads, keyValueHeads, scale, softcap, window }: AttentionOptions,
): Value {
  const size = (query.shape.at(-1) as number) / heads;
  if (size % 8 !== 0 || key.shape.at(-1) !== size * keyValueHeads || show(key.shape) !== show(value.shape)) {
    throw new TypeError(
      `causalAttention: expected heads of one size, a multiple of 8, got ${show(query.shape)} and ${show(key.shape)}`,
    );
  }
  const cache: Dim[] = [query.shape[0]!, keyValueHeads, query.shape[1]!, size];
  const outputs = [query, { dtype: query.dtype, shape: cache }, { dtype: query.dtype, shape: cache }];
  const attributes = {
    num_heads: heads,
    kv_num_heads: keyValueHeads,
    scale: float(scale),
    ...(softcap === null ? {} : { softcap: float(softcap) }),
    ...(window === null ? {} : { local_window_size: window }),
  };
  const inputs = [query, key, value, null, null, lastSlot, slots];
  return query.graph.node("GroupQueryAttention", inputs, outputs, attributes, CONTRIB)[0]!;
}

/**
 * `causalAttention` spelled out in elementary operators, for devices whose attention operator lacks caps or is wrong.
 *
 * `slotRow [S, 1]` and `slotColumn [1, S]` hold 0 … S − 1 in f32. Computed in f32. Cost: the scores of a run are in memory,
 * B · heads · S² values, which the operator avoids.
 */
export function elementaryAttention(
  { query, key, value }: { query: Value; key: Value; value: Value },
  { slotRow, slotColumn }: { slotRow: Value; slotColumn: Value },
  { heads, keyValueHeads, scale, softcap, window }: AttentionOptions,
): Value {
  const size = (query.shape.at(-1) as number) / heads;
  const [B, S] = query.shape as [Dim, Dim];
  const group = heads / keyValueHeads;
  const onHeads = (x: Value, perGroup: number) =>
    reshape(cast(x, "f32"), [B, S, keyValueHeads, perGroup, size]);
  const q = transpose(onHeads(query, group), [0, 2, 3, 1, 4]); // [B, keyValueHeads, group, S, D]
  const k = transpose(onHeads(key, 1), [0, 2, 3, 4, 1]); // [B, keyValueHeads, 1, D, S]
  const v = transpose(onHeads(value, 1), [0, 2, 3, 1, 4]);
  let scores = matmul(mul(q, scalar(q, scale)), k); // [B, keyValueHeads, group, S, S]
  if (softcap !== null) {
    scores = mul(tanh(mul(scores, scalar(scores, 1 / softcap))), scalar(scores, softcap));
  }
  const hide = (hidden: Value) => {
    scores = add(scores, where(hidden, scalar(scores, HIDDEN), scalar(scores, 0)));
  };
  hide(greater(slotColumn, slotRow));
  if (window !== null) hide(greater(sub(slotRow, slotColumn), scalar(slotRow, window - 1)));
  const mixed = transpose(matmul(softmax(scores), v), [0, 3, 1, 2, 4]);
  return cast(reshape(mixed, [B, S, heads * size]), query.dtype);
}

/** Added to scores of slots that are not seen: far below any score, and its exponential is 0. */
const HIDDEN = -1e9;

function requireVector(what: string, weight: Value, length: Dim | undefined): void {
  if (weight.shape.length !== 1 || weight.shape[0] !== length) {
    throw new TypeError(`${what}: weight must be [${length}], got ${show(weight.shape)}`);
  }
}

// The decoder as an ONNX graph over the checkpoint's own files.
//
// T packed tokens, B paths, S slots per path, R requested rows (packing.ts); H hidden size, D head size, I width of MLP.

import type { SafetensorsDtype, TensorRange } from "../checkpoint/safetensors.ts";
import { type DType, Graph, type Value } from "../engine/graph.ts";
import {
  add,
  cast,
  computedAfter,
  gather,
  gemm,
  mul,
  padEnd,
  reshape,
  scalar,
  slice,
} from "../engine/operators.ts";
import type { Decoder, DecoderLayer, Linear } from "./decoder.ts";
import {
  activate,
  addRmsNorm,
  blockGemm,
  causalAttention,
  elementaryAttention,
  rmsNorm,
  rotate,
} from "./operators.ts";
import type { QuantizedMatrix } from "./quantization/cache.ts";

const STORED: Partial<Record<SafetensorsDtype, DType>> = {
  F32: "f32",
  F16: "f16",
  BF16: "bf16",
  F64: "f64",
  U8: "u8",
};

// The attention operator takes head sizes in eights. Above 128 the last bits of its results depend on S unless the size is
// a multiple of 256 (measured: 160, 192 and 384). Zero columns change nothing else, since the scale is given.
const paddedHeadSize = (size: number): number =>
  size <= 128 ? 8 * Math.ceil(size / 8) : 256 * Math.ceil(size / 256);

type LinearLayer = (x: Value, layer: Linear) => Value;

/** Inputs that every layer reads. */
interface Frame {
  readonly cos: Value; // [1, T, D/2]
  readonly sin: Value; // [1, T, D/2]
  readonly tokenOfSlot: Value; // [B, S]
  readonly slotOfToken: Value; // [T]
  readonly lastSlot: Value; // [B]
  readonly slots: Value; // [1]
  readonly rows: Value; // [R]
  /** Slot numbers down and across; null: attention is one operator. */
  readonly grid: { readonly slotRow: Value; readonly slotColumn: Value } | null; // [S, 1], [1, S]
}

/** How a graph computes, apart from what it computes. */
export interface GraphOptions {
  /** Matrices in blocks, by the names of those that they stand for. Default: none. */
  readonly quantized?: ReadonlyMap<string, QuantizedMatrix> | undefined;
  /**
   * What matrix products and attention are computed in, with everything between them. The residual stream and all norms are
   * f32 whatever it is: their values outgrow f16 (65,504) in models that were trained in bf16, Gemma's above all. Default f32.
   */
  readonly compute?: "f32" | "f16";
  /** One operator, or many elementary ones, which take memory for S² scores a head. Default: operator. */
  readonly attention?: "operator" | "elementary";
  /** Keep the embedding in f32, 4 bytes a value, for devices that cannot read f16. Default false: as stored. */
  readonly widenEmbedding?: boolean;
  /**
   * Widen matrices whenever they are used, one at a time, and not for good: no memory beyond the mapped files. The session must
   * not fold constants. Default false.
   */
  readonly lateCasts?: boolean;
}

/**
 * Writes the graph: token ids in, final-norm hidden states `hidden [R, H]` of the requested rows out, in f32.
 *
 * Inputs are those of `Frame`, and `ids [T]`. Rope rows come in per token, so one graph serves every length and packing.
 * After the last attention only the requested rows go on. The embedding is gathered in its stored dtype; other weights
 * take the dtype of their computation when the session loads, but for matrices that are there in blocks.
 */
export function buildDecoderGraph(
  decoder: Decoder,
  {
    quantized,
    compute = "f32",
    attention = "operator",
    widenEmbedding = false,
    lateCasts = false,
  }: GraphOptions = {},
): Graph {
  const graph = new Graph();
  const linear: LinearLayer = (x, { weight: matrix, bias }) => {
    const blocks = quantized?.get(matrix.name);
    const added = bias === null ? null : weight(graph, bias, compute);
    if (blocks === undefined) {
      const narrow = stored(graph, matrix);
      const late = lateCasts && narrow.dtype !== compute;
      const product = cast(late ? computedAfter(narrow, x) : narrow, compute);
      return gemm(x, product, { transB: true, ...(added === null ? {} : { bias: added }) });
    }
    const { weights, scales } = blocks;
    const parts = { weights: stored(graph, weights), scales: weight(graph, scales, compute), bias: added };
    return blockGemm(x, parts, blocks);
  };
  const ids = graph.input("ids", "i64", ["T"]);
  const frame: Frame = {
    cos: cast(graph.input("cos", "f32", [1, "T", decoder.rope.size / 2]), compute),
    sin: cast(graph.input("sin", "f32", [1, "T", decoder.rope.size / 2]), compute),
    tokenOfSlot: graph.input("tokenOfSlot", "i64", ["B", "S"]),
    slotOfToken: graph.input("slotOfToken", "i64", ["T"]),
    lastSlot: graph.input("lastSlot", "i32", ["B"]),
    slots: graph.input("slots", "i32", [1]),
    rows: graph.input("rows", "i64", ["R"]),
    grid:
      attention === "operator"
        ? null
        : {
            slotRow: graph.input("slotRow", "f32", ["S", 1]),
            slotColumn: graph.input("slotColumn", "f32", [1, "S"]),
          },
  };
  const { layers, finalNorm, normEpsilon, activation } = decoder;
  const norm = (range: TensorRange) => normWeight(graph, range, decoder.normOffset);
  // A branch joins the stream as it is, or normed.
  const branch = (x: Value, range: TensorRange | null) => {
    const wide = cast(x, "f32");
    return range === null ? wide : rmsNorm(wide, norm(range), normEpsilon);
  };

  const embedding = stored(graph, decoder.embedding);
  let stream = cast(gather(widenEmbedding ? cast(embedding, "f32") : embedding, ids), "f32"); // [T, H]
  if (decoder.embeddingScale !== 1) stream = mul(stream, scalar(stream, decoder.embeddingScale));
  let normed = rmsNorm(stream, norm(layers[0]!.attentionNorm), normEpsilon);
  layers.forEach((layer, i) => {
    let mixed = attend(cast(normed, compute), layer, decoder, frame, linear); // [T, heads·D]
    if (i === layers.length - 1) {
      mixed = gather(mixed, frame.rows);
      stream = gather(stream, frame.rows);
    }
    const attended = branch(linear(mixed, layer.attentionOutput), layer.attentionOutputNorm);
    const inner = addRmsNorm(stream, attended, norm(layer.mlpNorm), normEpsilon);
    const input = cast(inner.normed, compute);
    const gated = mul(activate(linear(input, layer.gate), activation), linear(input, layer.up)); // [T, I]
    const added = branch(linear(gated, layer.down), layer.mlpOutputNorm);
    const outer = addRmsNorm(inner.sum, added, norm(layers[i + 1]?.attentionNorm ?? finalNorm), normEpsilon);
    stream = outer.sum;
    normed = outer.normed;
  });
  graph.output("hidden", normed);
  return graph;
}

function attend(x: Value, layer: DecoderLayer, decoder: Decoder, frame: Frame, linear: LinearLayer): Value {
  const { heads, keyValueHeads, headSize } = decoder;
  const { cos, sin, tokenOfSlot, slotOfToken } = frame;
  const wide = paddedHeadSize(headSize);
  const onPaths = (y: Value, n: number) => {
    const padded = padEnd(reshape(y, ["T", n, headSize]), 2, wide);
    return gather(reshape(padded, ["T", n * wide]), tokenOfSlot); // [B, S, n·wide]
  };
  const normed = (y: Value, n: number, range: TensorRange | null) => {
    if (range === null) return y;
    const onHeads = cast(reshape(y, ["T", n, headSize]), "f32");
    const wide = rmsNorm(onHeads, normWeight(y.graph, range, decoder.normOffset), decoder.normEpsilon);
    return cast(wide, y.dtype);
  };
  const rotated = (y: Value, n: number) => rotate(reshape(y, [1, "T", n * headSize]), cos, sin, n);
  const query = rotated(normed(linear(x, layer.query), heads, layer.queryNorm), heads);
  const key = rotated(normed(linear(x, layer.key), keyValueHeads, layer.keyNorm), keyValueHeads);
  const paths = {
    query: onPaths(query, heads),
    key: onPaths(key, keyValueHeads),
    value: onPaths(linear(x, layer.value), keyValueHeads),
  };
  const options = {
    heads,
    keyValueHeads,
    scale: decoder.attentionScale,
    softcap: decoder.attentionSoftcap,
    window: layer.window,
  };
  const mixed =
    frame.grid === null
      ? causalAttention(paths, frame, options)
      : elementaryAttention(paths, frame.grid, options);
  const onTokens = gather(reshape(mixed, ["B*S", heads * wide]), slotOfToken);
  if (wide === headSize) return onTokens;
  const narrow = slice(reshape(onTokens, ["T", heads, wide]), 2, 0, headSize);
  return reshape(narrow, ["T", heads * headSize]);
}

const weight = (graph: Graph, range: TensorRange, dtype: DType): Value => cast(stored(graph, range), dtype);

// Added when the session loads: constants are folded.
function normWeight(graph: Graph, range: TensorRange, offset: number): Value {
  const plain = weight(graph, range, "f32");
  return offset === 0 ? plain : add(plain, scalar(plain, offset));
}

function stored(graph: Graph, range: TensorRange): Value {
  const dtype = STORED[range.dtype];
  if (dtype === undefined)
    throw new TypeError(`decoder: ${range.name} must be stored as floats or bytes, got ${range.dtype}`);
  return graph.external(range.name, dtype, range.shape, range);
}

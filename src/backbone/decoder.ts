// What a decoder-only language model consists of, whatever family it comes from: the families (architectures/) fill this
// in from a configuration and tensor names, decoder-graph.ts draws it, and neither knows the other.

import type { TensorRange } from "../checkpoint/safetensors-header.ts";
import type { Rope } from "./rope.ts";

/** x · weightᵀ + bias; `weight` is `[outputs, inputs]`. */
export interface Linear {
  readonly weight: TensorRange;
  readonly bias: TensorRange | null;
}

/** x · σ(x); Φ(x) · x; and the latter with Φ approximated by a tanh. */
export type Activation = "silu" | "gelu" | "gelu-tanh";

/** Attention and MLP, each behind its norm, each added to the residual stream. */
export interface DecoderLayer {
  readonly attentionNorm: TensorRange;
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  /** `[headSize]`, the weights of the RMS norm of every query head before its rotation; null: none. */
  readonly queryNorm: TensorRange | null;
  readonly keyNorm: TensorRange | null;
  /** Tokens that a token sees, itself included; null: all before it. */
  readonly window: number | null;
  readonly attentionOutput: Linear;
  /** The norm that the branch passes before it joins the stream; null: none. */
  readonly attentionOutputNorm: TensorRange | null;
  readonly mlpNorm: TensorRange;
  readonly gate: Linear;
  readonly up: Linear;
  readonly down: Linear;
  readonly mlpOutputNorm: TensorRange | null;
}

export interface Decoder {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** Longest sequence the model was made for, in tokens. */
  readonly maxTokens: number;
  readonly heads: number;
  /** Divides `heads`; each key and value head serves that many consecutive query heads. */
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Factor on q · k before the softmax. */
  readonly attentionScale: number;
  /** c in c · tanh(score / c), applied before the mask; null: none. */
  readonly attentionSoftcap: number | null;
  /** ε of every RMS norm, inside the root. */
  readonly normEpsilon: number;
  /** Added to the weights of every RMS norm. */
  readonly normOffset: number;
  readonly activation: Activation;
  readonly rope: Rope;
  /** `[vocabSize, hiddenSize]` */
  readonly embedding: TensorRange;
  /** Factor on the embeddings. */
  readonly embeddingScale: number;
  readonly layers: readonly DecoderLayer[];
  readonly finalNorm: TensorRange;
  /** `[vocabSize, hiddenSize]`, logits = hidden state · headᵀ; null: the checkpoint has none. */
  readonly outputHead: TensorRange | null;
  /** c in c · tanh(logit / c); null: none. */
  readonly outputSoftcap: number | null;
}

/** The matrices of all linear layers, which are nearly all of a decoder's parameters. */
export function linearMatrices({ layers }: Decoder): TensorRange[] {
  return layers.flatMap(({ query, key, value, attentionOutput, gate, up, down }) =>
    [query, key, value, attentionOutput, gate, up, down].map(({ weight }) => weight),
  );
}

/** Number of parameters, the embedding included. */
export function parameterCount(decoder: Decoder): number {
  const count = ({ shape }: TensorRange) => shape.reduce((product, size) => product * size, 1);
  return linearMatrices(decoder).reduce((sum, range) => sum + count(range), count(decoder.embedding));
}

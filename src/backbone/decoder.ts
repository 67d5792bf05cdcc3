// What a decoder-only language model consists of, whatever family it comes from: the families (architectures/) fill this
// in from a configuration and tensor names, decoder-graph.ts draws it, and neither knows the other.

import type { TensorRange } from "../checkpoint/safetensors-header.ts";
import type { Rope } from "./rope.ts";

/** x · weightᵀ + bias; `weight` is `[outputs, inputs]`. */
export interface Linear {
  readonly weight: TensorRange;
  readonly bias: TensorRange | null;
}

/** Attention and MLP, each behind its norm, each added to the residual stream. */
export interface DecoderLayer {
  readonly attentionNorm: TensorRange;
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly attentionOutput: Linear;
  readonly mlpNorm: TensorRange;
  readonly gate: Linear;
  readonly up: Linear;
  readonly down: Linear;
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
  /** ε of every RMS norm, inside the root. */
  readonly normEpsilon: number;
  readonly rope: Rope;
  /** `[vocabSize, hiddenSize]` */
  readonly embedding: TensorRange;
  readonly layers: readonly DecoderLayer[];
  readonly finalNorm: TensorRange;
}

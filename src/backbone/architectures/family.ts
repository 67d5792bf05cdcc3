// A family of decoders as data, and the one way from that, a configuration and tensor names to a decoder.

import { type Checkpoint, hasTiedHead, OUTPUT_HEAD } from "../../checkpoint/checkpoint.ts";
import type { TensorRange } from "../../checkpoint/safetensors-header.ts";
import type { Activation, Decoder, DecoderLayer } from "../decoder.ts";
import { refuseOtherComputations } from "./computing-fields.ts";
import {
  type Config,
  malformed,
  numberField,
  optionalNumberField,
  sizeField,
  unsupported,
} from "./config-fields.ts";
import { ropeOf } from "./rope-fields.ts";
import { openWeights, type Weights } from "./weights.ts";
import type { Windows } from "./windows.ts";

/** What a family does its own way. Everything that it leaves out is as in Llama without biases. */
export interface Family {
  /**
   * Fields that config.json may leave out, with the values that the family's configuration class in transformers gives
   * them. A field that is there and null is not left out: it says "none".
   */
  readonly defaults: Config;
  /** Fields of `computing-fields.ts` that it reads: all others must be without effect. */
  readonly reads?: readonly string[];
  /** The name of the MLP's activation. Default: `hidden_act`. */
  readonly activation?: (config: Config) => unknown;
  /** Which linear layers have biases. Default: none. */
  readonly biases?: (config: Config) => Biases;
  /** Query, key and value in one matrix, and gate and up in another. */
  readonly fusedProjections?: boolean;
  /** Query and key heads pass an RMS norm of their own before they are rotated. */
  readonly headNorms?: boolean;
  /** The outputs of attention and MLP pass an RMS norm before they join the stream. */
  readonly branchNorms?: boolean;
  /** Added to the weights of every RMS norm. Default 0. */
  readonly normOffset?: number;
  /** Embeddings are multiplied by √H. */
  readonly scaledEmbedding?: boolean;
  /** Only `partial_rotary_factor` of each head is rotated. */
  readonly partialRotation?: boolean;
  /** Windows per layer. Default: none. */
  readonly windows?: (config: Config, layers: number) => Windows;
  /** The number whose −1/2 power scales the attention scores. Default: the head size. */
  readonly attentionScalar?: (config: Config) => number;
}

/** Layers that have a bias: query, key and value; the attention's output; the three of the MLP. */
export interface Biases {
  readonly queryKeyValue?: boolean;
  readonly attentionOutput?: boolean;
  readonly mlp?: boolean;
}

const OUTPUT_BIAS = "lm_head.bias";

const ACTIVATIONS: ReadonlyMap<unknown, Activation> = new Map([
  ["silu", "silu"],
  ["swish", "silu"],
  ["gelu", "gelu"],
  ["gelu_pytorch_tanh", "gelu-tanh"],
  ["gelu_new", "gelu-tanh"],
  ["gelu_fast", "gelu-tanh"],
]);

/**
 * Describes a checkpoint of the family, whatever head it has (causal, classification, ArmoRM's, none).
 *
 * @throws {InputError} `unsupported-model` for what would change the hidden states and has no code here;
 * `malformed-config`, `missing-tensor`, `unexpected-tensor`, `wrong-shape`.
 */
export function describeFamily(family: Family, checkpoint: Pick<Checkpoint, "config" | "tensors">): Decoder {
  const config: Config = { ...family.defaults, ...checkpoint.config };
  refuseOtherComputations(config, family.reads ?? []);
  const sizes = sizesOf(config);
  const { vocabSize, hiddenSize, headSize, layers } = sizes;
  const activationName = family.activation?.(config) ?? config.hidden_act;
  const activation = ACTIVATIONS.get(activationName);
  if (activation === undefined) throw unsupported(`hidden_act ${JSON.stringify(activationName)}`);

  const weights = openWeights(checkpoint.tensors);
  // First the last layer: a configuration may claim any number of them.
  weights.take(`layers.${layers - 1}.input_layernorm.weight`, [hiddenSize]);
  const windows: Windows = family.windows?.(config, layers) ?? new Array(layers).fill(null);
  const decoder: Decoder = {
    vocabSize,
    hiddenSize,
    maxTokens: sizeField(config, "max_position_embeddings"),
    heads: sizes.heads,
    keyValueHeads: sizes.keyValueHeads,
    headSize,
    attentionScale: (family.attentionScalar?.(config) ?? headSize) ** -0.5,
    attentionSoftcap: optionalNumberField(config, "attn_logit_softcapping"),
    normEpsilon: numberField(config, "rms_norm_eps"),
    normOffset: family.normOffset ?? 0,
    activation,
    rope: ropeOf(config, headSize, family.partialRotation ?? false),
    embedding: weights.take("embed_tokens.weight", [vocabSize, hiddenSize]),
    embeddingScale: family.scaledEmbedding ? Math.sqrt(hiddenSize) : 1,
    layers: windows.map((window, i) =>
      layerOf(family, config, weights, { ...sizes, layer: `layers.${i}`, window }),
    ),
    finalNorm: weights.take("norm.weight", [hiddenSize]),
    outputHead: outputHeadOf(checkpoint, weights, [vocabSize, hiddenSize]),
    outputSoftcap: optionalNumberField(config, "final_logit_softcapping"),
  };
  weights.requireAllTaken();
  return decoder;
}

/** The head that gives next-token logits; a tied one is the embedding. Only causal checkpoints have one. */
function outputHeadOf(
  { config, tensors }: Pick<Checkpoint, "config" | "tensors">,
  weights: Weights,
  shape: readonly number[],
): TensorRange | null {
  const { architectures } = config;
  const causal =
    !Array.isArray(architectures) || architectures.some((name) => /CausalLM$/.test(String(name)));
  if (causal && hasTiedHead(config)) return weights.take("embed_tokens.weight", shape);
  if (!tensors.has(OUTPUT_HEAD)) return null;
  if (tensors.has(OUTPUT_BIAS)) throw unsupported(`tensor ${OUTPUT_BIAS}`);
  return weights.takeUnwrapped(OUTPUT_HEAD, shape);
}

interface Sizes {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

function sizesOf(config: Config): Sizes {
  const hiddenSize = sizeField(config, "hidden_size");
  const heads = sizeField(config, "num_attention_heads");
  const keyValueHeads = sizeField(config, "num_key_value_heads", heads);
  if (heads % keyValueHeads !== 0) {
    throw malformed("num_key_value_heads", `a divisor of the ${heads} attention heads`, keyValueHeads);
  }
  return {
    vocabSize: sizeField(config, "vocab_size"),
    hiddenSize,
    intermediateSize: sizeField(config, "intermediate_size"),
    layers: sizeField(config, "num_hidden_layers"),
    heads,
    keyValueHeads,
    headSize: sizeField(config, "head_dim", Math.floor(hiddenSize / heads)),
  };
}

function layerOf(
  family: Family,
  config: Config,
  weights: Weights,
  at: Sizes & { readonly layer: string; readonly window: number | null },
): DecoderLayer {
  const { layer, window, hiddenSize: H, intermediateSize: I, headSize: D } = at;
  const [q, kv] = [at.heads * D, at.keyValueHeads * D];
  const biases = family.biases?.(config) ?? {};
  const norm = (name: string, size = H) => weights.take(`${layer}.${name}.weight`, [size]);
  // The norm before the MLP is called after the attention, except where that name is taken.
  const mlpNorm = family.branchNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
  const projections = (block: string, names: readonly string[], sizes: readonly number[], bias = false) =>
    family.fusedProjections
      ? weights.takeRows(`${layer}.${block}_proj`, sizes, H)
      : names.map((name, i) => weights.takeLinear(`${layer}.${name}_proj`, sizes[i]!, H, bias));
  const qkvNames = ["self_attn.q", "self_attn.k", "self_attn.v"];
  const [query, key, value] = projections("self_attn.qkv", qkvNames, [q, kv, kv], biases.queryKeyValue);
  const [gate, up] = projections("mlp.gate_up", ["mlp.gate", "mlp.up"], [I, I], biases.mlp);
  return {
    attentionNorm: norm("input_layernorm"),
    query: query!,
    key: key!,
    value: value!,
    queryNorm: family.headNorms ? norm("self_attn.q_norm", D) : null,
    keyNorm: family.headNorms ? norm("self_attn.k_norm", D) : null,
    window,
    attentionOutput: weights.takeLinear(`${layer}.self_attn.o_proj`, H, q, biases.attentionOutput ?? false),
    attentionOutputNorm: family.branchNorms ? norm("post_attention_layernorm") : null,
    mlpNorm: norm(mlpNorm),
    gate: gate!,
    up: up!,
    down: weights.takeLinear(`${layer}.mlp.down_proj`, H, I, biases.mlp ?? false),
    mlpOutputNorm: family.branchNorms ? norm("post_feedforward_layernorm") : null,
  };
}

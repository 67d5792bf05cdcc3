// Llama 1, 2, 3 and 3.1: config.json and tensor names of the transformers library.

import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import type { Decoder, DecoderLayer } from "../decoder.ts";
import type { RopeScaling } from "../rope.ts";
import {
  type Config,
  flagField,
  numberField,
  objectField,
  requireSupported,
  sizeField,
  unsupported,
} from "./config-fields.ts";
import { openWeights, type Weights } from "./weights.ts";

const DEFAULT_THETA = 10_000;
// Early checkpoints store rotary frequencies and positions, which follow from the configuration.
const STORED_BUFFERS = /\.(rotary_emb\.inv_freq|position_ids)$/;

/**
 * Describes a Llama checkpoint, whatever its head (`LlamaForCausalLM`, `LlamaForSequenceClassification`,
 * `LlamaForRewardModelWithGating`, none): biases on attention and MLP, explicit head sizes, tied embeddings, rope scaling
 * default, linear and llama3.
 *
 * @throws {InputError} `unsupported-model` for what would change the hidden states and has no code here;
 * `malformed-config`, `missing-tensor`, `wrong-shape`.
 */
export function describeLlama({ config, tensors }: Pick<Checkpoint, "config" | "tensors">): Decoder {
  requireSupported(config, "hidden_act", ["silu", "swish"]);
  requireSupported(config, "quantization_config", []);
  requireSupported(config, "compression_config", []);
  requireSupported(config, "sliding_window", []);
  requireSupported(config, "partial_rotary_factor", [1]);
  requireSupported(config, "is_causal", [true]);
  requireSupported(config, "use_bidirectional_attention", [false]);

  const vocabSize = sizeField(config, "vocab_size");
  const hiddenSize = sizeField(config, "hidden_size");
  const heads = sizeField(config, "num_attention_heads");
  const keyValueHeads = sizeField(config, "num_key_value_heads", heads);
  const headSize = sizeField(config, "head_dim", hiddenSize / heads);
  if (heads % keyValueHeads !== 0) throw unsupported(`${heads} heads over ${keyValueHeads} key-value heads`);
  if (headSize % 2 !== 0) throw unsupported(`head_dim ${headSize}, which has no pairs to rotate`);
  const { theta, scaling } = ropeOf(config);

  const weights = openWeights(tensors);
  const decoder: Decoder = {
    vocabSize,
    hiddenSize,
    maxTokens: sizeField(config, "max_position_embeddings", 2048),
    heads,
    keyValueHeads,
    headSize,
    attentionScale: headSize ** -0.5,
    normEpsilon: numberField(config, "rms_norm_eps", 1e-6),
    rope: { size: headSize, theta, scaling },
    embedding: weights.take("embed_tokens.weight", [vocabSize, hiddenSize]),
    layers: Array.from({ length: sizeField(config, "num_hidden_layers") }, (_, i) =>
      layerOf(weights, config, { layer: `layers.${i}`, hiddenSize, heads, keyValueHeads, headSize }),
    ),
    finalNorm: weights.take("norm.weight", [hiddenSize]),
  };
  weights.requireAllTaken(STORED_BUFFERS);
  return decoder;
}

interface LayerSizes {
  readonly layer: string;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
}

function layerOf(weights: Weights, config: Config, sizes: LayerSizes): DecoderLayer {
  const { layer, hiddenSize, heads, keyValueHeads, headSize } = sizes;
  const intermediateSize = sizeField(config, "intermediate_size");
  const attention = (name: string, outputs: number, inputs: number) =>
    weights.takeLinear(
      `${layer}.self_attn.${name}_proj`,
      outputs,
      inputs,
      flagField(config, "attention_bias"),
    );
  const mlp = (name: string, outputs: number, inputs: number) =>
    weights.takeLinear(`${layer}.mlp.${name}_proj`, outputs, inputs, flagField(config, "mlp_bias"));
  return {
    attentionNorm: weights.take(`${layer}.input_layernorm.weight`, [hiddenSize]),
    query: attention("q", heads * headSize, hiddenSize),
    key: attention("k", keyValueHeads * headSize, hiddenSize),
    value: attention("v", keyValueHeads * headSize, hiddenSize),
    attentionOutput: attention("o", hiddenSize, heads * headSize),
    mlpNorm: weights.take(`${layer}.post_attention_layernorm.weight`, [hiddenSize]),
    gate: mlp("gate", intermediateSize, hiddenSize),
    up: mlp("up", intermediateSize, hiddenSize),
    down: mlp("down", hiddenSize, intermediateSize),
  };
}

// transformers 5 moved rope_theta and rope_scaling into one object, rope_parameters.
function ropeOf(config: Config): { theta: number; scaling: RopeScaling } {
  const joined = objectField(config, "rope_parameters");
  const theta = numberField(joined ?? config, "rope_theta", DEFAULT_THETA);
  const scaling = joined ?? objectField(config, "rope_scaling");
  return { theta, scaling: scaling === null ? { kind: "default" } : scalingOf(scaling) };
}

function scalingOf(scaling: Config): RopeScaling {
  requireSupported(scaling, "partial_rotary_factor", [1]);
  const kind = scaling.rope_type ?? scaling.type ?? "default";
  if (kind === "default") return { kind };
  if (kind === "linear") return { kind, factor: numberField(scaling, "factor") };
  if (kind === "llama3") {
    return {
      kind,
      factor: numberField(scaling, "factor"),
      lowFrequencyFactor: numberField(scaling, "low_freq_factor"),
      highFrequencyFactor: numberField(scaling, "high_freq_factor"),
      originalMaxTokens: sizeField(scaling, "original_max_position_embeddings"),
    };
  }
  throw unsupported(`rope_scaling of type ${JSON.stringify(kind)}`);
}

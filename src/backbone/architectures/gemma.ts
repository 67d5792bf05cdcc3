import { type Config, flagField, numberField } from "./config-fields.ts";
import type { Family } from "./family.ts";
import { windowInEvenLayers } from "./windows.ts";

const attentionBiases = (config: Config) => {
  const attention = flagField(config, "attention_bias");
  return { queryKeyValue: attention, attentionOutput: attention };
};

/** Gemma 1. Defaults: `GemmaConfig` of transformers. */
export const gemma: Family = {
  defaults: {
    vocab_size: 256_000,
    hidden_size: 3072,
    intermediate_size: 24_576,
    num_hidden_layers: 28,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    head_dim: 256,
    hidden_act: "gelu_pytorch_tanh",
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-6,
  },
  reads: ["attention_bias"],
  // The first checkpoints say "gelu" and were trained with its tanh form, which hidden_activation was added to say.
  activation: ({ hidden_activation: name, hidden_act: old }) =>
    name ?? (old === "gelu" ? "gelu_pytorch_tanh" : old),
  biases: attentionBiases,
  normOffset: 1,
  scaledEmbedding: true,
};

/** Gemma 2. Defaults: `Gemma2Config` of transformers. */
export const gemma2: Family = {
  defaults: {
    vocab_size: 256_000,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    hidden_activation: "gelu_pytorch_tanh",
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-6,
    query_pre_attn_scalar: 256,
    sliding_window: 4096,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
  },
  reads: [
    "attention_bias",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "layer_types",
    "query_pre_attn_scalar",
    "sliding_window",
  ],
  activation: ({ hidden_activation: name }) => name,
  biases: attentionBiases,
  branchNorms: true,
  normOffset: 1,
  scaledEmbedding: true,
  windows: windowInEvenLayers,
  attentionScalar: (config) => numberField(config, "query_pre_attn_scalar"),
};

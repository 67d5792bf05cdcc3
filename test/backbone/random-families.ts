// Every family in an unusual variant: what its configuration says, and the same said as traits.

import { configOf, geluTanh, plainFrequencies, type Shape, type Traits } from "./random-decoder.ts";

export interface Variant {
  readonly title: string;
  readonly shape: Shape;
  readonly config: Record<string, unknown>;
  readonly traits: Traits;
}

const base: Shape = {
  vocab_size: 40,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
};

function variant(
  title: string,
  modelType: string,
  shape: Partial<Shape>,
  fields: Record<string, unknown>,
  traits: Traits = {},
): Variant {
  const sizes = { ...base, ...shape };
  return { title, shape: sizes, config: configOf(sizes, { model_type: modelType, ...fields }), traits };
}

const gemma = { normOffset: 1, embeddingScale: Math.sqrt(32), activation: geluTanh } satisfies Traits;
const gemmaAct = { hidden_act: undefined, hidden_activation: "gelu_pytorch_tanh" };

export const VARIANTS: readonly Variant[] = [
  variant(
    "llama with every bias",
    "llama",
    {},
    { attention_bias: true, mlp_bias: true },
    {
      queryKeyValueBias: true,
      outputBias: true,
      mlpBias: true,
    },
  ),
  variant(
    "llama with one key-value head and an odd head size",
    "llama",
    { num_key_value_heads: 1, head_dim: 10 },
    {},
  ),
  variant(
    "llama, odd widths, a head per key and value",
    "llama",
    {
      hidden_size: 37,
      intermediate_size: 41,
      num_key_value_heads: 4,
    },
    {},
  ),
  variant(
    "llama without the fields that have defaults",
    "llama",
    {},
    {
      hidden_act: undefined,
      rms_norm_eps: undefined,
      max_position_embeddings: undefined,
    },
    { epsilon: 1e-6 },
  ),
  variant("mistral with a window of 3", "mistral", {}, { sliding_window: 3 }, { windows: [3, 3, 3] }),
  variant(
    "mistral with a window of 1",
    "mistral",
    { num_key_value_heads: 1 },
    { sliding_window: 1 },
    {
      windows: [1, 1, 1],
    },
  ),
  variant("mistral without a window", "mistral", {}, { sliding_window: null }),
  variant("mistral that leaves its window out", "mistral", {}, {}),
  variant(
    "qwen2 with windows from its last layer on",
    "qwen2",
    {},
    {
      use_sliding_window: true,
      sliding_window: 4,
      max_window_layers: 2,
    },
    { queryKeyValueBias: true, windows: [null, null, 4] },
  ),
  variant(
    "qwen2 with windows in every layer",
    "qwen2",
    { head_dim: 12 },
    {
      use_sliding_window: true,
      sliding_window: 5,
      max_window_layers: 0,
    },
    { queryKeyValueBias: true, windows: [5, 5, 5] },
  ),
  variant(
    "qwen2 with listed layer types",
    "qwen2",
    {},
    {
      use_sliding_window: true,
      sliding_window: 2,
      layer_types: ["sliding_attention", "full_attention", "sliding_attention"],
    },
    { queryKeyValueBias: true, windows: [2, null, 2] },
  ),
  variant(
    "qwen2 that does not use its window",
    "qwen2",
    {},
    { sliding_window: 2, max_window_layers: 0 },
    {
      queryKeyValueBias: true,
    },
  ),
  variant(
    "qwen2 without a window and its first layer",
    "qwen2",
    {},
    { use_sliding_window: false, sliding_window: null, max_window_layers: null },
    { queryKeyValueBias: true },
  ),
  variant(
    "qwen3 with biases, windows and an odd head size",
    "qwen3",
    { head_dim: 20 },
    {
      attention_bias: true,
      use_sliding_window: true,
      sliding_window: 3,
      max_window_layers: 1,
      rope_theta: 1e6,
    },
    {
      headNorms: true,
      queryKeyValueBias: true,
      outputBias: true,
      windows: [null, 3, 3],
      frequencies: plainFrequencies(20, 1e6),
    },
  ),
  variant(
    "gemma with biases and one key-value head",
    "gemma",
    { num_key_value_heads: 1, head_dim: 14 },
    {
      ...gemmaAct,
      attention_bias: true,
    },
    { ...gemma, queryKeyValueBias: true, outputBias: true },
  ),
  variant("gemma in its first spelling", "gemma", {}, { hidden_act: "gelu", hidden_activation: null }, gemma),
  variant(
    "gemma2 with its own scale, window and caps",
    "gemma2",
    { head_dim: 12 },
    {
      ...gemmaAct,
      query_pre_attn_scalar: 30,
      sliding_window: 4,
      attn_logit_softcapping: 2,
    },
    { ...gemma, branchNorms: true, windows: [4, null, 4], softcap: 2, scale: 30 ** -0.5 },
  ),
  variant(
    "gemma2 without caps",
    "gemma2",
    {},
    {
      ...gemmaAct,
      query_pre_attn_scalar: 8,
      sliding_window: 2,
      attn_logit_softcapping: null,
      final_logit_softcapping: null,
      layer_types: ["full_attention", "sliding_attention", "sliding_attention"],
    },
    { ...gemma, branchNorms: true, windows: [null, 2, 2] },
  ),
  variant(
    "gemma2 that leaves out what has defaults",
    "gemma2",
    { num_key_value_heads: 4 },
    {
      hidden_act: undefined,
      rms_norm_eps: undefined,
      max_position_embeddings: undefined,
    },
    { ...gemma, branchNorms: true, softcap: 50, scale: 1 / 16, epsilon: 1e-6 },
  ),
  variant(
    "phi3 with partly rotated heads and a window",
    "phi3",
    { head_dim: 16 },
    {
      partial_rotary_factor: 0.75,
      sliding_window: 6,
    },
    { fused: true, frequencies: plainFrequencies(12), windows: [6, 6, 6] },
  ),
  variant(
    "phi3 whose rotated share is no whole number",
    "phi3",
    { head_dim: 18, num_key_value_heads: 4 },
    {
      rope_parameters: { rope_type: "default", rope_theta: 500, partial_rotary_factor: 0.6 },
    },
    { fused: true, frequencies: plainFrequencies(10, 500) },
  ),
];

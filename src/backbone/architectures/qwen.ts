import { flagField } from "./config-fields.ts";
import type { Family } from "./family.ts";
import { windowInUpperLayers } from "./windows.ts";

const DEFAULTS = {
  vocab_size: 151_936,
  hidden_size: 4096,
  intermediate_size: 22_016,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  hidden_act: "silu",
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  use_sliding_window: false,
  sliding_window: 4096,
  max_window_layers: 28,
};

/** Qwen2 and Qwen2.5: query, key and value always have biases. Defaults: `Qwen2Config` of transformers. */
export const qwen2: Family = {
  defaults: DEFAULTS,
  // The class does not look at attention_bias: its biases are fixed.
  reads: ["sliding_window", "layer_types", "attention_bias"],
  biases: () => ({ queryKeyValue: true }),
  windows: windowInUpperLayers,
};

/** Qwen3: normed query and key heads. Defaults: `Qwen3Config` of transformers. */
export const qwen3: Family = {
  defaults: { ...DEFAULTS, head_dim: 128 },
  reads: ["sliding_window", "layer_types", "attention_bias"],
  biases: (config) => {
    const attention = flagField(config, "attention_bias");
    return { queryKeyValue: attention, attentionOutput: attention };
  },
  headNorms: true,
  windows: windowInUpperLayers,
};

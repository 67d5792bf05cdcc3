import { flagField } from "./config-fields.ts";
import type { Family } from "./family.ts";

/** Llama 1, 2, 3 and 3.1+. Defaults: `LlamaConfig` of transformers. */
export const llama: Family = {
  defaults: {
    vocab_size: 32_000,
    hidden_size: 4096,
    intermediate_size: 11_008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    hidden_act: "silu",
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-6,
  },
  reads: ["attention_bias", "mlp_bias"],
  biases: (config) => {
    const attention = flagField(config, "attention_bias");
    return { queryKeyValue: attention, attentionOutput: attention, mlp: flagField(config, "mlp_bias") };
  },
};

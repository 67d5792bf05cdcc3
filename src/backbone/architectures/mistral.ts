import type { Family } from "./family.ts";
import { windowEverywhere } from "./windows.ts";

/** Mistral 7B and its like: Llama with a window in every layer. Defaults: `MistralConfig` of transformers. */
export const mistral: Family = {
  defaults: {
    vocab_size: 32_000,
    hidden_size: 4096,
    intermediate_size: 14_336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    hidden_act: "silu",
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-6,
    sliding_window: 4096,
  },
  reads: ["sliding_window"],
  windows: windowEverywhere,
};

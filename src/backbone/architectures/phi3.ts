import type { Family } from "./family.ts";
import { windowEverywhere } from "./windows.ts";

/** Phi-3: fused projections, partly rotated heads. Defaults: `Phi3Config` of transformers. */
export const phi3: Family = {
  defaults: {
    vocab_size: 32_064,
    hidden_size: 3072,
    intermediate_size: 8192,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    hidden_act: "silu",
    max_position_embeddings: 4096,
    rms_norm_eps: 1e-5,
  },
  reads: ["sliding_window", "partial_rotary_factor"],
  fusedProjections: true,
  partialRotation: true,
  windows: windowEverywhere,
};

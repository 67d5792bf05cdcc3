// Fields of config.json that change what some decoder computes. A family that does not read one of them must not meet it
// with an effect: the checkpoint would be computed as something that it is not.

import { type Config, unsupported } from "./config-fields.ts";

/** Values under which a field changes nothing, besides absent and null. */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  // Weights that are stored in another form.
  quantization_config: [],
  compression_config: [],
  pruned_heads: [],
  // Who sees whom.
  add_cross_attention: [false],
  alibi: [false],
  attention_chunk_size: [],
  attention_sink_size: [],
  is_causal: [true],
  is_encoder_decoder: [false],
  layer_types: [],
  sliding_window: [],
  sliding_window_pattern: [],
  _sliding_window_pattern: [],
  use_bidirectional_attention: [false],
  // Attention scores.
  attention_bias: [false],
  attention_multiplier: [],
  attn_logit_softcapping: [],
  attn_temperature_tuning: [false],
  clip_qkv: [],
  kv_lora_rank: [],
  qk_layernorm: [false],
  query_pre_attn_scalar: [],
  use_qk_norm: [false],
  // Rotation.
  no_rope_layer_interval: [],
  no_rope_layers: [],
  partial_rotary_factor: [1],
  rope_interleaved: [false],
  rope_local_base_freq: [],
  rotary_pct: [1],
  use_mrope: [false],
  // Layers of another make.
  mlp_bias: [false],
  moe_intermediate_size: [],
  num_experts: [0],
  num_local_experts: [0],
  parallel_attn: [false],
  use_parallel_residual: [false],
  // Factors on the stream, the branches and the logits.
  embedding_multiplier: [1],
  embedding_scale: [1],
  final_logit_softcapping: [],
  logit_scale: [1],
  logits_scaling: [1],
  residual_multiplier: [1],
  scale_depth: [],
  scale_emb: [1],
};

/** Fields in {@link NEUTRAL} whose neutral values are lists. */
const NEUTRAL_ENTRY: Readonly<Record<string, unknown>> = { layer_types: "full_attention" };

/**
 * Refuses the first field that would change the computation and that the family does not read.
 *
 * @param reads Fields that the family's own code looks at.
 * @throws {InputError} `unsupported-model`, with the field's name and value.
 */
export function refuseOtherComputations(config: Config, reads: readonly string[]): void {
  for (const [name, neutral] of Object.entries(NEUTRAL)) {
    const value = config[name] ?? null;
    if (value === null || reads.includes(name) || neutral.includes(value)) continue;
    const entry = NEUTRAL_ENTRY[name];
    if (Array.isArray(value) && entry !== undefined && value.every((each) => each === entry)) continue;
    if (name === "pruned_heads" && Object.keys(value).length === 0) continue;
    throw unsupported(`${name} ${JSON.stringify(value)}`);
  }
}

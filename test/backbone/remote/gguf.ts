import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { type Tensor, toFloat32 } from "../../../src/checkpoint/dtypes.ts";
import { readSafetensors } from "../../../src/checkpoint/safetensors.ts";
import { readJsonObject } from "../../../src/checkpoint/shards.ts";

// Value and tensor types of the format: ggml/docs/gguf.md.
const U32 = 4;
const F32 = 6;
const STRING = 8;
const TENSOR_F32 = 0;
const ALIGNMENT = 32;

const NAMES: readonly (readonly [hf: string, gguf: string])[] = [
  ["input_layernorm", "attn_norm"],
  ["self_attn.q_proj", "attn_q"],
  ["self_attn.k_proj", "attn_k"],
  ["self_attn.v_proj", "attn_v"],
  ["self_attn.o_proj", "attn_output"],
  ["post_attention_layernorm", "ffn_norm"],
  ["mlp.gate_proj", "ffn_gate"],
  ["mlp.up_proj", "ffn_up"],
  ["mlp.down_proj", "ffn_down"],
];

/** Writes a small Llama checkpoint as GGUF in f32, without a vocabulary: token ids alone go in. */
export async function writeGguf(checkpoint: string, file: string): Promise<void> {
  const config = await readJsonObject(join(checkpoint, "config.json"));
  const tensors = await readSafetensors(join(checkpoint, "model.safetensors"));
  const size = (name: string) => config[name] as number;
  const [layers, heads, keyValueHeads, D] = [
    size("num_hidden_layers"),
    size("num_attention_heads"),
    size("num_key_value_heads"),
    size("head_dim"),
  ];
  const out: { name: string; shape: readonly number[]; values: Float32Array }[] = [];
  const add = (name: string, tensor: Tensor, values = toFloat32(tensor)) =>
    out.push({ name, shape: tensor.shape, values });
  add("token_embd.weight", tensors.get("model.embed_tokens.weight")!);
  add("output_norm.weight", tensors.get("model.norm.weight")!);
  for (let layer = 0; layer < layers; layer++) {
    for (const [hf, gguf] of NAMES) {
      const tensor = tensors.get(`model.layers.${layer}.${hf}.weight`)!;
      const rotated = gguf === "attn_q" ? heads : gguf === "attn_k" ? keyValueHeads : 0;
      const values = toFloat32(tensor);
      add(`blk.${layer}.${gguf}.weight`, tensor, rotated === 0 ? values : interleave(values, rotated, D));
    }
  }
  const facts: Buffer[] = [
    fact("general.architecture", STRING, text("llama")),
    fact("tokenizer.ggml.model", STRING, text("no_vocab")),
    fact("llama.vocab_size", U32, u32(size("vocab_size"))),
    fact("llama.context_length", U32, u32(size("max_position_embeddings"))),
    fact("llama.embedding_length", U32, u32(size("hidden_size"))),
    fact("llama.block_count", U32, u32(layers)),
    fact("llama.feed_forward_length", U32, u32(size("intermediate_size"))),
    fact("llama.attention.head_count", U32, u32(heads)),
    fact("llama.attention.head_count_kv", U32, u32(keyValueHeads)),
    fact("llama.attention.key_length", U32, u32(D)),
    fact("llama.attention.value_length", U32, u32(D)),
    fact("llama.rope.dimension_count", U32, u32(D)),
    fact("llama.rope.freq_base", F32, f32(size("rope_theta"))),
    fact("llama.attention.layer_norm_rms_epsilon", F32, f32(size("rms_norm_eps"))),
  ];
  let offset = 0;
  const infos = out.map(({ name, shape, values }) => {
    const dims = [...shape].reverse().map(u64);
    const info = Buffer.concat([text(name), u32(dims.length), ...dims, u32(TENSOR_F32), u64(offset)]);
    offset += padded(values.byteLength);
    return info;
  });
  const header = Buffer.concat([
    Buffer.from("GGUF"),
    u32(3),
    u64(out.length),
    u64(facts.length),
    ...facts,
    ...infos,
  ]);
  const stream = createWriteStream(file);
  stream.write(Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length)]));
  for (const { values } of out) {
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    stream.write(Buffer.concat([bytes, Buffer.alloc(padded(bytes.length) - bytes.length)]));
  }
  stream.end();
  await finished(stream);
}

/** Rows of query and key in the order in which llama.cpp rotates them: the two halves of a head alternate. */
function interleave(values: Float32Array, heads: number, D: number): Float32Array {
  const width = values.length / (heads * D);
  const result = new Float32Array(values.length);
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < D; i++) {
      const from = head * D + (i % 2) * (D / 2) + Math.floor(i / 2);
      result.set(values.subarray(from * width, (from + 1) * width), (head * D + i) * width);
    }
  }
  return result;
}

const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const f32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const fact = (key: string, type: number, value: Buffer): Buffer =>
  Buffer.concat([text(key), u32(type), value]);

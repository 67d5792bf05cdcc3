// Writes an ArmoRM checkpoint of random weights in a real model's shape, in the published layout, with the built-in
// backbone's tokenizer: for measuring what size costs, not for judging anything.
//
//     npx tsx bench/random-checkpoint.ts llama-3-8b ../armorm-8b      16 GB
//     npx tsx bench/random-checkpoint.ts llama-3.2-1b ../armorm-1b     2.5 GB

import { copyFile, mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { elementBytes } from "../src/checkpoint/dtypes.ts";
import { layOutSafetensors, type TensorShape } from "../src/checkpoint/safetensors-writer.ts";

export interface Shape {
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly vocabulary: number;
}

export const SHAPES = {
  "llama-3-8b": {
    hidden: 4096,
    intermediate: 14_336,
    layers: 32,
    heads: 32,
    keyValueHeads: 8,
    headSize: 128,
    vocabulary: 128_257,
  },
  "llama-3.2-1b": {
    hidden: 2048,
    intermediate: 8192,
    layers: 16,
    heads: 32,
    keyValueHeads: 8,
    headSize: 64,
    vocabulary: 128_257,
  },
  "qwen-2.5-0.5b": {
    hidden: 896,
    intermediate: 4864,
    layers: 24,
    heads: 14,
    keyValueHeads: 2,
    headSize: 64,
    vocabulary: 151_936,
  },
} as const satisfies Record<string, Shape>;

export type ShapeName = keyof typeof SHAPES;

const SHARD_BYTES = 5e9;
const POOL_VALUES = 1 << 24;
const GATE_WIDTH = 1024;
const OBJECTIVES = 19;

export interface RandomCheckpointOptions {
  /** Fewer layers than the real one, for quicker measurements. */
  readonly layers?: number;
  /** Fewer tokens than the real one, for smaller files: an embedding is looked up, whatever its size. */
  readonly vocabulary?: number;
  /** Default BF16. F32: the same values, twice the bytes, no widening when they are loaded. */
  readonly dtype?: "BF16" | "F32";
}

/** Writes the checkpoint. */
export async function writeRandomCheckpoint(
  folder: string,
  name: ShapeName,
  { dtype = "BF16", ...smaller }: RandomCheckpointOptions = {},
): Promise<void> {
  const shape = { ...SHAPES[name], ...smaller };
  await mkdir(folder, { recursive: true });
  const bf16 = [...backboneTensors(shape), ...headTensors(shape.hidden)];
  const shards = shardsOf(bf16.map(([tensor, { shape }]) => [tensor, { dtype, shape }]));
  const pool = randomPool();
  const weightMap: Record<string, string> = {};
  let total = 0;
  for (const [i, tensors] of shards.entries()) {
    const file = `model-${String(i + 1).padStart(5, "0")}-of-${String(shards.length).padStart(5, "0")}.safetensors`;
    const { header, bytes } = layOutSafetensors(tensors, { format: "pt" });
    const handle = await open(join(folder, file), "w");
    await handle.write(header);
    for (const [tensor, { shape: dims }] of tensors) {
      weightMap[tensor] = file;
      for (const bits of pieces(tensor, dims, pool)) await handle.write(bytesOf(bits, dtype));
    }
    await handle.close();
    total += bytes - header.length;
  }
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
  await writeFile(join(folder, "config.json"), JSON.stringify(configOf(shape, dtype), null, 2));
  const tiny = fileURLToPath(new URL("../models/tiny/", import.meta.url));
  for (const file of ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
    await copyFile(join(tiny, file), join(folder, file));
}

function backboneTensors(s: Shape): [string, TensorShape][] {
  const bf16 = (name: string, ...shape: number[]): [string, TensorShape] => [
    `model.${name}.weight`,
    { dtype: "BF16", shape },
  ];
  const [q, kv] = [s.heads * s.headSize, s.keyValueHeads * s.headSize];
  return [
    bf16("embed_tokens", s.vocabulary, s.hidden),
    ...Array.from({ length: s.layers }, (_, i) => `layers.${i}.`).flatMap((at) => [
      bf16(`${at}input_layernorm`, s.hidden),
      bf16(`${at}self_attn.q_proj`, q, s.hidden),
      bf16(`${at}self_attn.k_proj`, kv, s.hidden),
      bf16(`${at}self_attn.v_proj`, kv, s.hidden),
      bf16(`${at}self_attn.o_proj`, s.hidden, q),
      bf16(`${at}post_attention_layernorm`, s.hidden),
      bf16(`${at}mlp.gate_proj`, s.intermediate, s.hidden),
      bf16(`${at}mlp.up_proj`, s.intermediate, s.hidden),
      bf16(`${at}mlp.down_proj`, s.hidden, s.intermediate),
    ]),
    bf16("norm", s.hidden),
  ];
}

function headTensors(hidden: number): [string, TensorShape][] {
  const bf16 = (name: string, ...shape: number[]): [string, TensorShape] => [name, { dtype: "BF16", shape }];
  const widths = [hidden, GATE_WIDTH, GATE_WIDTH, GATE_WIDTH, OBJECTIVES];
  return [
    bf16("regression_layer.weight", OBJECTIVES, hidden),
    bf16("reward_transform_matrix", OBJECTIVES, OBJECTIVES),
    bf16("gating.logit_scale", 1),
    ...widths
      .slice(1)
      .flatMap((outputs, i) => [
        bf16(`gating.layers.${i}.weight`, outputs, widths[i]!),
        bf16(`gating.layers.${i}.bias`, outputs),
      ]),
  ];
}

function shardsOf(tensors: readonly [string, TensorShape][]): [string, TensorShape][][] {
  const shards: [string, TensorShape][][] = [[]];
  let filled = 0;
  for (const tensor of tensors) {
    const bytes = tensor[1].shape.reduce((product, size) => product * size, elementBytes(tensor[1].dtype));
    if (filled > 0 && filled + bytes > SHARD_BYTES) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push(tensor);
    filled += bytes;
  }
  return shards;
}

/** bf16 patterns of uniform numbers in (−2, 2). */
function randomPool(): Uint16Array {
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  let state = 1;
  return Uint16Array.from({ length: POOL_VALUES }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    value[0] = 4 * (state / 2 ** 32) - 2;
    return bits[0]! >>> 16;
  });
}

/** A tensor's bf16 patterns: ones for norms, else the pool from a place of its own on, scaled by a power of two near 1/√inputs. */
function* pieces(name: string, dims: readonly number[], pool: Uint16Array): Generator<Uint16Array> {
  const values = dims.reduce((product, size) => product * size, 1);
  if (/norm\.weight$|logit_scale$/.test(name)) {
    yield new Uint16Array(values).fill(0x3f80);
    return;
  }
  // The exponent stands above seven bits of fraction; what would fall below the smallest exponent becomes zero.
  const shift = name.includes("embed_tokens") ? 0 : Math.round(Math.log2(dims.at(-1)!) / 2) << 7;
  const scaled = scaledPool(pool, shift);
  let at = [...name].reduce((hash, c) => (Math.imul(hash, 31) + c.charCodeAt(0)) >>> 0, 7) % POOL_VALUES;
  for (let left = values; left > 0; ) {
    const count = Math.min(left, POOL_VALUES - at);
    yield scaled.subarray(at, at + count);
    left -= count;
    at = 0;
  }
}

/** bf16 is the upper half of f32. */
function bytesOf(bits: Uint16Array, dtype: "BF16" | "F32"): Uint8Array {
  if (dtype === "BF16") return new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength);
  return new Uint8Array(Uint32Array.from(bits, (pattern) => pattern << 16).buffer);
}

const scaledPools = new Map<number, Uint16Array>();

function scaledPool(pool: Uint16Array, shift: number): Uint16Array {
  const known = scaledPools.get(shift);
  if (known !== undefined) return known;
  const scaled = pool.map((bits) => ((bits & 0x7f80) > shift ? bits - shift : 0));
  scaledPools.set(shift, scaled);
  return scaled;
}

function configOf(s: Shape, dtype: "BF16" | "F32") {
  return {
    architectures: ["LlamaForRewardModelWithGating"],
    model_type: "llama",
    vocab_size: s.vocabulary,
    hidden_size: s.hidden,
    intermediate_size: s.intermediate,
    num_hidden_layers: s.layers,
    num_attention_heads: s.heads,
    num_key_value_heads: s.keyValueHeads,
    head_dim: s.headSize,
    hidden_act: "silu",
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    rope_theta: 500_000,
    torch_dtype: dtype === "F32" ? "float32" : "bfloat16",
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [name, folder, layers] = process.argv.slice(2);
  if (name === undefined || folder === undefined || !(name in SHAPES)) {
    console.error(`usage: random-checkpoint.ts ${Object.keys(SHAPES).join("|")} FOLDER [LAYERS]`);
    process.exit(2);
  }
  const smaller = layers === undefined ? {} : { layers: Number(layers) };
  await writeRandomCheckpoint(folder, name as ShapeName, smaller);
  const { weight_map } = JSON.parse(await readFile(join(folder, "model.safetensors.index.json"), "utf8"));
  console.log(`${folder}: ${Object.keys(weight_map).length} tensors`);
}

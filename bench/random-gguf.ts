// Writes a Llama of random Q8_0 weights as a GGUF file (version 3), with a tokenizer of bytes and made-up words: what
// llama.cpp needs to measure a shape. Format: github.com/ggml-org/ggml, docs/gguf.md; blocks: ggml-quants, block_q8_0.

import { open } from "node:fs/promises";
import type { Shape } from "./random-checkpoint.ts";

const ALIGNMENT = 32;
const BLOCK = 32;
const BLOCK_BYTES = 2 + BLOCK; // A scale in f16, then integers.
const POOL_BLOCKS = 1 << 18;

/** Numbers of GGUF's types of values, and of ggml's types of tensors. */
const VALUE = { i32: 5, u32: 4, f32: 6, string: 8, array: 9 } as const;
const TENSOR = { f32: 0, q8: 8 } as const;
/** What a token is to the tokenizer. */
const TOKEN = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;

export async function writeRandomGguf(path: string, shape: Shape): Promise<void> {
  const tensors = tensorsOf(shape);
  const handle = await open(path, "w");
  await handle.write(padded(headerOf(shape, tensors)));
  for (const [i, { dims }] of tensors.entries()) {
    for (const piece of dims.length === 1 ? [ones(dims[0]!)] : blocks(dims, i)) await handle.write(piece);
  }
  await handle.close();
}

interface Tensor {
  readonly name: string;
  /** Inputs first. */
  readonly dims: readonly number[];
}

function tensorsOf(s: Shape): Tensor[] {
  const tensor = (name: string, ...dims: number[]): Tensor => ({ name: `${name}.weight`, dims });
  const [q, kv] = [s.heads * s.headSize, s.keyValueHeads * s.headSize];
  return [
    tensor("token_embd", s.hidden, s.vocabulary),
    ...Array.from({ length: s.layers }, (_, i) => `blk.${i}.`).flatMap((at) => [
      tensor(`${at}attn_norm`, s.hidden),
      tensor(`${at}attn_q`, s.hidden, q),
      tensor(`${at}attn_k`, s.hidden, kv),
      tensor(`${at}attn_v`, s.hidden, kv),
      tensor(`${at}attn_output`, q, s.hidden),
      tensor(`${at}ffn_norm`, s.hidden),
      tensor(`${at}ffn_gate`, s.hidden, s.intermediate),
      tensor(`${at}ffn_up`, s.hidden, s.intermediate),
      tensor(`${at}ffn_down`, s.intermediate, s.hidden),
    ]),
    tensor("output_norm", s.hidden),
    tensor("output", s.hidden, s.vocabulary),
  ];
}

const bytesOf = ({ dims }: Tensor): number =>
  dims.length === 1 ? 4 * dims[0]! : (dims[0]! / BLOCK) * dims[1]! * BLOCK_BYTES;

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const padded = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc(aligned(bytes.length) - bytes.length)]);

function headerOf(shape: Shape, tensors: readonly Tensor[]): Buffer {
  const entries = metadataOf(shape);
  let offset = 0;
  const infos = tensors.map((tensor) => {
    const { name, dims } = tensor;
    const type = dims.length === 1 ? TENSOR.f32 : TENSOR.q8;
    const info = [text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset)];
    offset += aligned(bytesOf(tensor));
    return Buffer.concat(info);
  });
  return Buffer.concat([
    Buffer.from("GGUF"),
    u32(3),
    u64(tensors.length),
    u64(entries.length),
    ...entries,
    ...infos,
  ]);
}

function metadataOf(s: Shape): Buffer[] {
  const integer = (key: string, value: number) => Buffer.concat([text(key), u32(VALUE.u32), u32(value)]);
  const real = (key: string, value: number) => Buffer.concat([text(key), u32(VALUE.f32), f32(value)]);
  const string = (key: string, value: string) => Buffer.concat([text(key), u32(VALUE.string), text(value)]);
  const array = (key: string, type: number, values: readonly Buffer[]) =>
    Buffer.concat([text(key), u32(VALUE.array), u32(type), u64(values.length), ...values]);
  const tokens = Array.from({ length: s.vocabulary }, (_, id) => tokenOf(id));
  return [
    string("general.architecture", "llama"),
    string("general.name", "random"),
    integer("general.file_type", 7), // Mostly Q8_0.
    integer("llama.context_length", 4096),
    integer("llama.embedding_length", s.hidden),
    integer("llama.block_count", s.layers),
    integer("llama.feed_forward_length", s.intermediate),
    integer("llama.attention.head_count", s.heads),
    integer("llama.attention.head_count_kv", s.keyValueHeads),
    real("llama.attention.layer_norm_rms_epsilon", 1e-5),
    integer("llama.rope.dimension_count", s.headSize),
    real("llama.rope.freq_base", 500_000),
    integer("llama.vocab_size", s.vocabulary),
    string("tokenizer.ggml.model", "llama"),
    array(
      "tokenizer.ggml.tokens",
      VALUE.string,
      tokens.map(({ word }) => text(word)),
    ),
    array(
      "tokenizer.ggml.scores",
      VALUE.f32,
      tokens.map((_, id) => f32(-id)),
    ),
    array(
      "tokenizer.ggml.token_type",
      VALUE.i32,
      tokens.map(({ type }) => u32(type)),
    ),
    integer("tokenizer.ggml.bos_token_id", 1),
    integer("tokenizer.ggml.eos_token_id", 2),
  ];
}

function tokenOf(id: number): { word: string; type: number } {
  if (id === 0) return { word: "<unk>", type: TOKEN.unknown };
  if (id < 3) return { word: id === 1 ? "<s>" : "</s>", type: TOKEN.control };
  if (id >= 259) return { word: `▁w${id}`, type: TOKEN.normal };
  const byte = (id - 3).toString(16).toUpperCase().padStart(2, "0");
  return { word: `<0x${byte}>`, type: TOKEN.byte };
}

const ones = (length: number): Buffer => padded(Buffer.from(new Float32Array(length).fill(1).buffer));

let pool: Buffer | undefined;

/** Random blocks from a place of the tensor's own on; scales near 1/√inputs, so that streams stay finite. */
function* blocks([inputs, outputs]: readonly number[], seed: number): Generator<Buffer> {
  pool ??= randomBlocks();
  const own = Buffer.from(pool);
  const scale = halfPowerOfTwo(-7 - Math.round(Math.log2(inputs!) / 2));
  for (let b = 0; b < POOL_BLOCKS; b++) own.writeUInt16LE(scale, b * BLOCK_BYTES);
  let at = (seed * 7919) % POOL_BLOCKS;
  let left = (inputs! / BLOCK) * outputs!;
  const bytes = left * BLOCK_BYTES;
  while (left > 0) {
    const count = Math.min(left, POOL_BLOCKS - at);
    yield own.subarray(at * BLOCK_BYTES, (at + count) * BLOCK_BYTES);
    left -= count;
    at = 0;
  }
  yield Buffer.alloc(aligned(bytes) - bytes);
}

function randomBlocks(): Buffer {
  let state = 1;
  const bytes = Buffer.alloc(POOL_BLOCKS * BLOCK_BYTES);
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const value = state >>> 24;
    bytes[i] = value === 0x80 ? 0x81 : value; // −128 does not occur in Q8_0.
  }
  return bytes;
}

/** f16 bits of 2^exponent. */
const halfPowerOfTwo = (exponent: number): number => (exponent + 15) << 10;

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

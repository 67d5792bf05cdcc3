// Checkpoints of any family and shape with random weights, and their hidden states computed the slow and obvious way.

import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Tensor, toFloat64, writeSafetensors } from "../../src/checkpoint/safetensors.ts";

/** The sizes of a decoder, by their names in config.json. */
export interface Shape {
  vocab_size: number;
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  head_dim: number;
}

/** What a decoder does, said without the words of any configuration. Defaults: a plain Llama. */
export interface Traits {
  queryKeyValueBias?: boolean;
  outputBias?: boolean;
  mlpBias?: boolean;
  fused?: boolean;
  headNorms?: boolean;
  branchNorms?: boolean;
  normOffset?: number;
  embeddingScale?: number;
  activation?: (x: number) => number;
  /** Frequencies of the rotated pairs; the rest of a head stands still. Default: θ = 10,000 over the whole head. */
  frequencies?: number[];
  /** One per layer; null: none. */
  windows?: (number | null)[];
  scale?: number;
  softcap?: number;
  epsilon?: number;
}

/** Uniform numbers in [0, 1) that depend on the seed alone. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export const silu = (x: number): number => x / (1 + Math.exp(-x));
export const geluTanh = (x: number): number =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** Frequencies of a rotation without scaling. */
export const plainFrequencies = (size: number, theta = 10_000): number[] =>
  Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));

/** Tensors of such a decoder, by the names of transformers. */
export function randomTensors(
  shape: Shape,
  { prefix = "model.", seed = 1, ...traits }: Traits & { prefix?: string; seed?: number } = {},
): Map<string, Tensor> {
  const next = randomNumbers(seed);
  const tensors = new Map<string, Tensor>();
  const put = (name: string, dims: number[], center = 0, spread = 1) => {
    const count = dims.reduce((product, d) => product * d, 1);
    const data = Float32Array.from({ length: count }, () => center + spread * (2 * next() - 1));
    tensors.set(prefix + name, { dtype: "F32", shape: dims, data });
  };
  const linear = (name: string, outputs: number, inputs: number, bias = false) => {
    put(`${name}.weight`, [outputs, inputs], 0, 1.7 / Math.sqrt(inputs));
    if (bias) put(`${name}.bias`, [outputs], 0, 0.5);
  };
  const { hidden_size: H, intermediate_size: I, head_dim: D } = shape;
  const norm = (name: string, size = H) => put(`${name}.weight`, [size], 1 - (traits.normOffset ?? 0), 0.5);
  const [q, kv] = [shape.num_attention_heads * D, shape.num_key_value_heads * D];
  put("embed_tokens.weight", [shape.vocab_size, H]);
  norm("norm");
  for (let i = 0; i < shape.num_hidden_layers; i++) {
    const at = `layers.${i}.`;
    norm(`${at}input_layernorm`);
    norm(`${at}post_attention_layernorm`);
    if (traits.branchNorms) norm(`${at}pre_feedforward_layernorm`);
    if (traits.branchNorms) norm(`${at}post_feedforward_layernorm`);
    if (traits.headNorms) norm(`${at}self_attn.q_norm`, D);
    if (traits.headNorms) norm(`${at}self_attn.k_norm`, D);
    const { queryKeyValueBias, outputBias, mlpBias } = traits;
    if (traits.fused) {
      linear(`${at}self_attn.qkv_proj`, q + 2 * kv, H);
      linear(`${at}mlp.gate_up_proj`, 2 * I, H);
    } else {
      linear(`${at}self_attn.q_proj`, q, H, queryKeyValueBias);
      linear(`${at}self_attn.k_proj`, kv, H, queryKeyValueBias);
      linear(`${at}self_attn.v_proj`, kv, H, queryKeyValueBias);
      linear(`${at}mlp.gate_proj`, I, H, mlpBias);
      linear(`${at}mlp.up_proj`, I, H, mlpBias);
    }
    linear(`${at}self_attn.o_proj`, H, q, outputBias);
    linear(`${at}mlp.down_proj`, H, I, mlpBias);
  }
  return tensors;
}

/** The configuration of a Llama of this shape; `extra` fields win, undefined ones are left out. */
export function configOf(shape: Shape, extra: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    model_type: "llama",
    architectures: ["LlamaForCausalLM"],
    hidden_act: "silu",
    rms_norm_eps: 1e-5,
    max_position_embeddings: 2048,
    ...shape,
    ...extra,
  };
}

/** Writes a checkpoint into a new temporary folder. */
export async function writeCheckpoint(
  config: Record<string, unknown>,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "random-decoder-"));
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  await writeSafetensors(join(folder, "model.safetensors"), tensors);
  return folder;
}

/** Final-norm hidden states `[T][H]` in double precision, one scalar at a time. */
export function hiddenStatesByHand(
  shape: Shape,
  tensors: ReadonlyMap<string, Tensor>,
  ids: readonly number[],
  traits: Traits & { prefix?: string } = {},
): number[][] {
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: D, hidden_size: H } = shape;
  const { prefix = "model.", epsilon = 1e-5, normOffset = 0, embeddingScale = 1, softcap } = traits;
  const { activation = silu, scale = D ** -0.5, frequencies = plainFrequencies(D), windows = [] } = traits;
  const R = 2 * frequencies.length;
  const known = new Map<string, Float64Array>();
  const values = (name: string): Float64Array => {
    if (!known.has(name)) known.set(name, toFloat64(tensors.get(prefix + name)!));
    return known.get(name)!;
  };
  const linear = (x: number[], name: string): number[] => {
    const weight = values(`${name}.weight`);
    const bias = tensors.has(`${prefix}${name}.bias`) ? values(`${name}.bias`) : null;
    return Array.from({ length: weight.length / x.length }, (_, o) =>
      x.reduce((sum, value, i) => sum + value * weight[o * x.length + i]!, bias?.[o] ?? 0),
    );
  };
  const norm = (x: number[], name: string): number[] => {
    const weight = values(`${name}.weight`);
    const root = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + epsilon);
    return x.map((value, i) => (value / root) * (weight[i]! + normOffset));
  };
  const headOf = (x: number[], head: number) => x.slice(head * D, (head + 1) * D);
  const turned = (x: number[], position: number): number[] =>
    x.map((value, i) => {
      if (i >= R) return value;
      const angle = position * frequencies[i % (R / 2)]!;
      const other = i < R / 2 ? -x[i + R / 2]! : x[i - R / 2]!;
      return value * Math.cos(angle) + other * Math.sin(angle);
    });
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const plus = (a: number[], b: number[]) => a.map((value, i) => value + b[i]!);
  const cut = (x: number[], ...sizes: number[]) =>
    sizes.map((size, i) => {
      const start = sizes.slice(0, i).reduce((sum, each) => sum + each, 0);
      return x.slice(start, start + size);
    });

  const table = values("embed_tokens.weight");
  let stream = ids.map((id) => [...table.subarray(id * H, (id + 1) * H)].map((x) => x * embeddingScale));
  for (let layer = 0; layer < shape.num_hidden_layers; layer++) {
    const at = `layers.${layer}.`;
    const window = windows[layer] ?? Number.POSITIVE_INFINITY;
    const qkv = stream.map((x, position) => {
      const normed = norm(x, `${at}input_layernorm`);
      const [q, k, v] = traits.fused
        ? cut(linear(normed, `${at}self_attn.qkv_proj`), heads * D, kvHeads * D, kvHeads * D)
        : ["q", "k", "v"].map((n) => linear(normed, `${at}self_attn.${n}_proj`));
      const ready = (x: number[], head: number, name: string) =>
        turned(
          traits.headNorms ? norm(headOf(x, head), `${at}self_attn.${name}`) : headOf(x, head),
          position,
        );
      return {
        q: Array.from({ length: heads }, (_, head) => ready(q!, head, "q_norm")),
        k: Array.from({ length: kvHeads }, (_, head) => ready(k!, head, "k_norm")),
        v: Array.from({ length: kvHeads }, (_, head) => headOf(v!, head)),
      };
    });
    stream = stream.map((x, i) => {
      const first = Math.max(0, i - window + 1);
      const seen = qkv.slice(first, i + 1);
      const mixed = qkv[i]!.q.map((query, head) => {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const weights = seen.map(({ k }) => {
          const score = scale * dot(query, k[kvHead]!);
          return Math.exp(softcap === undefined ? score : softcap * Math.tanh(score / softcap));
        });
        const total = weights.reduce((sum, w) => sum + w, 0);
        return seen.map(({ v }, j) => v[kvHead]!.map((value) => (value * weights[j]!) / total)).reduce(plus);
      });
      const attended = linear(mixed.flat(), `${at}self_attn.o_proj`);
      return plus(x, traits.branchNorms ? norm(attended, `${at}post_attention_layernorm`) : attended);
    });
    stream = stream.map((x) => {
      const inner = norm(x, `${at}${traits.branchNorms ? "pre_feedforward" : "post_attention"}_layernorm`);
      const [gate, up] = traits.fused
        ? cut(linear(inner, `${at}mlp.gate_up_proj`), shape.intermediate_size, shape.intermediate_size)
        : [linear(inner, `${at}mlp.gate_proj`), linear(inner, `${at}mlp.up_proj`)];
      const down = linear(
        gate!.map((g, i) => activation(g) * up![i]!),
        `${at}mlp.down_proj`,
      );
      return plus(x, traits.branchNorms ? norm(down, `${at}post_feedforward_layernorm`) : down);
    });
  }
  return stream.map((x) => norm(x, "norm"));
}

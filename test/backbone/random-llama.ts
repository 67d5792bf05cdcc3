// Llama checkpoints of any shape with random weights, and their hidden states computed the slow and obvious way.

import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Tensor, toFloat64, writeSafetensors } from "../../src/checkpoint/safetensors.ts";

export interface Shape {
  vocab_size: number;
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  head_dim: number;
  attention_bias?: boolean;
  mlp_bias?: boolean;
}

/** Uniform numbers in [0, 1) that depend on the seed alone. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Tensors of a Llama of this shape, by the names of transformers. */
export function randomTensors(shape: Shape, { prefix = "model.", seed = 1 } = {}): Map<string, Tensor> {
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
  const { hidden_size: H, intermediate_size: I, head_dim: D, attention_bias, mlp_bias } = shape;
  const [q, kv] = [shape.num_attention_heads * D, shape.num_key_value_heads * D];
  put("embed_tokens.weight", [shape.vocab_size, H]);
  put("norm.weight", [H], 1, 0.5);
  for (let i = 0; i < shape.num_hidden_layers; i++) {
    put(`layers.${i}.input_layernorm.weight`, [H], 1, 0.5);
    put(`layers.${i}.post_attention_layernorm.weight`, [H], 1, 0.5);
    linear(`layers.${i}.self_attn.q_proj`, q, H, attention_bias);
    linear(`layers.${i}.self_attn.k_proj`, kv, H, attention_bias);
    linear(`layers.${i}.self_attn.v_proj`, kv, H, attention_bias);
    linear(`layers.${i}.self_attn.o_proj`, H, q, attention_bias);
    linear(`layers.${i}.mlp.gate_proj`, I, H, mlp_bias);
    linear(`layers.${i}.mlp.up_proj`, I, H, mlp_bias);
    linear(`layers.${i}.mlp.down_proj`, H, I, mlp_bias);
  }
  return tensors;
}

/** The configuration that goes with `randomTensors`; `extra` fields win. */
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
  const folder = await mkdtemp(join(tmpdir(), "random-llama-"));
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  await writeSafetensors(join(folder, "model.safetensors"), tensors);
  return folder;
}

/** Final-norm hidden states `[T][H]` in double precision, one scalar at a time. `frequencies` has D/2 entries. */
export function hiddenStatesByHand(
  shape: Shape,
  tensors: ReadonlyMap<string, Tensor>,
  ids: readonly number[],
  {
    prefix = "model.",
    epsilon = 1e-5,
    frequencies,
  }: { prefix?: string; epsilon?: number; frequencies: number[] },
): number[][] {
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, head_dim: D } = shape;
  const values = (name: string) => toFloat64(tensors.get(prefix + name)!);
  const linear = (x: number[], name: string): number[] => {
    const weight = values(`${name}.weight`);
    const bias = tensors.has(`${prefix}${name}.bias`) ? values(`${name}.bias`) : null;
    return Array.from({ length: weight.length / x.length }, (_, o) =>
      x.reduce((sum, value, i) => sum + value * weight[o * x.length + i]!, bias?.[o] ?? 0),
    );
  };
  const norm = (x: number[], name: string): number[] => {
    const weight = values(name);
    const root = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + epsilon);
    return x.map((value, i) => (value / root) * weight[i]!);
  };
  const headOf = (x: number[], head: number) => x.slice(head * D, (head + 1) * D);
  const turned = (x: number[], position: number): number[] =>
    x.map((value, i) => {
      const angle = position * frequencies[i % (D / 2)]!;
      const other = i < D / 2 ? -x[i + D / 2]! : x[i - D / 2]!;
      return value * Math.cos(angle) + other * Math.sin(angle);
    });
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const plus = (a: number[], b: number[]) => a.map((value, i) => value + b[i]!);

  const H = shape.hidden_size;
  const table = values("embed_tokens.weight");
  let stream = ids.map((id) => [...table.subarray(id * H, (id + 1) * H)]);
  for (let layer = 0; layer < shape.num_hidden_layers; layer++) {
    const at = `layers.${layer}.`;
    const normed = stream.map((x) => norm(x, `${at}input_layernorm.weight`));
    const [q, k, v] = ["q", "k", "v"].map((n) => normed.map((x) => linear(x, `${at}self_attn.${n}_proj`)));
    stream = stream.map((x, i) => {
      const mixed = Array.from({ length: heads }, (_, head) => {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const query = turned(headOf(q![i]!, head), i);
        const weights = Array.from({ length: i + 1 }, (_, j) =>
          Math.exp(dot(query, turned(headOf(k![j]!, kvHead), j)) / Math.sqrt(D)),
        );
        const total = weights.reduce((sum, w) => sum + w, 0);
        return weights.map((w, j) => headOf(v![j]!, kvHead).map((value) => (value * w) / total)).reduce(plus);
      });
      return plus(x, linear(mixed.flat(), `${at}self_attn.o_proj`));
    });
    stream = stream.map((x) => {
      const inner = norm(x, `${at}post_attention_layernorm.weight`);
      const up = linear(inner, `${at}mlp.up_proj`);
      const active = linear(inner, `${at}mlp.gate_proj`).map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
      return plus(x, linear(active, `${at}mlp.down_proj`));
    });
  }
  return stream.map((x) => norm(x, "norm.weight"));
}

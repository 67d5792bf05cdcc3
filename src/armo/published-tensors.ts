// Which tensors a checkpoint in the published layout has. H hidden size, K objectives.

import { type Tensor, toBf16, toFloat32 } from "../checkpoint/dtypes.ts";
import type { TensorRange } from "../checkpoint/safetensors-header.ts";
import type { TensorSource } from "../checkpoint/sharded-writer.ts";
import { type Heads, headsToTensors } from "./heads.ts";

/** Heads as they were trained, or rounded to the published checkpoint's type. */
export type HeadsDtype = "f32" | "bf16";

export interface PublishedTensors {
  /** By name: the backbone under `model.`, layer by layer, then the heads. */
  readonly tensors: ReadonlyMap<string, TensorSource>;
  readonly heads: ReadonlyMap<string, Tensor>;
  /** Tensors of the source that belong to neither: the heads that it had. */
  readonly leftOut: readonly string[];
}

const PREFIX = "model.";
/** What a bare model, without a head, stores under no prefix. */
const BARE = /^(?:embed_tokens|layers|norm)\./;

/**
 * The tensors of a backbone with these heads, under the names of RLHFlow/ArmoRM-Llama3-8B-v0.1: `model.*` as the source stores
 * them, `regression_layer.weight [K, H]`, `reward_transform_matrix [K, K]`, `gating.layers.{i}.{weight,bias}`,
 * `gating.logit_scale [1]`. Output heads (`lm_head`, `score`) are left out, as they are there. β is no tensor of that layout.
 */
export function publishedTensors(
  source: ReadonlyMap<string, TensorRange>,
  heads: Heads,
  headsDtype: HeadsDtype,
): PublishedTensors {
  const wrapped = [...source.keys()].some((name) => name.startsWith(PREFIX));
  const isBackbone = (name: string) => (wrapped ? name.startsWith(PREFIX) : BARE.test(name));
  const backbone = [...source]
    .filter(([name]) => isBackbone(name))
    .map(([name, range]): [string, TensorRange] => [wrapped ? name : PREFIX + name, range])
    .sort(([a], [b]) => place(a) - place(b));
  const own = new Map<string, Tensor>();
  for (const [name, tensor] of headsToTensors({ ...heads, marginScale: null })) {
    const rounded = (): Tensor => ({ ...tensor, dtype: "BF16", data: toBf16(toFloat32(tensor)) });
    own.set(name, headsDtype === "f32" ? tensor : rounded());
  }
  return {
    tensors: new Map<string, TensorSource>([...backbone, ...own]),
    heads: own,
    leftOut: [...source.keys()].filter((name) => !isBackbone(name) && !own.has(name)),
  };
}

/** Modules in the order in which they compute. */
function place(name: string): number {
  if (name.startsWith("model.embed_tokens.")) return -1;
  const layer = /^model\.layers\.(\d+)\./.exec(name);
  return layer ? Number(layer[1]) : Number.POSITIVE_INFINITY;
}

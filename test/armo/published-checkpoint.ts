import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readTensor, type Tensor, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { findTensors } from "../../src/checkpoint/shards.ts";
import { writeLlama3Files } from "../chat/llama3-files.ts";

const golden = join(import.meta.dirname, "../golden/armorm/armorm-bf16-sharded");
const SHARDS = 4;
/** Keys that a published configuration leaves out when they have these values. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  num_objectives: 19,
  gating_temperature: 10,
  gating_hidden_dim: 1024,
  gating_n_hidden: 3,
};

/** The golden bf16 checkpoint's expected values, which hold for what `writePublishedCheckpoint` writes. */
export const publishedGolden = JSON.parse(readFileSync(join(golden, "expected.json"), "utf8"));

/**
 * Writes the golden bf16 checkpoint in the layout of RLHFlow/ArmoRM-Llama3-8B-v0.1: four shards, bf16, the configuration without the
 * keys that have defaults, an added `[PAD]` as last id, no BOS from the tokenizer and one from the template.
 *
 * @param stray Also buffers that early checkpoints store and nobody needs.
 */
export async function writePublishedCheckpoint(directory: string, { stray = false } = {}): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const { architectures, auto_map, ...config } = JSON.parse(
    readFileSync(join(golden, "config.json"), "utf8"),
  );
  config.max_position_embeddings = 8192; // The positions that have values in both models keep them.
  const kept = Object.entries(config).filter(([name, value]) => DEFAULTS[name] !== value);
  writeFileSync(
    join(directory, "config.json"),
    JSON.stringify({ architectures, auto_map, ...Object.fromEntries(kept) }, null, 2),
  );

  const tensors = new Map<string, Tensor>();
  // Modules in the order of the class, as transformers saves them: the heads end the last shard.
  const ranges = [...(await findTensors(golden)).values()].sort((a, b) => rank(a.name) - rank(b.name));
  for (const range of ranges) tensors.set(range.name, await readTensor(range));
  if (stray) for (const [name, tensor] of strayBuffers(config)) tensors.set(name, tensor);

  const bytes = [...tensors.values()].map(({ data }) => data.byteLength);
  const total = bytes.reduce((sum, size) => sum + size, 0);
  const shards: Map<string, Tensor>[] = Array.from({ length: SHARDS }, () => new Map());
  let before = 0;
  for (const [i, [name, tensor]] of [...tensors].entries()) {
    shards[Math.min(SHARDS - 1, Math.floor((before / total) * SHARDS))]!.set(name, tensor);
    before += bytes[i]!;
  }
  const weightMap: [string, string][] = [];
  for (const [i, shard] of shards.entries()) {
    const file = `model-0000${i + 1}-of-0000${SHARDS}.safetensors`;
    await writeSafetensors(join(directory, file), shard, { format: "pt" });
    for (const name of shard.keys()) weightMap.push([name, file]);
  }
  const index = { metadata: { total_size: total }, weight_map: Object.fromEntries(weightMap.sort()) };
  writeFileSync(join(directory, "model.safetensors.index.json"), JSON.stringify(index, null, 2));
  writeLlama3Files(directory, { vocabSize: config.vocab_size, bosInTemplate: true });
}

function rank(name: string): number {
  if (name.startsWith("model.embed_tokens")) return -1;
  const layer = /^model\.layers\.(\d+)\./.exec(name);
  if (layer) return Number(layer[1]);
  return name.startsWith("model.") ? 1000 : 1001;
}

function strayBuffers(config: Record<string, number>): [string, Tensor][] {
  const pairs = config.hidden_size! / config.num_attention_heads! / 2;
  const frequencies = Float32Array.from({ length: pairs }, (_, i) => config.rope_theta! ** (-i / pairs));
  const positions = BigInt64Array.from({ length: config.max_position_embeddings! }, (_, i) => BigInt(i));
  return [
    ...Array.from({ length: config.num_hidden_layers! }, (_, i): [string, Tensor] => [
      `model.layers.${i}.self_attn.rotary_emb.inv_freq`,
      { dtype: "F32", shape: [pairs], data: frequencies },
    ]),
    ["model.position_ids", { dtype: "I64", shape: [1, positions.length], data: positions }],
  ];
}

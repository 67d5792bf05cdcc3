import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { describeDecoder } from "../../src/backbone/architectures/families.ts";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { configOf, hiddenStatesByHand, randomTensors, type Shape, writeCheckpoint } from "./random-llama.ts";

const plain: Shape = {
  vocab_size: 40,
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 8,
};
const ids = [3, 17, 39, 0, 17, 8, 21, 30, 5];
const plainFrequencies = (size: number, theta = 10_000) =>
  Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));

async function expectByHand(
  shape: Shape,
  extra: Record<string, unknown>,
  frequencies: number[],
  prefix = "model.",
): Promise<void> {
  const tensors = randomTensors(shape, { prefix });
  const folder = await writeCheckpoint(configOf(shape, extra), tensors);
  try {
    await using backbone = await openBackbone(folder);
    const [rows] = await backbone.hiddenStates([{ ids }]);
    const want = hiddenStatesByHand(shape, tensors, ids, { prefix, frequencies }).flat();
    expect(rows!.length).toBe(want.length);
    const worst = want.reduce((most, value, i) => Math.max(most, Math.abs(value - rows![i]!)), 0);
    expect(worst).toBeLessThan(1e-4);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("hidden states equal a scalar computation in double precision for", () => {
  test("a plain Llama with default theta", () => expectByHand(plain, {}, plainFrequencies(8)));

  test("biases on attention and MLP", () =>
    expectByHand({ ...plain, attention_bias: true, mlp_bias: true }, {}, plainFrequencies(8)));

  test("a head size that is neither a multiple of 8 nor hidden size / heads", () =>
    expectByHand({ ...plain, head_dim: 10 }, {}, plainFrequencies(10)));

  test("one key-value head per query head, and odd widths", () =>
    expectByHand(
      { ...plain, num_key_value_heads: 4, hidden_size: 37, intermediate_size: 41 },
      {},
      plainFrequencies(8),
    ));

  test("linear rope scaling, in the spelling of old and of new configurations", async () => {
    const slower = plainFrequencies(8).map((f) => f / 4);
    await expectByHand(plain, { rope_scaling: { type: "linear", factor: 4 } }, slower);
    const parameters = { rope_type: "linear", factor: 4, rope_theta: 500 };
    const slowest = plainFrequencies(8, 500).map((f) => f / 4);
    await expectByHand(plain, { rope_parameters: parameters }, slowest);
  });

  test("a bare model, whose tensors have no prefix", () =>
    expectByHand(plain, { architectures: ["LlamaModel"] }, plainFrequencies(8), ""));
});

describe("a checkpoint is refused by the name of", () => {
  const golden = fileURLToPath(new URL("../golden/backbones/llama-causal-f32", import.meta.url));

  test.each<[string, Record<string, unknown>, string]>([
    ["its family", { model_type: "qwen2" }, 'model_type "qwen2"'],
    ["its activation", { hidden_act: "gelu" }, 'hidden_act "gelu"'],
    ["its quantization", { quantization_config: { bits: 4 } }, "quantization_config"],
    ["its window", { sliding_window: 128 }, "sliding_window 128"],
    ["its rope", { rope_scaling: { rope_type: "yarn", factor: 2 } }, '"yarn"'],
    ["its rope, in the new spelling", { rope_parameters: { rope_type: "dynamic" } }, '"dynamic"'],
    ["its partial rotation", { partial_rotary_factor: 0.5 }, "partial_rotary_factor 0.5"],
    ["its two-way attention", { is_causal: false }, "is_causal false"],
    ["its heads", { num_key_value_heads: 3 }, "4 heads over 3"],
  ])("%s", async (_, change, message) => {
    const { config, tensors } = await openCheckpoint(golden);
    const describing = () => describeDecoder({ config: { ...config, ...change }, tensors });
    expect(describing).toThrow(message);
    expect(describing).toThrow(expect.objectContaining({ code: "unsupported-model" }));
  });

  test("a field of the wrong type", async () => {
    const { config, tensors } = await openCheckpoint(golden);
    for (const change of [
      { hidden_size: "64" },
      { num_hidden_layers: 1.5 },
      { rms_norm_eps: 0 },
      { mlp_bias: 1 },
    ]) {
      expect(() => describeDecoder({ config: { ...config, ...change }, tensors })).toThrow(
        expect.objectContaining({ code: "malformed-config" }),
      );
    }
  });

  test("a tensor that is missing, misshapen, or would go unused", async () => {
    const { config, tensors } = await openCheckpoint(golden);
    const name = "model.layers.1.mlp.up_proj.weight";
    const range = tensors.get(name)!;
    const describing = (changed: typeof tensors) => () => describeDecoder({ config, tensors: changed });
    const without = new Map([...tensors].filter(([key]) => key !== name));
    expect(describing(without)).toThrow(expect.objectContaining({ code: "missing-tensor" }));
    const misshapen = new Map(tensors).set(name, { ...range, shape: [...range.shape].reverse() });
    expect(describing(misshapen)).toThrow(expect.objectContaining({ code: "wrong-shape" }));
    const quantized = new Map(tensors).set(name, { ...range, dtype: "F8_E4M3" as const });
    expect(describing(quantized)).toThrow("stored as F8_E4M3");
    const added = "model.layers.0.self_attn.q_norm.weight";
    expect(describing(new Map(tensors).set(added, { ...range, name: added }))).toThrow(`tensor ${added}`);
    const frequencies = "model.layers.0.self_attn.rotary_emb.inv_freq";
    expect(describing(new Map(tensors).set(frequencies, { ...range, name: frequencies }))).not.toThrow();
  });
});

test("what a configuration says of its sizes is what the decoder has", async () => {
  const folder = fileURLToPath(
    new URL("../golden/backbones/llama31-ropescaled-causal-bf16", import.meta.url),
  );
  const config = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  await using backbone = await openBackbone(folder);
  expect(backbone).toMatchObject({
    hiddenSize: config.hidden_size,
    vocabSize: config.vocab_size,
    maxTokens: config.max_position_embeddings,
    fingerprint: (await openCheckpoint(folder)).fingerprint,
    dtype: "f32",
  });
});

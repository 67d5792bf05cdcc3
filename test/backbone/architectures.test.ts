import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { describeDecoder } from "../../src/backbone/architectures/families.ts";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import type { Tensor } from "../../src/checkpoint/safetensors.ts";
import {
  configOf,
  hiddenStatesByHand,
  plainFrequencies,
  randomTensors,
  type Shape,
  type Traits,
  writeCheckpoint,
} from "./random-decoder.ts";
import { VARIANTS } from "./random-families.ts";

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

/** Compares all positions with the computation by hand. `change` may store the tensors in another way. */
async function expectByHand(
  shape: Shape,
  config: Record<string, unknown>,
  traits: Traits & { prefix?: string },
  change = (tensors: Map<string, Tensor>) => tensors,
): Promise<void> {
  const tensors = change(randomTensors(shape, traits));
  const folder = await writeCheckpoint(config, tensors);
  try {
    await using backbone = await openBackbone(folder);
    const [rows] = await backbone.hiddenStates([{ ids }]);
    const want = hiddenStatesByHand(shape, tensors, ids, traits).flat();
    expect(rows!.length).toBe(want.length);
    const worst = want.reduce((most, value, i) => Math.max(most, Math.abs(value - rows![i]!)), 0);
    expect(worst).toBeLessThan(1e-4);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("hidden states equal a scalar computation in double precision for", () => {
  test.each(VARIANTS)("$title", ({ shape, config, traits }) => expectByHand(shape, config, traits));

  test("linear rope scaling, in the spelling of old and of new configurations", async () => {
    const frequencies = plainFrequencies(8).map((f) => f / 4);
    const old = { rope_scaling: { type: "linear", factor: 4 } };
    await expectByHand(plain, configOf(plain, old), { frequencies });
    const parameters = { rope_type: "linear", factor: 4, rope_theta: 500 };
    await expectByHand(plain, configOf(plain, { rope_parameters: parameters }), {
      frequencies: plainFrequencies(8, 500).map((f) => f / 4),
    });
    // Both, as configurations carry them that several versions have written.
    for (const parameters of [{}, { rope_theta: 10_000 }, { rope_type: "linear", factor: 4 }]) {
      await expectByHand(plain, configOf(plain, { ...old, rope_parameters: parameters }), { frequencies });
    }
  });

  test("dynamic rope scaling, which does nothing within the length of the model", () =>
    expectByHand(plain, configOf(plain, { rope_scaling: { rope_type: "dynamic", factor: 4 } }), {}));

  test("a bare model, whose tensors have no prefix", () =>
    expectByHand(plain, configOf(plain, { architectures: ["LlamaModel"] }), { prefix: "" }));

  test("tensors of every float type side by side, at odd offsets, between buffers that are no weights", () => {
    const dtypes = ["BF16", "F32", "F16", "F64"] as const;
    return expectByHand(plain, configOf(plain), {}, (tensors) => {
      // One byte first, so that nothing after it is aligned.
      const stored = new Map<string, Tensor>([
        ["model.layers.0.self_attn.masked_bias", { dtype: "U8", shape: [1], data: Uint8Array.of(1) }],
      ]);
      [...tensors].forEach(([name, tensor], i) => {
        stored.set(name, storedAs(dtypes[i % dtypes.length]!, tensor));
      });
      const frequencies: Tensor = { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) };
      stored.set("model.rotary_emb.inv_freq", frequencies);
      stored.set("model.layers.1.self_attn.rotary_emb.inv_freq", frequencies);
      return stored;
    });
  });
});

/** The same tensor in another float type, its values rounded down in magnitude to what the type can hold. */
function storedAs(dtype: "BF16" | "F32" | "F16" | "F64", { shape, data }: Tensor): Tensor {
  const values = data as Float32Array;
  if (dtype === "F32") return { dtype, shape, data };
  if (dtype === "F64") return { dtype, shape, data: Float64Array.from(values) };
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  if (dtype === "BF16") return { dtype, shape, data: Uint16Array.from(bits, (b) => b >>> 16) };
  return { dtype, shape, data: Uint16Array.from(bits, halfBits) };
}

/** The upper bits of a float32 as a float16; what is too small becomes zero. */
function halfBits(bits: number): number {
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  const sign = (bits >>> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

describe("a checkpoint is refused by the name of", () => {
  const golden = fileURLToPath(new URL("../golden/backbones/llama-causal-f32", import.meta.url));

  test.each<[string, Record<string, unknown>, string]>([
    ["its family", { model_type: "mamba" }, 'model_type "mamba"'],
    ["its activation", { hidden_act: "relu2" }, 'hidden_act "relu2"'],
    ["its quantization", { quantization_config: { bits: 4 } }, "quantization_config"],
    ["its window", { sliding_window: 128 }, "sliding_window 128"],
    ["its rope", { rope_scaling: { rope_type: "yarn", factor: 2 } }, '"yarn"'],
    ["its rope, in the new spelling", { rope_parameters: { rope_type: "longrope" } }, '"longrope"'],
    [
      "its ropes by layer type",
      { rope_parameters: { full_attention: { rope_type: "linear", factor: 2 } } },
      "rope_parameters by layer type (full_attention)",
    ],
    ["its partial rotation", { partial_rotary_factor: 0.5 }, "partial_rotary_factor 0.5"],
    ["its two-way attention", { is_causal: false }, "is_causal false"],
    ["its experts", { num_local_experts: 8 }, "num_local_experts 8"],
    ["its residual factor", { residual_multiplier: 0.22 }, "residual_multiplier 0.22"],
    ["its layer types", { layer_types: ["chunked_attention"] }, 'layer_types ["chunked_attention"]'],
    ["its soft caps", { attn_logit_softcapping: 50 }, "attn_logit_softcapping 50"],
    ["its odd head size", { head_dim: 15 }, "rotating 15 of head_dim 15"],
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
      { num_key_value_heads: 3 },
      { num_hidden_layers: 0 },
      { layer_types: ["full_attention"], model_type: "gemma2" },
      { rope_scaling: [] },
      { rope_scaling: { factor: 2 } },
      { rope_scaling: { rope_type: "linear", factor: 2 }, rope_parameters: { rope_type: "default" } },
      { rope_scaling: { rope_type: "linear", factor: -1 } },
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
    for (const [layers, code] of [
      [2, "unexpected-tensor"],
      [4, "missing-tensor"],
      [2 ** 40, "missing-tensor"],
    ] as const) {
      const claiming = () => describeDecoder({ config: { ...config, num_hidden_layers: layers }, tensors });
      expect(claiming).toThrow(expect.objectContaining({ code }));
    }
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

// Sequences whose hidden states are not finite, beside others that must not suffer for it.

import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Backbone, openBackbone } from "../../src/backbone/backbone.ts";
import { areFinite, lookForFinite } from "../../src/backbone/finite-states.ts";
import { configOf, randomTensors, type Shape, writeCheckpoint } from "./random-decoder.ts";

// The child runs the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const BAD = 7;
const shape: Shape = {
  vocab_size: 50,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
};
let folder: string;
let backbones: Record<string, Backbone> = {};
const sequence = (length: number, seed: number) =>
  Array.from({ length }, (_, i) => 8 + ((seed * 11 + i * 5) % 40));
const good = [3, 12, 20, 5, 31].map((length, seed) => ({ ids: sequence(length, seed) }));
const bad = { ids: [...sequence(6, 9), BAD, 8, 9] };
const requests = [good[0]!, good[1]!, bad, ...good.slice(2)];

beforeAll(async () => {
  const tensors = randomTensors(shape);
  const table = tensors.get("model.embed_tokens.weight")!.data as Float32Array;
  table.fill(Number.NaN, BAD * shape.hidden_size, (BAD + 1) * shape.hidden_size);
  folder = await writeCheckpoint(configOf(shape), tensors);
  const options = { dtype: "f32", threads: 1 } as const;
  backbones = {
    here: await openBackbone(folder, options),
    isolated: await openBackbone(folder, { ...options, isolate: true }),
  };
}, 60_000);
afterAll(async () => {
  for (const backbone of Object.values(backbones)) await backbone.close();
  await rm(folder, { recursive: true });
});

describe.each(["here", "isolated"])("a backbone %s", (where) => {
  test("that is to keep them gives the others the bits that they have alone", async () => {
    const backbone = backbones[where]!;
    const states = await backbone.hiddenStates(requests, { keepNotFinite: true });
    const others = states.filter((_, i) => requests[i] !== bad);
    expect(states.map(areFinite)).toEqual(requests.map((request) => request !== bad));
    for (const [i, request] of good.entries()) {
      expect(others[i]).toEqual((await backbone.hiddenStates([request]))[0]);
    }
  });

  test("fails otherwise", async () => {
    const backbone = backbones[where]!;
    await expect(backbone.hiddenStates(requests)).rejects.toMatchObject({ code: "not-finite" });
  });
});

describe("a run that is looked at", () => {
  const NONE = Float32Array.of(Number.NaN);
  const ONE = Float32Array.of(1);
  const refusal = () => new Error("refused");
  const never = () => Promise.reject(new Error("asked again"));

  test("asks once more for the sequence that is not finite, and takes what comes", async () => {
    const asked: string[] = [];
    const again = async (member: string) => {
      asked.push(member);
      return member === "spoilt by b" ? ONE : NONE;
    };
    const look = lookForFinite(true);
    const states = await look(["a", "b", "spoilt by b"], [ONE, NONE, NONE], refusal, again);
    expect(states).toEqual([ONE, NONE, ONE]);
    expect(asked).toEqual(["b", "spoilt by b"]);
  });

  test("asks no more for a sequence that was alone", async () => {
    expect(await lookForFinite(true)(["a"], [NONE], refusal, never)).toEqual([NONE]);
  });

  test("is refused at the first one where nothing is to be kept", async () => {
    await expect(lookForFinite(false)(["a", "b"], [ONE, NONE], refusal, never)).rejects.toThrow("refused");
  });

  test("is refused once 256 sequences were not finite and none was", async () => {
    const look = lookForFinite(true);
    for (let i = 1; i < 256; i++) await look([i], [NONE], refusal, never);
    await expect(look([256], [NONE], refusal, never)).rejects.toThrow("refused");
    const other = lookForFinite(true);
    await other(["a"], [ONE], refusal, never);
    for (let i = 1; i < 300; i++) await other([i], [NONE], refusal, never);
  });
});

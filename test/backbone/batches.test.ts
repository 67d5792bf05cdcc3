import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Backbone, type HiddenStatesRequest, openBackbone } from "../../src/backbone/backbone.ts";
import { configOf, randomNumbers, randomTensors, type Shape, writeCheckpoint } from "./random-decoder.ts";
import { VARIANTS } from "./random-families.ts";

const golden = (name: string) => fileURLToPath(new URL(`../golden/backbones/${name}`, import.meta.url));
const tiny = fileURLToPath(new URL("../../models/tiny", import.meta.url));

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "batches-cache-"));
  vi.stubEnv("ARMORM_CACHE", cache);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
});

const awkward: Shape = {
  vocab_size: 50,
  hidden_size: 37,
  intermediate_size: 45,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  num_key_value_heads: 1,
  head_dim: 10,
};
const wideHeads: Shape = {
  vocab_size: 60,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 160,
};

const wideCapped = {
  model_type: "gemma2",
  hidden_act: undefined,
  hidden_activation: "gelu_pytorch_tanh",
  head_dim: 256,
  sliding_window: 40,
  attn_logit_softcapping: 3,
};

/** Conversations as they come: alone, sharing a prompt, a prefix of another, twice the same, of one token. */
function randomRequests(random: () => number, vocabSize: number, longest: number): HiddenStatesRequest[] {
  const below = (n: number) => Math.floor(random() * n);
  const tokens = (n: number) => Array.from({ length: n }, () => below(vocabSize));
  const prompt = tokens(1 + below(longest));
  const requests = [tokens(1), tokens(2), tokens(3), tokens(1 + below(longest)), prompt, prompt].map(
    (ids) => ({ ids }),
  );
  for (let i = 0; i < 5; i++) requests.push({ ids: [...prompt, ...tokens(1 + below(longest / 4))] });
  const branch = [...prompt, ...tokens(9)];
  for (let i = 0; i < 3; i++) requests.push({ ids: [...branch, ...tokens(below(longest / 4))] });
  return requests
    .map((request) => ({ request, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ request: { ids } }, i) =>
      i % 3 === 0 ? { ids } : { ids, positions: Array.from({ length: i % 4 }, () => below(ids.length)) },
    );
}

/** Bits, not values: −0 and 0 differ, equal NaNs do not. */
const bits = (rows: Float32Array) => Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength);

async function expectSameBits(backbone: Backbone, requests: readonly HiddenStatesRequest[]): Promise<void> {
  const together = await backbone.hiddenStates(requests);
  for (const [i, request] of requests.entries()) {
    const [alone] = await backbone.hiddenStates([request]);
    const positions = request.positions?.length ?? request.ids.length;
    expect(together[i]!.length).toBe(positions * backbone.hiddenSize);
    expect(bits(together[i]!).equals(bits(alone!)), `request ${i} of ${request.ids.length} tokens`).toBe(
      true,
    );
  }
}

describe("a row has the same bits alone and in any batch", () => {
  test.each(readdirSync(golden("")).map((name) => [name, name.includes("ropescaled") ? 120 : 60] as const))(
    "%s",
    async (name, longest) => {
      await using backbone = await openBackbone(golden(name));
      const random = randomNumbers(11);
      for (let round = 0; round < 4; round++) {
        await expectSameBits(backbone, randomRequests(random, backbone.vocabSize, longest));
      }
    },
  );

  test.each([
    ["f32", 1],
    ["f32", 2],
    ["int8", 1],
    ["int8", 2],
    ["int4", 2],
  ] as const)("the embedded model, over several runs, in %s with %i thread(s)", async (dtype, threads) => {
    await using backbone = await openBackbone(tiny, { dtype, threads });
    const random = randomNumbers(threads);
    const requests = [1, 2, 3].flatMap(() => randomRequests(random, backbone.vocabSize, 400));
    await expectSameBits(backbone, requests);
  });

  test.each(VARIANTS)("$title", async ({ shape, config, traits }) => {
    const folder = await writeCheckpoint(config, randomTensors(shape, traits));
    try {
      for (const dtype of ["f32", "int8", "int4"] as const) {
        for (const threads of [1, 2]) {
          await using backbone = await openBackbone(folder, { dtype, threads });
          await expectSameBits(backbone, randomRequests(randomNumbers(threads), backbone.vocabSize, 150));
        }
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each([
    ["widths that are no multiple of anything", configOf(awkward), randomTensors(awkward)],
    ["heads wider than 128", configOf(wideHeads), randomTensors(wideHeads)],
    [
      "heads of 256 with caps and windows",
      configOf(wideHeads, wideCapped),
      randomTensors({ ...wideHeads, head_dim: 256 }, { branchNorms: true, normOffset: 1 }),
    ],
  ])("%s", async (_, config, tensors) => {
    const folder = await writeCheckpoint(config, tensors);
    try {
      for (const dtype of ["f32", "int8"] as const) {
        await using backbone = await openBackbone(folder, { dtype });
        await expectSameBits(backbone, randomRequests(randomNumbers(5), backbone.vocabSize, 300));
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

test("a row does not depend on the tokens after it, nor on which other rows are asked for", async () => {
  await using backbone = await openBackbone(tiny);
  const H = backbone.hiddenSize;
  const random = randomNumbers(3);
  const ids = Array.from({ length: 150 }, () => Math.floor(random() * 4000));
  const [all] = await backbone.hiddenStates([{ ids }]);
  for (const length of [1, 2, 3, 5, 16, 33, 150]) {
    const [rows] = await backbone.hiddenStates([{ ids: ids.slice(0, length), positions: [length - 1] }]);
    expect(bits(rows!).equals(bits(all!.subarray((length - 1) * H, length * H))), `${length} tokens`).toBe(
      true,
    );
  }
});

describe("a call", () => {
  test("without requests, or without positions, gives nothing", async () => {
    await using backbone = await openBackbone(golden("llama-causal-f32"));
    expect(await backbone.hiddenStates([])).toEqual([]);
    expect(await backbone.hiddenStates([{ ids: [1], positions: [] }])).toEqual([new Float32Array(0)]);
  });

  test.each<[string, HiddenStatesRequest, string]>([
    ["no tokens", { ids: [] }, "1 to 256 tokens, got 0"],
    ["too many tokens", { ids: new Array(257).fill(1) }, "got 257"],
    ["an id beyond the vocabulary", { ids: [1, 320] }, "0 to 319, got 320"],
    ["a negative id", { ids: [-1] }, "got -1"],
    ["a fraction for an id", { ids: [0.5] }, "got 0.5"],
    ["a position past the end", { ids: [1, 2], positions: [2] }, "0 to 1, got 2"],
    ["a position from the end", { ids: [1, 2], positions: [-1] }, "got -1"],
  ])("with %s is out of range", async (_, request, message) => {
    await using backbone = await openBackbone(golden("llama-causal-f32"));
    const call = backbone.hiddenStates([{ ids: [1] }, request]);
    await expect(call).rejects.toThrow(RangeError);
    await expect(call).rejects.toThrow(message);
  });

  test("reports progress in tokens, and stops between runs when it is aborted", async () => {
    await using backbone = await openBackbone(tiny);
    const requests = [1, 2, 3].map((id) => ({ ids: new Array(1000).fill(id), positions: [999] }));
    const reports: [number, number, number | undefined][] = [];
    const started = performance.now();
    await backbone.hiddenStates(requests, {
      onProgress: (done, total, computedMs) => reports.push([done, total, computedMs]),
    });
    const all = performance.now() - started;
    expect(reports).toEqual([
      [2000, 3000, expect.any(Number)],
      [3000, 3000, expect.any(Number)],
    ]);
    const [first, both] = reports.map(([, , computedMs]) => computedMs!);
    expect(first).toBeGreaterThan(0);
    expect(both).toBeGreaterThan(first!);
    expect(both).toBeLessThan(all);
    const controller = new AbortController();
    const call = backbone.hiddenStates(requests, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
  });

  test("on a closed backbone fails; closing twice does not", async () => {
    const backbone = await openBackbone(golden("llama-causal-f32"));
    await backbone.close();
    await backbone.close();
    await expect(backbone.hiddenStates([{ ids: [1] }])).rejects.toThrow("closed");
  });
});

test("opening with a dtype there is no code for is refused", async () => {
  await expect(openBackbone(tiny, { dtype: "int3" as "f32" })).rejects.toMatchObject({
    code: "unsupported-dtype",
  });
});

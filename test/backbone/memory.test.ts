import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { describeDecoder } from "../../src/backbone/architectures/families.ts";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { mustCastLate, runBudget } from "../../src/backbone/memory.ts";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";

const golden = (name: string) => fileURLToPath(new URL(`../golden/backbones/${name}`, import.meta.url));
const GB = 1e9;

afterEach(() => vi.restoreAllMocks());

describe("a run's budget", () => {
  test("is full with plenty of memory, shrinks with it, and never reaches nothing", async () => {
    const decoder = describeDecoder(await openCheckpoint(golden("llama-causal-f32")));
    expect(runBudget(decoder, 16 * GB)).toEqual({ tokens: 2048, slots: 16_384 });
    const tight = runBudget(decoder, 10e6);
    expect(tight.tokens).toBeLessThan(2048);
    expect(tight.slots).toBeLessThan(16_384);
    expect(runBudget(decoder, 0)).toEqual({ tokens: 128, slots: 512 });
  });

  test("changes no bit of any result", async () => {
    await using backbone = await openBackbone(golden("qwen2-causal-bf16-tied"));
    const requests = Array.from({ length: 30 }, (_, i) => ({
      ids: Array.from({ length: 9 + ((i * 7) % 40) }, (_, t) => (i * 31 + t * 17) % 340),
    }));
    const plenty = await backbone.hiddenStates(requests);
    vi.spyOn(process, "availableMemory").mockReturnValue(0);
    let runs = 0;
    const little = await backbone.hiddenStates(requests, { onProgress: () => runs++ });
    expect(runs).toBeGreaterThan(3);
    expect(little).toEqual(plenty);
  });
});

describe("bf16 weights in f32", () => {
  test("are widened for good where there is memory for them; f32 weights need no widening", async () => {
    const bf16 = describeDecoder(await openCheckpoint(golden("gemma2-causal-bf16-tied")));
    expect(mustCastLate(bf16, 16 * GB)).toBe(false);
    expect(mustCastLate(bf16, 1000)).toBe(true);
    const f32 = describeDecoder(await openCheckpoint(golden("llama-causal-f32")));
    expect(mustCastLate(f32, 1000)).toBe(false);
  });

  test("are widened as they are used where there is not, which says so and gives the same values", async () => {
    const folder = golden("gemma2-causal-bf16-tied");
    const requests = [{ ids: [17, 151, 3, 8, 200, 14, 9] }, { ids: [3] }, { ids: [5, 6, 7, 9] }];
    await using usual = await openBackbone(folder);
    vi.spyOn(process, "availableMemory").mockReturnValue(1000);
    const notes: string[] = [];
    await using late = await openBackbone(folder, { onNote: (note) => notes.push(note) });
    expect(notes).toEqual([expect.stringContaining("too little memory")]);
    const [want, got] = [await usual.hiddenStates(requests), await late.hiddenStates(requests)];
    got.forEach((rows, i) => {
      rows.forEach((value, j) => {
        expect(Math.abs(value - want[i]![j]!)).toBeLessThan(1e-5);
      });
    });
    for (const [i, request] of requests.entries()) {
      expect(await late.hiddenStates([request])).toEqual([got[i]]);
    }
  });
});

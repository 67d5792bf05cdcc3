import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { computeOrSplit } from "../../src/backbone/run-splitting.ts";
import { isOutOfMemory } from "../../src/engine/out-of-memory.ts";

// As ONNX Runtime 1.30 words it on the CPU, for a product of [90000, 2] and [2, 90000].
const ARENA =
  "Non-zero status code returned while running Gemm node. Name:'' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory for requested buffer of size 32400000000\n";
const WEBGPU =
  "WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.\n - While validating entries[2] against { binding: 2 }";

const tokens = (length: number) => length;

/** Computes the square of each length where they fit together; keeps the groups that it was asked for. */
function computer(memory: number) {
  const groups: number[][] = [];
  const compute = async (lengths: readonly number[]) => {
    groups.push([...lengths]);
    if (lengths.reduce((sum, length) => sum + length, 0) > memory) throw new Error(ARENA);
    return lengths.map((length) => length ** 2);
  };
  return { groups, compute };
}

describe("a run", () => {
  test("that fits is computed once", async () => {
    const { groups, compute } = computer(10);
    expect(await computeOrSplit([1, 2, 3], compute, tokens)).toEqual([1, 4, 9]);
    expect(groups).toEqual([[1, 2, 3]]);
  });

  test("that does not fit is halved until it does, and its results keep their order", async () => {
    const { groups, compute } = computer(6);
    expect(await computeOrSplit([5, 4, 3, 2, 1], compute, tokens)).toEqual([25, 16, 9, 4, 1]);
    expect(groups).toEqual([[5, 4, 3, 2, 1], [5, 4, 3], [5, 4], [5], [4], [3], [2, 1]]);
  });

  test("of one sequence that does not fit ends in an error that says what to do", async () => {
    const { compute } = computer(6);
    await expect(computeOrSplit([1, 7], compute, tokens)).rejects.toMatchObject({
      code: "out-of-memory",
      message: "hiddenStates: expected memory for a sequence of 7 tokens, got too little",
      remedy: expect.stringContaining("int8"),
    });
  });

  test("that fails for another reason is not repeated", async () => {
    let calls = 0;
    const failure = new TypeError("run: input ids is missing");
    const compute = async () => {
      calls += 1;
      throw failure;
    };
    await expect(computeOrSplit([1, 2], compute, tokens)).rejects.toBe(failure);
    expect(calls).toBe(1);
  });
});

test("hidden states of a run that was split are those of the whole run, to the bit", async () => {
  const folder = fileURLToPath(new URL("../golden/backbones/llama-causal-f32", import.meta.url));
  await using backbone = await openBackbone(folder, { device: "cpu" });
  const prompt = [5, 9, 2, 77, 31];
  const requests = [[], [4], [4, 8], [200, 3, 3], [17]].map((ids) => ({ ids: [...prompt, ...ids] }));
  const split = await computeOrSplit(
    requests,
    async (members) => {
      if (members.length > 1) throw new Error(ARENA);
      return backbone.hiddenStates(members);
    },
    ({ ids }) => ids.length,
  );
  expect(split).toEqual(await backbone.hiddenStates(requests));
});

test.each([
  ["ONNX Runtime's arena", ARENA, true],
  ["C++", "std::bad_alloc", true],
  ["CUDA", "CUDA failure 2: out of memory ; GPU=0 ; hostname=host", true],
  ["WebGPU", WEBGPU, true],
  ["a typed array", "Array buffer allocation failed", true],
  ["another failure", "Gather: indices element out of data bounds, idx=5000", false],
])("memory that ran out is known by the words of %s", (_, message, expected) => {
  expect(isOutOfMemory(new Error(message))).toBe(expected);
});

import { mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import {
  readSafetensorsHeader,
  type TensorRange,
  writeSafetensors,
} from "../../src/checkpoint/safetensors.ts";
import type { EmbeddingSet } from "../../src/embedding/embedding-set.ts";
import { openPromptRows } from "../../src/embedding/prompt-rows.ts";
import { createRandom } from "../../src/random.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-prompt-rows-"));
afterAll(() => rmSync(folder, { recursive: true }));

const H = 5;
const valueAt = (row: number, h: number) => row * 10 + h;

/** A set whose row n is n·10 … n·10 + H − 1, in parts of the given sizes. */
async function writeSet(sizes: readonly number[]): Promise<Pick<EmbeddingSet, "ranges">> {
  const directory = mkdtempSync(join(folder, "set-"));
  const ranges: TensorRange[] = [];
  let first = 0;
  for (const [part, size] of sizes.entries()) {
    const path = join(directory, `${part}.safetensors`);
    const from = first;
    const data = Float32Array.from({ length: size * H }, (_, i) => valueAt(from + Math.floor(i / H), i % H));
    await writeSafetensors(path, { prompt_embeddings: { dtype: "F32", shape: [size, H], data } });
    ranges.push((await readSafetensorsHeader(path)).tensors.get("prompt_embeddings")!);
    first += size;
  }
  return { ranges: async () => ranges };
}

const expected = (indices: readonly number[]) =>
  Float32Array.from(indices.flatMap((row) => Array.from({ length: H }, (_, h) => valueAt(row, h))));

test.each([
  ["from memory", {}],
  ["from disk", { memoryBytes: 0 }],
])("rows come in the order asked for, repeated, neighbours and across parts: %s", async (_, options) => {
  await using rows = await openPromptRows([await writeSet([3, 1, 1200, 4])], options);
  expect(rows.rows).toBe(1208);
  const random = createRandom(1);
  const cases = [
    [0],
    [1207, 0, 1207, 3, 4, 2],
    [5, 5, 5, 6, 6, 4],
    Array.from({ length: 1208 }, (_, row) => 1207 - row),
    Array.from({ length: 500 }, () => random.integer(0, 1207)),
    [],
  ];
  for (const indices of cases) {
    const out = new Float32Array(indices.length * H);
    await rows.gather(indices, out);
    expect(out).toEqual(expected(indices));
  }
});

test("calls do not wait for each other, and a set may have more parts than are open at a time", async () => {
  await using rows = await openPromptRows([await writeSet(Array<number>(300).fill(2))], { memoryBytes: 0 });
  const random = createRandom(2);
  const calls = Array.from({ length: 8 }, async () => {
    const indices = Array.from({ length: 400 }, () => random.integer(0, 599));
    const out = new Float32Array(400 * H);
    await rows.gather(indices, out);
    expect(out).toEqual(expected(indices));
  });
  await Promise.all(calls);
});

test("files that are open are closed at the end, and a part that became shorter is noticed", async () => {
  const set = await writeSet([4, 4]);
  const open = () => readdirSync("/proc/self/fd").length;
  const before = process.platform === "linux" ? open() : 0;
  const rows = await openPromptRows([set], { memoryBytes: 0 });
  await rows.gather([0, 7], new Float32Array(2 * H));
  const [first] = await set.ranges("prompt_embeddings");
  truncateSync(first!.file, first!.offset + 2 * H * 4);
  await rows.gather([1, 5], new Float32Array(2 * H));
  await expect(rows.gather([5, 3, 1], new Float32Array(3 * H))).rejects.toThrow("became shorter");
  await rows[Symbol.asyncDispose]();
  if (process.platform === "linux") expect(open()).toBe(before);
});

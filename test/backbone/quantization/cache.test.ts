import {
  appendFile,
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeDecoder } from "../../../src/backbone/architectures/families.ts";
import { linearMatrices } from "../../../src/backbone/decoder.ts";
import { BLOCK_SCHEMES, blocksPerRow, dequantizeRows } from "../../../src/backbone/quantization/blocks.ts";
import {
  type CacheOptions,
  cacheFolder,
  clearCache,
  listCache,
  openQuantized,
} from "../../../src/backbone/quantization/cache.ts";
import { openCheckpoint } from "../../../src/checkpoint/checkpoint.ts";
import {
  readTensor,
  type TensorRange,
  toFloat32,
  writeSafetensors,
} from "../../../src/checkpoint/safetensors.ts";

const golden = fileURLToPath(new URL("../../golden/backbones/phi3-causal-bf16", import.meta.url));

let base: string;
let folder: string;
let model: string;
let matrices: TensorRange[];
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "quantized-"));
  folder = join(base, "cache");
  model = join(base, "model");
  await cp(golden, model, { recursive: true });
  await chmod(join(model, "model.safetensors"), 0o644);
  matrices = linearMatrices(describeDecoder(await openCheckpoint(model)));
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** Opens, and says whether anything had to be computed. */
async function open(options: CacheOptions = {}) {
  let worked = 0;
  const notes: string[] = [];
  const onProgress = (done: number, total: number) => {
    worked = done / total;
  };
  const onNote = (note: string) => notes.push(note);
  const found = await openQuantized(matrices, "int8", {
    folder,
    source: model,
    onProgress,
    onNote,
    ...options,
  });
  return { found, worked, notes };
}
const entries = () => readdir(join(folder, "quantized"));

test("holds every matrix, also those cut from fused ones, within half a step of what the checkpoint stores", async () => {
  const { found, worked } = await open();
  expect(worked).toBe(1);
  expect([...found.keys()]).toEqual(matrices.map(({ name }) => name));
  for (const matrix of matrices) {
    const { weights, scales } = found.get(matrix.name)!;
    const K = matrix.shape[1]!;
    const want = toFloat32(await readTensor(matrix));
    const scaleValues = toFloat32(await readTensor(scales));
    const got = dequantizeRows(
      (await readTensor(weights)).data as Uint8Array,
      scaleValues,
      K,
      BLOCK_SCHEMES.int8,
    );
    const B = blocksPerRow(K, BLOCK_SCHEMES.int8);
    want.forEach((value, i) => {
      const step = scaleValues[Math.floor(i / K) * B + Math.floor((i % K) / 128)]!;
      expect(Math.abs(value - got[i]!)).toBeLessThanOrEqual(0.5001 * step);
    });
  }
});

test("computes nothing the second time, nor for a copy of the checkpoint beyond its hash", async () => {
  await open();
  expect((await open()).worked).toBe(0);
  const copy = join(base, "copy");
  await cp(model, copy, { recursive: true });
  matrices = linearMatrices(describeDecoder(await openCheckpoint(copy)));
  expect((await open()).worked).toBe(0.5); // hashed, not quantized
  expect(await entries()).toHaveLength(1);
});

test("a checkpoint with one other bit anywhere in a matrix is another one", async () => {
  await open();
  const path = join(model, "model.safetensors");
  const { tensors } = await openCheckpoint(model);
  const { offset, length } = tensors.get("model.layers.1.mlp.down_proj.weight")!;
  const bytes = await readFile(path);
  bytes[offset + Math.floor(length / 3)]! ^= 1;
  await writeFile(path, bytes);
  expect((await open()).worked).toBe(1);
  expect(await entries()).toHaveLength(2);
});

describe("an entry is made again, and says so, when", () => {
  const damage: [string, (entry: string) => Promise<void>][] = [
    [
      "a bit has flipped",
      async (entry) => {
        const path = join(entry, "weights.safetensors");
        const bytes = await readFile(path);
        bytes[bytes.length - 100]! ^= 4;
        await writeFile(path, bytes);
      },
    ],
    ["it is longer than it was", (entry) => appendFile(join(entry, "weights.safetensors"), "x")],
    ["its weights are gone", (entry) => rm(join(entry, "weights.safetensors"))],
    ["its description is gone", (entry) => rm(join(entry, "about.json"))],
    [
      "its description is of another version",
      (entry) => writeFile(join(entry, "about.json"), '{"version":99}'),
    ],
  ];
  test.each(damage)("%s", async (_, change) => {
    await open();
    const [name] = await entries();
    const weights = join(folder, "quantized", name!, "weights.safetensors");
    const before = await readFile(weights);
    await change(join(folder, "quantized", name!));
    const { worked, notes } = await open();
    expect(worked).toBe(1);
    expect(notes).toEqual([expect.stringContaining("is damaged: quantizing again")]);
    expect(await readFile(weights)).toEqual(before);
    expect((await open()).notes).toEqual([]);
  });
});

test("what a killed process has left is removed, what a running one is at is not", async () => {
  const root = join(folder, "quantized");
  await mkdir(join(root, `abc.${2 ** 22 + 1}-00.tmp`), { recursive: true });
  await mkdir(join(root, `abc.${process.ppid}-00.tmp`), { recursive: true });
  // A process number that another process has now.
  const reused = join(root, `abc.${process.ppid}-01.tmp`);
  await mkdir(reused, { recursive: true });
  await utimes(reused, 0, 0);
  await open();
  expect(await entries()).toEqual([expect.stringMatching(/-int8-v1$/), `abc.${process.ppid}-00.tmp`].sort());
});

test("an interrupted quantization leaves nothing behind, and the next one succeeds", async () => {
  const controller = new AbortController();
  const onProgress = (done: number, total: number) => {
    if (done > 0.7 * total) controller.abort();
  };
  const call = open({ signal: controller.signal, onProgress });
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  expect(await entries()).toEqual([]);
  expect((await open()).found.size).toBe(matrices.length);
});

test("two at once give one entry", async () => {
  const both = await Promise.all([open(), open()]);
  expect(both[0]!.found).toEqual(both[1]!.found);
  expect(await entries()).toHaveLength(1);
});

test("weights that are not finite are refused by name, and nothing is kept", async () => {
  const tensors = new Map<string, { dtype: "F32"; shape: number[]; data: Float32Array }>();
  tensors.set("w", { dtype: "F32", shape: [2, 40], data: new Float32Array(80).fill(Number.NaN) });
  await writeSafetensors(join(base, "nan.safetensors"), tensors);
  const range = { name: "w", dtype: "F32", shape: [2, 40], file: join(base, "nan.safetensors") } as const;
  const { size } = await import("node:fs").then(({ statSync }) => statSync(range.file));
  matrices = [{ ...range, offset: size - 320, length: 320 }];
  await expect(open()).rejects.toMatchObject({
    code: "bad-weights",
    message: expect.stringContaining("numbers in w"),
  });
  expect(await entries()).toEqual([]);
});

test("a folder that cannot be one is said in one line with its remedy", async () => {
  await writeFile(folder, "a file");
  await expect(open()).rejects.toMatchObject({
    code: "cache-not-writable",
    remedy: expect.stringContaining("ARMORM_CACHE"),
  });
});

test("the cache can be listed and emptied", async () => {
  expect(await listCache(folder)).toEqual([]);
  await open();
  const [entry] = await listCache(folder);
  expect(entry).toMatchObject({ dtype: "int8", source: model, bytes: expect.any(Number) });
  expect(await clearCache(folder)).toBe(entry!.bytes);
  expect(await listCache(folder)).toEqual([]);
  expect((await open()).worked).toBe(1);
});

test("the folder is ARMORM_CACHE, or armorm in the user's cache", () => {
  expect(cacheFolder({ ARMORM_CACHE: "/a", XDG_CACHE_HOME: "/b" })).toBe("/a");
  expect(cacheFolder({ XDG_CACHE_HOME: "/b" })).toBe("/b/armorm");
  expect(cacheFolder({})).toMatch(/\.cache\/armorm$/);
});

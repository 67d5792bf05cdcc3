import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { describeDecoder } from "../../../src/backbone/architectures/families.ts";
import { linearMatrices } from "../../../src/backbone/decoder.ts";
import { openQuantized } from "../../../src/backbone/quantization/cache.ts";
import { openCheckpoint } from "../../../src/checkpoint/checkpoint.ts";

const disk = vi.hoisted(() => ({ freeBlocks: 0 }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return { ...real, statfs: async () => ({ bavail: disk.freeBlocks, bsize: 4096 }) };
});

const golden = fileURLToPath(new URL("../../golden/backbones/phi3-causal-bf16", import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "disk-full-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("too little room is said before anything is quantized, with what is missing, and more room is enough", async () => {
  const matrices = linearMatrices(describeDecoder(await openCheckpoint(golden)));
  await expect(openQuantized(matrices, "int8", { folder })).rejects.toMatchObject({
    code: "disk-full",
    message: expect.stringMatching(/expected 0\.\d{3} GB free at .*, got 0\.000 GB$/),
    remedy: expect.stringContaining("ARMORM_CACHE"),
  });
  expect(await readdir(join(folder, "quantized"))).toEqual([]);
  disk.freeBlocks = 1 << 20;
  expect((await openQuantized(matrices, "int8", { folder })).size).toBe(matrices.length);
});

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { exportCheckpoint } from "../../src/armo/export-checkpoint.ts";
import type { ArmoDirectory } from "../../src/armo/model-directory.ts";
import { explainFullDisk } from "../../src/checkpoint/disk-space.ts";
import { openModelDirectory } from "../../src/opening/open-model-directory.ts";

const disk = vi.hoisted(() => ({ freeBlocks: 0 }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return { ...real, statfs: async () => ({ bavail: disk.freeBlocks, bsize: 4096 }) };
});

const golden = join(import.meta.dirname, "../golden/armorm/armorm-f32");
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "export-full-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("too little room is said after the size and before anything is written, and more room is enough", async () => {
  const model = (await openModelDirectory(golden)) as ArmoDirectory;
  const sizes: number[] = [];
  const start = () => exportCheckpoint(model, { out: folder, onPlan: ({ bytes }) => sizes.push(bytes) });
  await expect(start()).rejects.toMatchObject({
    code: "disk-full",
    message: expect.stringMatching(/^export: expected 0\.\d{3} GB free at .*, got 0\.000 GB$/),
  });
  expect(sizes).toHaveLength(1);
  expect(await readdir(folder)).toEqual([]);
  disk.freeBlocks = 1 << 20;
  expect((await start()).bytes).toBe(sizes[0]);
});

test("a disk that fills up on the way is one line, another failure stays what it is", async () => {
  const fails = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));
  await expect(explainFullDisk("/disk", "export", fails("ENOSPC"))).rejects.toMatchObject({
    code: "disk-full",
    message: "export: expected room for the rest at /disk, got a full disk",
  });
  await expect(explainFullDisk("/disk", "export", fails("EIO"))).rejects.toThrow(/^EIO$/);
});

// What quantized weights are kept under: the content of the matrices they were made from.

import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TensorRange } from "../../checkpoint/safetensors-header.ts";
import type { QuantizeOptions } from "./quantize.ts";
import type { HashTask } from "./tasks.ts";
import { runTasks } from "./worker-pool.ts";

/**
 * SHA-256 over names, types, shapes and every byte of the matrices, wherever they lie and however they are sharded.
 *
 * Reading a checkpoint whole takes seconds per 10 GB, so the answer is remembered under `memory` for files of the same path,
 * inode, size and times of change.
 */
export async function contentKey(
  matrices: readonly TensorRange[],
  memory: string,
  { signal, onProgress }: QuantizeOptions = {},
): Promise<string> {
  const identity = await filesIdentity(matrices);
  const remembered = join(memory, `${identity}.txt`);
  const known = await readFile(remembered, "utf8").catch(() => "");
  if (/^[0-9a-f]{64}$/.test(known)) return known;

  const totalBytes = matrices.reduce((sum, { length }) => sum + length, 0);
  let doneBytes = 0;
  const tasks = matrices.map(
    ({ file, offset, length }): HashTask => ({ kind: "hash", file, offset, length }),
  );
  const hashes = await runTasks(tasks, totalBytes, {
    signal,
    onDone: (task) => {
      doneBytes += (task as HashTask).length;
      onProgress?.(doneBytes, totalBytes);
    },
  });
  const hash = createHash("sha256");
  matrices.forEach(({ name, dtype, shape }, i) => {
    hash.update(`${JSON.stringify([name.replace(/^model\./, ""), dtype, shape, hashes[i]])}\n`);
  });
  const key = hash.digest("hex");
  // Files that changed while they were read are not remembered.
  if ((await filesIdentity(matrices)) === identity) {
    await mkdir(memory, { recursive: true });
    const temporary = `${remembered}.${randomBytes(4).toString("hex")}.tmp`;
    await writeFile(temporary, key);
    await rename(temporary, remembered);
  }
  return key;
}

async function filesIdentity(matrices: readonly TensorRange[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of [...new Set(matrices.map((matrix) => matrix.file))].sort()) {
    const { ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    hash.update(`${file}\n${ino} ${size} ${mtimeNs} ${ctimeNs}\n`);
  }
  for (const { name, offset, length } of matrices) hash.update(`${name} ${offset} ${length}\n`);
  return hash.digest("hex");
}

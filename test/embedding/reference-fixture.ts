// Embeddings as the reference's scripts would have written them, of noise.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { toBf16, toFloat32 } from "../../src/checkpoint/dtypes.ts";
import { type Tensor, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { createRandom } from "../../src/random.ts";

export const H = 256; // the built-in backbone's
const random = createRandom(4);
export const noise = (length: number) => Float32Array.from({ length }, () => random.normal());
export const bf16 = (shape: readonly number[], values: Float32Array): Tensor => ({
  dtype: "BF16",
  shape,
  data: toBf16(values),
});
export const asStored = (values: Float32Array) => toFloat32(bf16([values.length], values));

// As stage-1_prepare.py writes: bf16 states, f32 labels, NaN = missing; two files of a series.
export const ratings = {
  states: noise(90 * H),
  labels: Float32Array.from({ length: 90 * 3 }, () => random.uniform()),
};
for (let i = 0; i < 90; i++) if (i % 3 === 0) ratings.labels[3 * i + 1] = Number.NaN;
// As stage-2_prepare.py does: one prompt embedding per response, equal; every prompt has two pairs.
export const prompts = Float32Array.from({ length: 60 * 2 * H });
export const [states, promptRows] = [noise(60 * 2 * H), noise(30 * H)];
for (let i = 0; i < 120; i++) {
  const prompt = Math.floor(i / 4);
  prompts.set(promptRows.subarray(prompt * H, (prompt + 1) * H), i * H);
}

export const OBJECTIVES = [{ name: "kind", source: "mine" }, { name: "true" }, { name: "terse" }];

export async function writeRatings(directory: string): Promise<string[]> {
  mkdirSync(directory, { recursive: true });
  const files = [1, 2].map((i) => join(directory, `rated-0000${i}-of-00002.safetensors`));
  for (const [i, path] of files.entries()) {
    const [from, to] = [
      [0, 50],
      [50, 90],
    ][i] as [number, number];
    await writeSafetensors(path, {
      embeddings: bf16([to - from, H], ratings.states.slice(from * H, to * H)),
      labels: { dtype: "F32", shape: [to - from, 3], data: ratings.labels.slice(3 * from, 3 * to) },
    });
  }
  return files;
}

export async function writePairs(
  path: string,
  change: (tensors: { embeddings: Float32Array; prompt_embeddings: Float32Array }) => void = () => {},
) {
  const tensors = { embeddings: states.slice(), prompt_embeddings: prompts.slice() };
  change(tensors);
  await writeSafetensors(path, {
    embeddings: bf16([60, 2, H], tensors.embeddings),
    prompt_embeddings: bf16([60, 2, H], tensors.prompt_embeddings),
  });
}

// The built-in backbone with a vocabulary so wide that its parameters are those of a real model: rows that no token asks for, a hole
// in the file. It computes what the built-in one does.

import { copyFile, mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { readSafetensors } from "../../src/checkpoint/safetensors.ts";
import { layOutSafetensors } from "../../src/checkpoint/safetensors-writer.ts";

const EMBEDDING = "model.embed_tokens.weight";

/** Writes it. Cost: some megabytes of disk, whatever the size that the file says it has. */
export async function writeWideCheckpoint(folder: string, vocabulary: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tensors = await readSafetensors(join(EMBEDDED_DIRECTORY, "model.safetensors"));
  const shapes = [...tensors].map(([name, { dtype, shape }]) => {
    return [name, { dtype, shape: name === EMBEDDING ? [vocabulary, shape[1]!] : shape }] as const;
  });
  const { header, offsets, bytes } = layOutSafetensors(shapes, { format: "pt" });
  const file = await open(join(folder, "model.safetensors"), "w");
  await file.truncate(bytes);
  await file.write(header, 0, header.length, 0);
  for (const [name, { data }] of tensors) {
    const values = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    await file.write(values, 0, values.length, offsets.get(name)!);
  }
  await file.close();
  const config = JSON.parse(await readFile(join(EMBEDDED_DIRECTORY, "config.json"), "utf8"));
  await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, vocab_size: vocabulary }));
  for (const name of ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
    await copyFile(join(EMBEDDED_DIRECTORY, name), join(folder, name));
}

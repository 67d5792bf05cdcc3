import { type FileHandle, open } from "node:fs/promises";
import { toFloat32 } from "../checkpoint/dtypes.ts";
import { readTensor } from "../checkpoint/safetensors.ts";
import type { TensorRange } from "../checkpoint/safetensors-header.ts";
import type { EmbeddingSet } from "./embedding-set.ts";

/** Prompt embeddings that can be read by row number, from memory or from disk. */
export interface PromptRows extends AsyncDisposable {
  readonly rows: number;
  /** Copies the rows `indices` one after another into `out`, `[indices.length, H]`. */
  gather(indices: ArrayLike<number>, out: Float32Array): Promise<void>;
}

/** Above this, rows stay on disk and the operating system's page cache decides. */
const MEMORY_BYTES = 1 << 28;

/**
 * The prompt embeddings of several sets of pairs, numbered through in the order of the sets.
 *
 * Sets that fit into `memoryBytes` together are loaded once; larger ones are read row by row, so memory does not grow
 * with the number of pairs.
 */
export async function openPromptRows(
  sets: readonly EmbeddingSet[],
  { memoryBytes = MEMORY_BYTES }: { memoryBytes?: number } = {},
): Promise<PromptRows> {
  const ranges = (await Promise.all(sets.map((set) => set.ranges("prompt_embeddings")))).flat();
  const bytes = ranges.reduce((sum, range) => sum + range.length, 0);
  return bytes <= memoryBytes ? loadRows(ranges) : openRows(ranges);
}

async function loadRows(ranges: readonly TensorRange[]): Promise<PromptRows> {
  const width = ranges[0]?.shape[1] ?? 0;
  const rows = ranges.reduce((sum, range) => sum + range.shape[0]!, 0);
  const all = new Float32Array(rows * width);
  let at = 0;
  for (const range of ranges) {
    all.set(toFloat32(await readTensor(range)), at);
    at += range.shape[0]! * width;
  }
  return {
    rows,
    async gather(indices, out) {
      for (let i = 0; i < indices.length; i++) {
        const from = indices[i]! * width;
        out.set(all.subarray(from, from + width), i * width);
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function openRows(ranges: readonly TensorRange[]): Promise<PromptRows> {
  const width = ranges[0]!.shape[1]!;
  const parts: { file: string; offset: number; first: number }[] = [];
  let rows = 0;
  for (const { file, offset, shape } of ranges) {
    parts.push({ file, offset, first: rows });
    rows += shape[0]!;
  }
  const readRow = async (
    handle: FileHandle,
    position: number,
    out: Float32Array,
    at: number,
  ): Promise<void> => {
    const bytes = new Uint8Array(out.buffer, out.byteOffset + at * width * 4, width * 4);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, position);
    if (bytesRead !== bytes.length)
      throw new Error("prompt embeddings: a part became shorter while it was being read");
  };
  return {
    rows,
    // Part by part, one open file at a time: a set may have more parts than a process may have files.
    async gather(indices, out) {
      const byPart = new Map<number, number[]>();
      for (let i = 0; i < indices.length; i++) {
        const part = parts.findLastIndex(({ first }) => first <= indices[i]!);
        const places = byPart.get(part);
        if (places) places.push(i);
        else byPart.set(part, [i]);
      }
      for (const [part, places] of byPart) {
        const { file, offset, first } = parts[part]!;
        const handle = await open(file, "r");
        try {
          await Promise.all(
            places.map((i) => readRow(handle, offset + (indices[i]! - first) * width * 4, out, i)),
          );
        } finally {
          await handle.close();
        }
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

// Prompt embeddings by row number: all in memory, or read from the parts of a set as they are asked for. H hidden size.

import { closeSync, openSync, readv } from "node:fs";
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
const MEMORY_BYTES = 2 ** 28;

/** Parts that are open at a time; a process may have some hundred files. */
const OPEN_PARTS = 128;

/** Rows that one call reads: what systems take at least (IOV_MAX). */
const CALL_ROWS = 1024;

/**
 * The prompt embeddings of several sets of pairs, numbered through in the order of the sets.
 *
 * Sets that fit into `memoryBytes` together are loaded once; of larger ones, rows are read as they are asked for, so memory
 * does not grow with the number of pairs. All reads of a call are under way when it returns its promise, in the order in
 * which they lie in the files, neighbours and repeated rows at once: they go on while the caller computes.
 */
export async function openPromptRows(
  sets: readonly Pick<EmbeddingSet, "ranges">[],
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

/** Where the rows of one file begin and end, counted over all files. */
interface Part {
  readonly file: string;
  readonly offset: number;
  readonly first: number;
  readonly end: number;
}

/** Rows of one part that lie next to each other, each with its place in the output. */
interface Stretch {
  readonly part: Part;
  readonly first: number;
  readonly places: number[];
}

function openRows(ranges: readonly TensorRange[]): PromptRows {
  const width = ranges[0]!.shape[1]!;
  const parts: Part[] = [];
  let rows = 0;
  for (const { file, offset, shape } of ranges) {
    parts.push({ file, offset, first: rows, end: rows + shape[0]! });
    rows += shape[0]!;
  }
  const kept = new Map<Part, number>();
  const keepsOpen = parts.length <= OPEN_PARTS;
  const descriptorOf = (part: Part): number => {
    const known = kept.get(part);
    if (known !== undefined) return known;
    const descriptor = openSync(part.file, "r");
    if (keepsOpen) kept.set(part, descriptor);
    return descriptor;
  };
  return {
    rows,
    async gather(indices, out) {
      const rowAt = (place: number) => out.subarray(place * width, (place + 1) * width);
      const { stretches, copies } = planReads(parts, indices);
      const used = [...new Set(stretches.map(({ part }) => part))];
      for (let from = 0; from < used.length; from += OPEN_PARTS) {
        const descriptors = new Map(
          used.slice(from, from + OPEN_PARTS).map((part) => [part, descriptorOf(part)]),
        );
        const reads = stretches
          .filter(({ part }) => descriptors.has(part))
          .map(({ part, first, places }) =>
            readRows(
              descriptors.get(part)!,
              places.map(rowAt),
              part.offset + (first - part.first) * width * 4,
            ),
          );
        // All of them, also after a failure: none may read on from a file that is closed.
        const results = await Promise.allSettled(reads);
        if (!keepsOpen) for (const descriptor of descriptors.values()) closeSync(descriptor);
        for (const result of results) if (result.status === "rejected") throw result.reason;
      }
      for (const [place, from] of copies) rowAt(place).set(rowAt(from));
    },
    async [Symbol.asyncDispose]() {
      for (const descriptor of kept.values()) closeSync(descriptor);
      kept.clear();
    },
  };
}

/** Sorts what is wanted into reads; `copies` are [place, place of the same row]. */
function planReads(parts: readonly Part[], indices: ArrayLike<number>) {
  const order = Uint32Array.from({ length: indices.length }, (_, place) => place).sort(
    (a, b) => indices[a]! - indices[b]!,
  );
  const stretches: Stretch[] = [];
  const copies: [number, number][] = [];
  let part = 0;
  let last: Stretch | undefined;
  for (const place of order) {
    const row = indices[place]!;
    if (last && row === last.first + last.places.length - 1) {
      copies.push([place, last.places.at(-1)!]);
      continue;
    }
    while (row >= parts[part]!.end) part++;
    const next = last && last.first + last.places.length;
    if (last && row === next && last.part === parts[part] && last.places.length < CALL_ROWS) {
      last.places.push(place);
    } else {
      last = { part: parts[part]!, first: row, places: [place] };
      stretches.push(last);
    }
  }
  return { stretches, copies };
}

/** Fills the buffers from one position on. */
function readRows(descriptor: number, buffers: readonly Float32Array[], position: number): Promise<void> {
  const expected = buffers.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return new Promise((resolve, reject) => {
    readv(descriptor, buffers, position, (error, bytesRead) => {
      if (error) reject(error);
      else if (bytesRead === expected) resolve();
      else reject(new Error("prompt embeddings: a part became shorter while it was being read"));
    });
  });
}

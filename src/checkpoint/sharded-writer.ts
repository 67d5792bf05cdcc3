// Writing a checkpoint's weights as shards with an index, from tensors in memory and from other checkpoints' bytes.

import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { elementBytes, type Tensor } from "./dtypes.ts";
import type { TensorRange } from "./safetensors-header.ts";
import { layOutSafetensors, type SafetensorsLayout } from "./safetensors-writer.ts";
import { INDEX, SINGLE } from "./shards.ts";

/** A tensor to be written: in memory, or the bytes of one that lies in a file. */
export type TensorSource = Tensor | TensorRange;

/** One file of a checkpoint to be. */
export interface PlannedShard {
  readonly file: string;
  readonly tensors: ReadonlyMap<string, TensorSource>;
  readonly layout: SafetensorsLayout;
}

const COPY_BYTES = 1 << 24;

/**
 * Cuts tensors into files of at most `shardBytes` of data each, in the order given; a larger tensor has a file of its own. One file
 * is called `model.safetensors`, several `model-00001-of-00004.safetensors`.
 */
export function planShards(
  tensors: ReadonlyMap<string, TensorSource>,
  shardBytes: number,
): readonly PlannedShard[] {
  const groups: [string, TensorSource][][] = [];
  let room = 0;
  for (const entry of tensors) {
    const bytes = bytesOf(entry[1]);
    if (groups.length === 0 || bytes > room) {
      groups.push([]);
      room = shardBytes;
    }
    groups.at(-1)!.push(entry);
    room -= bytes;
  }
  const number = (n: number) => String(n).padStart(5, "0");
  return groups.map((group, i) => {
    // Largest elements first, so that each tensor is aligned to its own.
    const ordered = group.sort(([, a], [, b]) => elementBytes(b.dtype) - elementBytes(a.dtype));
    const file =
      groups.length === 1 ? SINGLE : `model-${number(i + 1)}-of-${number(groups.length)}.safetensors`;
    return { file, tensors: new Map(ordered), layout: layOutSafetensors(ordered, { format: "pt" }) };
  });
}

/**
 * Writes one shard: under a temporary name, synced, then renamed, so a file under its own name is whole. Tensors that lie in files
 * are copied in pieces, so memory stays flat.
 *
 * @param onBytes Called with the number of bytes just written.
 */
export async function writeShard(
  directory: string,
  { file, tensors, layout }: PlannedShard,
  { signal, onBytes }: { readonly signal?: AbortSignal; readonly onBytes?: (bytes: number) => void } = {},
): Promise<void> {
  const temporary = join(directory, `${file}.${process.pid}-${randomBytes(6).toString("hex")}.tmp`);
  try {
    const out = await open(temporary, "wx");
    try {
      let at = 0;
      const write = async (bytes: Uint8Array) => {
        signal?.throwIfAborted();
        for (let done = 0; done < bytes.length; ) {
          const { bytesWritten } = await out.write(bytes, done, bytes.length - done, at + done);
          done += bytesWritten;
        }
        at += bytes.length;
        onBytes?.(bytes.length);
      };
      await write(layout.header);
      const buffer = new Uint8Array(COPY_BYTES);
      for (const source of tensors.values()) {
        if ("data" in source) await writeTensor(source, write);
        else await copyRange(source, buffer, write);
      }
      await out.sync();
    } finally {
      await out.close();
    }
    await rename(temporary, join(directory, file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Whether a shard is there already under its own name, in its own size. */
export async function hasShard(directory: string, { file, layout }: PlannedShard): Promise<boolean> {
  const stats = await stat(join(directory, file)).catch(() => null);
  return stats?.size === layout.bytes;
}

/** Writes `model.safetensors.index.json`, which several shards need; one does not. */
export async function writeIndex(directory: string, shards: readonly PlannedShard[]): Promise<void> {
  if (shards.length === 1) return;
  const sources = shards.flatMap(({ file, tensors }) =>
    [...tensors].map(([name, of]) => ({ name, file, of })),
  );
  const index = {
    metadata: { total_size: sources.reduce((sum, { of }) => sum + bytesOf(of), 0) },
    weight_map: Object.fromEntries(sources.map(({ name, file }) => [name, file] as const).sort(byName)),
  };
  const temporary = join(directory, `.${INDEX}.tmp`);
  await writeFile(temporary, `${JSON.stringify(index, null, 2)}\n`, { flush: true });
  await rename(temporary, join(directory, INDEX));
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]) => (a < b ? -1 : 1);

const bytesOf = ({ dtype, shape }: TensorSource): number =>
  shape.reduce((product, size) => product * size, elementBytes(dtype));

async function writeTensor({ data }: Tensor, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < bytes.length; at += COPY_BYTES) await write(bytes.subarray(at, at + COPY_BYTES));
}

async function copyRange(
  { file, name, offset, length }: TensorRange,
  buffer: Uint8Array,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const source: FileHandle = await open(file, "r");
  try {
    for (let done = 0; done < length; ) {
      const wanted = Math.min(buffer.length, length - done);
      const { bytesRead } = await source.read(buffer, 0, wanted, offset + done);
      if (bytesRead === 0) throw new Error(`${file}: ended inside ${name} while it was being copied`);
      await write(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
  } finally {
    await source.close();
  }
}

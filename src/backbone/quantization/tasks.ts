// Pieces of work on a checkpoint's bytes, small enough for a worker: read, compute, write or answer. Synchronous, so that
// nothing is copied between threads but the answer.

import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { elementArray, type SafetensorsDtype, toFloat32 } from "../../checkpoint/dtypes.ts";
import { InputError } from "../../errors.ts";
import { type BlockScheme, blockBytes, blocksPerRow, quantizeRows } from "./blocks.ts";

/** SHA-256 of a range of bytes, in hexadecimal. */
export interface HashTask {
  readonly kind: "hash";
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Rows of a matrix from one file, quantized into another. */
export interface QuantizeTask {
  readonly kind: "quantize";
  readonly name: string;
  readonly file: string;
  readonly dtype: SafetensorsDtype;
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  readonly scheme: BlockScheme;
  readonly target: string;
  readonly weightsOffset: number;
  readonly scalesOffset: number;
}

export type Task = HashTask | QuantizeTask;

const HASH_CHUNK_BYTES = 1 << 24;

/** Does one piece of work. @returns The hash, or the empty string. */
export function runTask(task: Task): string {
  return task.kind === "hash" ? hashRange(task) : quantizeRange(task);
}

function hashRange({ file, offset, length }: HashTask): string {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(Math.min(HASH_CHUNK_BYTES, length));
  withFile(file, "r", (handle) => {
    for (let done = 0; done < length; ) {
      const part = chunk.subarray(0, Math.min(chunk.length, length - done));
      readFully(handle, part, offset + done, file);
      hash.update(part);
      done += part.length;
    }
  });
  return hash.digest("hex");
}

function quantizeRange(task: QuantizeTask): "" {
  const { file, dtype, offset, rows, columns, scheme, target } = task;
  const stored = new (elementArray(dtype))(rows * columns);
  withFile(file, "r", (handle) => {
    readFully(handle, new Uint8Array(stored.buffer), offset, file);
  });
  const B = blocksPerRow(columns, scheme);
  const weights = new Uint8Array(rows * B * blockBytes(scheme));
  const scales = new Float32Array(rows * B);
  try {
    quantizeRows(
      toFloat32({ dtype, shape: [rows, columns], data: stored }),
      columns,
      scheme,
      weights,
      scales,
    );
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(
      "bad-weights",
      `checkpoint: expected finite numbers in ${task.name}, got NaN or infinity`,
      "the checkpoint is damaged or was trained to divergence: download it again, or use another",
    );
  }
  withFile(target, "r+", (handle) => {
    writeFully(handle, weights, task.weightsOffset);
    writeFully(handle, new Uint8Array(scales.buffer), task.scalesOffset);
  });
  return "";
}

function withFile(path: string, flags: "r" | "r+", use: (handle: number) => void): void {
  const handle = openSync(path, flags);
  try {
    use(handle);
  } finally {
    closeSync(handle);
  }
}

function readFully(handle: number, into: Uint8Array, position: number, file: string): void {
  for (let done = 0; done < into.length; ) {
    const read = readSync(handle, into, done, into.length - done, position + done);
    if (read === 0) {
      throw new InputError(
        "malformed-safetensors",
        `${file}: expected ${into.length} bytes at ${position}, got ${done}`,
        "the file was cut short while it was being read: download it again",
      );
    }
    done += read;
  }
}

function writeFully(handle: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(handle, bytes, done, bytes.length - done, position + done);
  }
}

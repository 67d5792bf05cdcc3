// Writing a safetensors file so that a reader sees the whole of it or nothing.

import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { InputError } from "../errors.ts";
import { elementArray, elementBytes, isSafetensorsDtype, type Tensor } from "./dtypes.ts";
import { MAX_HEADER_BYTES } from "./safetensors-header.ts";

const ALIGNMENT = 8;
const CHUNK_BYTES = 2 ** 30;

/**
 * Writes tensors to `path`: under a temporary name in the same folder, synced, then renamed over `path`.
 *
 * Tensors are laid out by element size, largest first, after a header padded to 8 bytes, so each is aligned to its
 * elements. Equal arguments give equal bytes. On failure `path` is as it was and the temporary file is gone.
 *
 * @param tensors By name; `data` must hold exactly the product of `shape`, in the typed array of its dtype.
 * @param metadata Strings for `__metadata__`. Default: none.
 * @throws {TypeError} When a dtype, its typed array and its shape disagree, or a tensor is named `__metadata__`.
 * @throws {InputError} `header-too-long`
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const named = tensors instanceof Map ? [...tensors] : Object.entries(tensors as Record<string, Tensor>);
  for (const [name, tensor] of named) requireConsistent(name, tensor);
  const ordered = named.sort(([, a], [, b]) => elementBytes(b.dtype) - elementBytes(a.dtype));
  const { header } = layOutSafetensors(ordered, metadata);

  const temporary = `${path}.${process.pid}-${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx");
    try {
      await writeAll(handle, header);
      for (const [, { data }] of ordered) {
        await writeAll(handle, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

function requireConsistent(name: string, { dtype, shape, data }: Tensor): void {
  if (name === "__metadata__") throw new TypeError("writeSafetensors: no tensor may be named __metadata__");
  if (!isSafetensorsDtype(dtype)) {
    throw new TypeError(`writeSafetensors: ${name} must have a safetensors dtype, got ${dtype}`);
  }
  const expected = elementArray(dtype);
  if (!(data instanceof expected)) {
    throw new TypeError(
      `writeSafetensors: ${name} (${dtype}) must hold a ${expected.name}, got ${(data as object)?.constructor?.name}`,
    );
  }
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    throw new TypeError(`writeSafetensors: ${name} must have a shape of integers ≥ 0, got [${shape}]`);
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements !== data.length) {
    throw new TypeError(
      `writeSafetensors: ${name} [${shape}] must hold ${elements} values, got ${data.length}`,
    );
  }
}

/** A tensor that is going to be written: its size follows. */
export type TensorShape = Pick<Tensor, "dtype" | "shape">;

/** A file to be: its first bytes, where each tensor's bytes go, and how long it gets. */
export interface SafetensorsLayout {
  readonly header: Uint8Array;
  /** From the start of the file, in bytes. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly bytes: number;
}

/**
 * Lays tensors out one after the other, in the order given, for a file that is written piece by piece.
 *
 * @throws {TypeError} When a value of `metadata` is no string.
 * @throws {InputError} `header-too-long` where no reader would take the header.
 */
export function layOutSafetensors(
  ordered: Iterable<readonly [string, TensorShape]>,
  metadata?: Readonly<Record<string, string>>,
): SafetensorsLayout {
  const fields: string[] = [];
  if (metadata !== undefined) {
    for (const [key, value] of Object.entries(metadata)) {
      if (typeof value !== "string") {
        throw new TypeError(`writeSafetensors: metadata ${key} must be a string, got ${typeof value}`);
      }
    }
    fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  }
  let end = 0;
  const begins: [string, number][] = [];
  for (const [name, { dtype, shape }] of ordered) {
    const begin = end;
    end += shape.reduce((product, size) => product * size, elementBytes(dtype));
    begins.push([name, begin]);
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  const json = Buffer.from(`{${fields.join(",")}}`);
  const headerBytes = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new InputError(
      "header-too-long",
      `safetensors: expected a header of at most ${MAX_HEADER_BYTES} bytes, got ${headerBytes}`,
      "write fewer rows, or shorter ids, into one file",
    );
  }
  const header = Buffer.alloc(8 + headerBytes, " ");
  header.writeBigUInt64LE(BigInt(headerBytes));
  json.copy(header, 8);
  const offsets = new Map(begins.map(([name, begin]) => [name, header.length + begin]));
  return { header, offsets, bytes: header.length + end };
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(CHUNK_BYTES, bytes.length - done));
    done += bytesWritten;
  }
}

// The rename itself survives a power cut only once its folder is synced; some platforms cannot open folders.
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

// Reading tensors out of safetensors files; the header is checked by safetensors-header.ts before anything else.

import { type FileHandle, open } from "node:fs/promises";
import { InputError } from "../errors.ts";
import { elementArray, type Tensor, type TensorData } from "./dtypes.ts";
import { readSafetensorsHeader, type TensorRange } from "./safetensors-header.ts";

export { type SafetensorsDtype, type Tensor, type TensorData, toFloat32, toFloat64 } from "./dtypes.ts";
export { readSafetensorsHeader, type SafetensorsHeader, type TensorRange } from "./safetensors-header.ts";
export { writeSafetensors } from "./safetensors-writer.ts";

// One read() call returns at most 2 GiB.
const CHUNK_BYTES = 2 ** 30;

/**
 * Reads every tensor of a file into memory.
 *
 * @returns Tensors by name, in the header's order.
 * @throws {InputError} See `readSafetensorsHeader`.
 */
export async function readSafetensors(path: string): Promise<Map<string, Tensor>> {
  const { tensors } = await readSafetensorsHeader(path);
  const read = new Map<string, Tensor>();
  const handle = await open(path, "r");
  try {
    for (const [name, range] of tensors) read.set(name, await tensorAt(handle, range));
  } finally {
    await handle.close();
  }
  return read;
}

/** Reads one tensor: exactly the bytes of its range. */
export async function readTensor(range: TensorRange): Promise<Tensor> {
  const handle = await open(range.file, "r");
  try {
    return await tensorAt(handle, range);
  } finally {
    await handle.close();
  }
}

/**
 * Reads rows `[start, end)` along the leading axis, and no other bytes.
 *
 * @returns A tensor of shape `[end − start, …rest]`; `start = end` gives an empty one.
 * @throws {TypeError} When the tensor is a scalar. @throws {RangeError} When the rows are not inside the tensor.
 */
export async function readTensorRows(range: TensorRange, start: number, end: number): Promise<Tensor> {
  const [rows, ...rest] = range.shape;
  if (rows === undefined) {
    throw new TypeError(`readTensorRows: ${range.name} must have at least one axis, got a scalar`);
  }
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end < start || end > rows) {
    throw new RangeError(`readTensorRows: rows must lie within [0, ${rows}), got [${start}, ${end})`);
  }
  const rowBytes = rows === 0 ? 0 : range.length / rows;
  return readTensor({
    ...range,
    shape: [end - start, ...rest],
    offset: range.offset + start * rowBytes,
    length: (end - start) * rowBytes,
  });
}

async function tensorAt(handle: FileHandle, range: TensorRange): Promise<Tensor> {
  const bytes = new Uint8Array(range.length);
  let done = 0;
  while (done < bytes.length) {
    const wanted = Math.min(CHUNK_BYTES, bytes.length - done);
    const { bytesRead } = await handle.read(bytes, done, wanted, range.offset + done);
    if (bytesRead === 0) {
      throw new InputError(
        "malformed-safetensors",
        `${range.file}: expected ${range.length} bytes of ${range.name}, got ${done}`,
        "the file was cut short while it was being read: download or write it again",
      );
    }
    done += bytesRead;
  }
  const data: TensorData = new (elementArray(range.dtype))(bytes.buffer);
  return { dtype: range.dtype, shape: range.shape, data };
}

// A safetensors file: 8 bytes little-endian header length, a JSON header, then the tensors' bytes without gaps.
// The header comes from strangers: everything it claims is checked before a byte is allocated or a range handed out.

import { type FileHandle, open, realpath } from "node:fs/promises";
import { InputError } from "../errors.ts";
import { elementBytes, isSafetensorsDtype, type SafetensorsDtype } from "./dtypes.ts";
import { type HeaderValue, parseHeaderJson } from "./header-json.ts";

/** Where a tensor's bytes lie. `file` is a real absolute path, `offset` counts from its start, `length` is in bytes. */
export interface TensorRange {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

export interface SafetensorsHeader {
  readonly tensors: Map<string, TensorRange>;
  readonly metadata: Map<string, string>;
}

const LENGTH_BYTES = 8;
/** Longer headers are neither read nor written. */
export const MAX_HEADER_BYTES = 100_000_000;
const TENSOR_FIELDS = ["dtype", "shape", "data_offsets"];

/**
 * Reads the header of a safetensors file and checks it against the file's size. No tensor is read.
 *
 * @returns The tensors as byte ranges, in the header's order, and the `__metadata__` strings.
 * @throws {InputError} `missing-file`; `malformed-safetensors` for anything the format forbids: duplicate names, bad
 * shapes, sizes that disagree with the offsets, holes, overlaps, trailing bytes, headers above 100 MB.
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  const file = await resolveFile(path);
  const handle = await open(file, "r");
  try {
    return await readHeader(handle, path, file);
  } finally {
    await handle.close();
  }
}

async function resolveFile(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new InputError(
      "missing-file",
      `safetensors: expected a file at ${path}, got none`,
      "check the path, or download the checkpoint again",
    );
  }
}

async function readHeader(handle: FileHandle, path: string, file: string): Promise<SafetensorsHeader> {
  const stats = await handle.stat();
  if (!stats.isFile()) throw malformed(path, "a file", "a folder or device");
  if (stats.size < LENGTH_BYTES) throw malformed(path, "at least 8 bytes", `${stats.size}`);
  const prefix = Buffer.alloc(LENGTH_BYTES);
  await handle.read(prefix, 0, LENGTH_BYTES, 0);
  const claimed = prefix.readBigUInt64LE();
  if (claimed > MAX_HEADER_BYTES) {
    throw malformed(path, `a header of at most ${MAX_HEADER_BYTES} bytes`, `${claimed}`);
  }
  const headerBytes = Number(claimed);
  const dataStart = LENGTH_BYTES + headerBytes;
  if (dataStart > stats.size) {
    throw malformed(path, `a header inside the file's ${stats.size} bytes`, `length ${headerBytes}`);
  }
  const header = Buffer.alloc(headerBytes);
  const { bytesRead } = await handle.read(header, 0, headerBytes, LENGTH_BYTES);
  if (bytesRead !== headerBytes) throw malformed(path, `${headerBytes} header bytes`, `${bytesRead}`);

  const entries = parse(header, path);
  const metadata = metadataOf(entries, path);
  const tensors = new Map<string, TensorRange>();
  for (const [name, entry] of entries) {
    if (name !== "__metadata__") tensors.set(name, tensorRange(name, entry, file, dataStart, path));
  }
  requireGapless(tensors, dataStart, stats.size, path);
  return { tensors, metadata };
}

function parse(header: Buffer, path: string): Map<string, HeaderValue> {
  if (header[0] !== 0x7b) throw malformed(path, "a header that starts with {", "another byte");
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
    return parseHeaderJson(text) as Map<string, HeaderValue>;
  } catch (error) {
    throw malformed(path, "a header in JSON", (error as Error).message);
  }
}

function metadataOf(header: Map<string, HeaderValue>, path: string): Map<string, string> {
  const described = header.get("__metadata__") ?? new Map<string, HeaderValue>();
  if (!(described instanceof Map)) throw malformed(path, "__metadata__ to be an object", typeof described);
  const metadata = new Map<string, string>();
  for (const [key, value] of described) {
    if (typeof value !== "string") throw malformed(path, `__metadata__ ${key} to be a string`, typeof value);
    metadata.set(key, value);
  }
  return metadata;
}

function tensorRange(
  name: string,
  entry: HeaderValue,
  file: string,
  dataStart: number,
  path: string,
): TensorRange {
  const what = `tensor ${JSON.stringify(name)}`;
  if (!(entry instanceof Map)) throw malformed(path, `${what} to be an object`, typeof entry);
  for (const field of entry.keys()) {
    if (!TENSOR_FIELDS.includes(field)) throw malformed(path, `${what} to have ${TENSOR_FIELDS}`, field);
  }
  const dtype = entry.get("dtype");
  if (!isSafetensorsDtype(dtype)) throw malformed(path, `${what} to have a known dtype`, `${dtype}`);
  const shape = entry.get("shape");
  if (!isIntegers(shape)) throw malformed(path, `${what} to have a shape of integers ≥ 0`, `${shape}`);
  const offsets = entry.get("data_offsets");
  if (!isIntegers(offsets) || offsets.length !== 2) {
    throw malformed(path, `${what} to have two data_offsets`, `${offsets}`);
  }
  const [begin, end] = offsets as [number, number];
  const length = end - begin;
  let bytes = elementBytes(dtype);
  for (const size of shape) bytes *= size;
  if (!Number.isSafeInteger(bytes) || bytes !== length) {
    throw malformed(path, `${what}, ${dtype} [${shape}], to span ${bytes} bytes`, `[${begin}, ${end})`);
  }
  return { name, dtype, shape, file, offset: dataStart + begin, length };
}

// In order of offset, each tensor starts where the one before it ends, from the first data byte to the last.
function requireGapless(
  tensors: Map<string, TensorRange>,
  dataStart: number,
  fileBytes: number,
  path: string,
): void {
  const ordered = [...tensors.values()].sort((a, b) => a.offset - b.offset || a.length - b.length);
  let end = dataStart;
  for (const { name, offset, length } of ordered) {
    if (offset !== end) {
      throw malformed(
        path,
        `tensor ${JSON.stringify(name)} at byte ${end}, without gap or overlap`,
        `${offset}`,
      );
    }
    end += length;
  }
  if (end !== fileBytes) throw malformed(path, `a file of ${end} bytes`, `${fileBytes}`);
}

function isIntegers(value: HeaderValue | undefined): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}

function malformed(path: string, expected: string, got: string): InputError {
  return new InputError(
    "malformed-safetensors",
    `${path}: expected ${expected}, got ${got}`,
    "the file is damaged or is not safetensors: download or write it again",
  );
}

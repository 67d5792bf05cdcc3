// Parquet files for tests, written by a writer that the library does not use.

import { execFileSync } from "node:child_process";
import zlib from "node:zlib";
import type { SchemaElement } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";

export type Column = readonly [schema: readonly SchemaElement[], values: readonly unknown[]];

export interface ParquetOptions {
  readonly codec?: "UNCOMPRESSED" | "SNAPPY" | "GZIP" | "ZSTD";
  readonly rowGroupSize?: number;
}

const optional = { repetition_type: "OPTIONAL" } as const;
const utf8 = { type: "BYTE_ARRAY", converted_type: "UTF8" } as const;

export const strings = (name: string, values: readonly (string | null)[]): Column => [
  [{ name, ...utf8, ...optional }],
  values,
];
export const bytes = (name: string, values: readonly (Uint8Array | null)[], asText = false): Column => [
  [{ name, type: "BYTE_ARRAY", ...optional, ...(asText ? { converted_type: "UTF8" as const } : {}) }],
  values,
];
export const int64s = (name: string, values: readonly (bigint | null)[]): Column => [
  [{ name, type: "INT64", ...optional }],
  values,
];
export const doubles = (name: string, values: readonly (number | null)[]): Column => [
  [{ name, type: "DOUBLE", ...optional }],
  values,
];
export const moments = (name: string, values: readonly (Date | null)[]): Column => [
  [{ name, type: "INT64", converted_type: "TIMESTAMP_MILLIS", ...optional }],
  values,
];

/** `list<string>` or `list<double>`. */
export const lists = (
  name: string,
  values: readonly (readonly string[] | readonly number[] | null)[],
): Column => [
  [
    { name, converted_type: "LIST", num_children: 1, ...optional },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    {
      name: "element",
      ...(values.some((list) => typeof list?.[0] === "number") ? ({ type: "DOUBLE" } as const) : utf8),
      ...optional,
    },
  ],
  values,
];

/** `list<struct{content, role}>`, as Python's libraries write it. */
export const conversations = (
  name: string,
  values: readonly (readonly { role: string; content: string | null }[] | null)[],
): Column => [
  [
    { name, converted_type: "LIST", num_children: 1, ...optional },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", num_children: 2, ...optional },
    { name: "content", ...utf8, ...optional },
    { name: "role", ...utf8, ...optional },
  ],
  values,
];

/** The bytes of a Parquet file. */
export function parquetBytes(columns: readonly Column[], options: ParquetOptions = {}): Buffer {
  const schema: SchemaElement[] = [
    { name: "root", num_children: columns.length },
    ...columns.flatMap(([elements]) => [...elements]),
  ];
  const columnData = columns.map(([elements, values]) => ({ name: elements[0]!.name, data: [...values] }));
  const compressors = {
    GZIP: (input: Uint8Array) => new Uint8Array(zlib.gzipSync(input)),
    ZSTD: (input: Uint8Array) => new Uint8Array(compressZstd(input)),
  };
  return Buffer.from(parquetWriteBuffer({ columnData, schema, compressors, ...options }));
}

/** Node has it from 22.15 on; before, the command does it. */
function compressZstd(input: Uint8Array): Buffer {
  const { zstdCompressSync } = zlib as unknown as { zstdCompressSync?: (input: Uint8Array) => Buffer };
  return zstdCompressSync?.(input) ?? execFileSync("zstd", ["-c", "-q"], { input });
}

/** Whether this machine can write zstd. */
export function canWriteZstd(): boolean {
  try {
    return compressZstd(Buffer.from("x")).length > 0;
  } catch {
    return false;
  }
}

import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  readSafetensors,
  readSafetensorsHeader,
  readTensor,
  readTensorRows,
  type Tensor,
  toFloat32,
  toFloat64,
  writeSafetensors,
} from "../../src/checkpoint/safetensors.ts";
import { findTensors } from "../../src/checkpoint/shards.ts";
import { InputError } from "../../src/errors.ts";

const corrupt = new URL("../golden/safetensors-corrupt/", import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(join(corrupt, "manifest.json"), "utf8")) as {
  files: { file: string; valid: boolean; why: string; bytes: number }[];
  index_dirs: { dir: string; valid: boolean; why: string }[];
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "safetensors-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A file with the given header text and number of data bytes. */
async function fileWith(header: string, dataBytes: number): Promise<string> {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = join(folder, "hand-made.safetensors");
  await writeFile(path, Buffer.concat([length, text, Buffer.alloc(dataBytes)]));
  return path;
}

describe("golden safetensors-corrupt", () => {
  test.each(manifest.files)("$file: $why", async ({ file, valid, bytes }) => {
    const path = join(corrupt, file);
    if (!valid) {
      await expect(readSafetensors(path)).rejects.toMatchObject({ code: "malformed-safetensors" });
      await expect(readSafetensors(path)).rejects.toBeInstanceOf(InputError);
      return;
    }
    const { tensors } = await readSafetensorsHeader(path);
    const inMemory = await readSafetensors(path);
    expect([...inMemory.keys()]).toEqual([...tensors.keys()]);
    for (const [name, { offset, length, shape }] of tensors) {
      expect(offset + length).toBeLessThanOrEqual(bytes);
      const elements = shape.reduce((product, size) => product * size, 1);
      expect(inMemory.get(name)!.data.length).toBe(elements);
    }
  });

  test.each(manifest.index_dirs)("$dir: $why", async ({ dir, valid }) => {
    const found = findTensors(join(corrupt, dir));
    if (valid) expect((await found).size).toBeGreaterThan(0);
    else await expect(found).rejects.toBeInstanceOf(InputError);
  });
});

describe("a header is refused when it", () => {
  const f32 = (offsets: string) => `{"dtype":"F32","shape":[1],"data_offsets":${offsets}}`;
  test.each([
    ["hides a duplicate key behind an escape", `{"a":${f32("[0,4]")},"\\u0061":${f32("[4,8]")}}`, 8],
    [
      "repeats a field of a tensor",
      `{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`,
      4,
    ],
    ["repeats __metadata__", `{"__metadata__":{},"__metadata__":{},"a":${f32("[0,4]")}}`, 4],
    ["writes an integer as a fraction", `{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, 4],
    ["writes an integer with an exponent", `{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}`, 4],
    [
      "has an integer above 2^53",
      `{"a":{"dtype":"F32","shape":[9007199254740993,0],"data_offsets":[0,0]}}`,
      0,
    ],
    [
      "has a field the format does not know",
      `{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":0}}`,
      1,
    ],
    ["goes on after its end", `{"a":${f32("[0,4]")}}}`, 4],
    ["is nested without end", `{"a":${"[".repeat(100_000)}`, 0],
    [
      "names a dtype by a property of Object",
      `{"a":{"dtype":"toString","shape":[1],"data_offsets":[0,4]}}`,
      4,
    ],
    ["starts with white space", ` {"a":${f32("[0,4]")}}`, 4],
    ["has an unescaped line break in a name", `{"a\n":${f32("[0,4]")}}`, 4],
    ["ends inside a string", `{"a`, 0],
  ])("%s", async (_, header, dataBytes) => {
    await expect(readSafetensorsHeader(await fileWith(header, dataBytes))).rejects.toMatchObject({
      code: "malformed-safetensors",
    });
  });

  test("is not UTF-8", async () => {
    const path = await fileWith(`{"a":${f32("[0,4]")}}`, 4);
    const bytes = await readFile(path);
    bytes[10] = 0xff;
    await writeFile(path, bytes);
    await expect(readSafetensorsHeader(path)).rejects.toMatchObject({ code: "malformed-safetensors" });
  });
});

test("a tensor may be called __proto__", async () => {
  const path = await fileWith(`{"__proto__":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2);
  const { tensors } = await readSafetensorsHeader(path);
  expect([...tensors.keys()]).toEqual(["__proto__"]);
  expect(tensors.get("__proto__")).toMatchObject({ dtype: "U8", shape: [2], length: 2 });
});

test("a range names the real file behind a symbolic link", async () => {
  const path = join(folder, "blob");
  await writeSafetensors(path, { a: { dtype: "F32", shape: [1], data: Float32Array.of(7) } });
  await symlink(path, join(folder, "link.safetensors"));
  const { tensors } = await readSafetensorsHeader(join(folder, "link.safetensors"));
  expect(tensors.get("a")!.file).toBe(path);
});

test("what was written is read back, whatever the dtype", async () => {
  const tensors: Record<string, Tensor> = {
    flags: { dtype: "BOOL", shape: [3], data: Uint8Array.of(1, 0, 1) },
    half: { dtype: "F16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
    brain: { dtype: "BF16", shape: [1, 2], data: Uint16Array.of(0x3f80, 0xc000) },
    single: { dtype: "F32", shape: [2, 2], data: Float32Array.of(1, -2, Number.NaN, 0.1) },
    double: { dtype: "F64", shape: [], data: Float64Array.of(Math.PI) },
    ids: { dtype: "I64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 62n) },
    part: { dtype: "I32", shape: [2], data: Int32Array.of(0, 1, 2, 3).subarray(1, 3) },
    nothing: { dtype: "F32", shape: [0, 5], data: new Float32Array(0) },
  };
  const path = join(folder, "all.safetensors");
  await writeSafetensors(path, tensors, { format: "pt", 'naïve "key"': "värde" });

  const { metadata, tensors: ranges } = await readSafetensorsHeader(path);
  expect(Object.fromEntries(metadata)).toEqual({ format: "pt", 'naïve "key"': "värde" });
  const first = Math.min(...[...ranges.values()].map(({ offset }) => offset));
  expect(first % 8).toBe(0);
  for (const { offset, length, shape } of ranges.values()) {
    const elements = shape.reduce((product, size) => product * size, 1);
    if (elements > 0) expect(offset % (length / elements)).toBe(0);
  }
  const read = await readSafetensors(path);
  expect(Object.fromEntries(read)).toEqual(tensors);
});

test("equal tensors give equal bytes", async () => {
  const tensors = new Map<string, Tensor>([["b", { dtype: "U8", shape: [1], data: Uint8Array.of(3) }]]);
  await writeSafetensors(join(folder, "1"), tensors, { k: "v" });
  await writeSafetensors(join(folder, "2"), tensors, { k: "v" });
  expect(await readFile(join(folder, "1"))).toEqual(await readFile(join(folder, "2")));
});

describe("a write that fails", () => {
  test.each<[string, Tensor, string]>([
    ["the shape does not fit", { dtype: "F32", shape: [3], data: new Float32Array(2) }, "3 values, got 2"],
    ["the typed array is another", { dtype: "F16", shape: [2], data: new Float32Array(2) }, "Uint16Array"],
    ["a dimension is negative", { dtype: "U8", shape: [-1, -1], data: new Uint8Array(1) }, "≥ 0"],
  ])("because %s names the tensor", async (_, tensor, message) => {
    await expect(writeSafetensors(join(folder, "x"), { weight: tensor })).rejects.toThrow(message);
    await expect(writeSafetensors(join(folder, "x"), { weight: tensor })).rejects.toThrow("weight");
  });

  test("at its last step leaves what was there, and no temporary file", async () => {
    const occupied = join(folder, "occupied"); // A folder cannot be replaced by a file: the rename fails.
    await mkdir(join(occupied, "kept"), { recursive: true });
    const tensors: Record<string, Tensor> = { a: { dtype: "U8", shape: [1], data: Uint8Array.of(1) } };
    await expect(writeSafetensors(occupied, tensors)).rejects.toThrow();
    expect(await readdir(folder)).toEqual(["occupied"]);
    expect(await readdir(occupied)).toEqual(["kept"]);
  });
});

test("a header that no reader would take is not written", async () => {
  const path = join(folder, "long.safetensors");
  const tensors = { a: { dtype: "F32", shape: [1], data: Float32Array.of(1) } } as const;
  await expect(writeSafetensors(path, tensors, { rows: "x".repeat(100_000_000) })).rejects.toMatchObject({
    code: "header-too-long",
    message: expect.stringMatching(/expected a header of at most 100000000 bytes, got 1000000\d\d$/),
  });
  expect(await readdir(folder)).toEqual([]);
  await writeSafetensors(path, tensors, { rows: "x".repeat(99_999_000) });
  expect((await readSafetensorsHeader(path)).metadata.get("rows")).toHaveLength(99_999_000);
});

describe("reading rows", () => {
  const data = Float32Array.from({ length: 24 }, (_, i) => i);

  test("gives the leading-axis slice", async () => {
    const path = join(folder, "rows.safetensors");
    await writeSafetensors(path, {
      before: { dtype: "F64", shape: [1], data: Float64Array.of(1) },
      x: { dtype: "F32", shape: [4, 3, 2], data },
    });
    const range = (await readSafetensorsHeader(path)).tensors.get("x")!;
    expect(await readTensor(range)).toEqual({ dtype: "F32", shape: [4, 3, 2], data });
    for (const [start, end] of [
      [0, 4],
      [1, 3],
      [3, 4],
      [2, 2],
    ] as const) {
      const rows = await readTensorRows(range, start, end);
      expect(rows).toEqual({
        dtype: "F32",
        shape: [end - start, 3, 2],
        data: data.slice(start * 6, end * 6),
      });
    }
    for (const [start, end] of [
      [-1, 2],
      [0, 5],
      [3, 2],
      [0.5, 1],
    ] as const) {
      await expect(readTensorRows(range, start, end)).rejects.toThrow(RangeError);
    }
  });

  test("of a scalar is a type error", async () => {
    const path = join(folder, "scalar.safetensors");
    await writeSafetensors(path, { s: { dtype: "F32", shape: [], data: Float32Array.of(1) } });
    const range = (await readSafetensorsHeader(path)).tensors.get("s")!;
    await expect(readTensorRows(range, 0, 1)).rejects.toThrow(TypeError);
  });

  test("of a file that has since been cut short fails", async () => {
    const path = join(folder, "cut.safetensors");
    await writeSafetensors(path, { x: { dtype: "F32", shape: [24], data } });
    const range = (await readSafetensorsHeader(path)).tensors.get("x")!;
    await truncate(path, range.offset + 20);
    await expect(readTensorRows(range, 0, 5)).resolves.toBeDefined();
    await expect(readTensorRows(range, 4, 6)).rejects.toMatchObject({ code: "malformed-safetensors" });
  });
});

describe("values as floats", () => {
  test("f16: normal, subnormal, infinite, NaN and signed zero", () => {
    const bits = Uint16Array.of(
      0x3c00,
      0xbc00,
      0x3555,
      0x7bff,
      0x0400,
      0x0001,
      0x03ff,
      0x7c00,
      0xfc00,
      0x7e00,
      0x8000,
    );
    const values = toFloat32({ dtype: "F16", shape: [11], data: bits });
    const expected = [
      1,
      -1,
      0.333251953125,
      65504,
      2 ** -14,
      2 ** -24,
      1023 * 2 ** -24,
      Infinity,
      -Infinity,
      NaN,
      -0,
    ];
    expect([...values]).toEqual(expected);
  });

  test("bf16: the upper half of an f32", () => {
    const bits = Uint16Array.of(0x3f80, 0xc049, 0x7f80, 0x0001, 0x8000);
    const values = toFloat64({ dtype: "BF16", shape: [5], data: bits });
    expect([...values]).toEqual([1, -3.140625, Infinity, 2 ** -133, -0]);
  });

  test("f32 and f64 come back uncopied in their own width", () => {
    const single = Float32Array.of(1.5);
    const double = Float64Array.of(1.5);
    expect(toFloat32({ dtype: "F32", shape: [1], data: single })).toBe(single);
    expect(toFloat64({ dtype: "F64", shape: [1], data: double })).toBe(double);
    expect([...toFloat32({ dtype: "F64", shape: [1], data: double })]).toEqual([1.5]);
    expect([...toFloat64({ dtype: "F32", shape: [1], data: single })]).toEqual([1.5]);
  });

  test("integers and booleans are numbers; 8-bit floats are refused", () => {
    expect([...toFloat32({ dtype: "I64", shape: [2], data: BigInt64Array.of(-3n, 4n) })]).toEqual([-3, 4]);
    expect([...toFloat64({ dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) })]).toEqual([1, 0]);
    expect(() => toFloat32({ dtype: "F8_E4M3", shape: [1], data: Uint8Array.of(1) })).toThrow(TypeError);
  });
});

import { truncateSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeFile } from "../../src/data/describe-file.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { readPairs } from "../../src/data/pairs.ts";
import { readRows } from "../../src/data/rows.ts";
import { collect, fileWith } from "./data-file.ts";
import {
  bytes,
  canWriteZstd,
  conversations,
  doubles,
  int64s,
  moments,
  type ParquetOptions,
  parquetBytes,
  strings,
} from "./parquet-file.ts";

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const many = Array.from({ length: 25 }, (_, i) => i);
// What reads like text again and again is what compression has work with.
const text = (i: number) => `answer ${i} ${"to be or not to be ".repeat(i)}`;

const pairsFile = (options: ParquetOptions = {}, name = "pairs.parquet") =>
  fileWith(
    parquetBytes(
      [
        conversations(
          "chosen",
          many.map((i) => [user(`Question ${i}?`), assistant(text(i))]),
        ),
        conversations(
          "rejected",
          many.map((i) => [user(`Question ${i}?`), assistant(`no ${i}`)]),
        ),
        strings(
          "subset",
          many.map((i) => (i % 2 ? "odd" : null)),
        ),
        int64s(
          "id",
          many.map((i) => (i === 3 ? null : BigInt(i))),
        ),
        doubles(
          "score",
          many.map((i) => i / 8),
        ),
      ],
      options,
    ),
    name,
  );

const expected = many.map((i) => ({
  chosen: [
    { content: `Question ${i}?`, role: "user" },
    { content: text(i), role: "assistant" },
  ],
  rejected: [
    { content: `Question ${i}?`, role: "user" },
    { content: `no ${i}`, role: "assistant" },
  ],
  subset: i % 2 ? "odd" : null,
  id: i === 3 ? null : i,
  score: i / 8,
}));

const valuesOf = async (path: string) =>
  (await collect(readRows(path))).map((row) => (row.kind === "row" ? row.value : row.error));

describe("columns become rows", () => {
  const codecs = ["UNCOMPRESSED", "SNAPPY", "GZIP", ...(canWriteZstd() ? ["ZSTD" as const] : [])] as const;
  test.each(codecs)("%s, in one row group and in several", async (codec) => {
    for (const rowGroupSize of [4, 25, 1000]) {
      expect(await valuesOf(pairsFile({ codec, rowGroupSize }))).toEqual(expected);
    }
  });

  test("rows are numbered over row groups, and recognised by content whatever the name", async () => {
    const rows = await collect(readRows(pairsFile({ rowGroupSize: 4 }, "pairs.bin")));
    expect(rows.map(({ line }) => line)).toEqual(many.map((i) => i + 1));
    expect(rows[7]).toMatchObject({ kind: "row", unit: "row" });
  });

  test("they are pairs like those of JSONL", async () => {
    const fromParquet = await collect(readPairs([parseDataLocation(`x=${pairsFile()}`)]));
    const lines = expected.map((row) => JSON.stringify(row)).join("\n");
    const fromJson = await collect(readPairs([parseDataLocation(`x=${fileWith(lines)}`)]));
    expect(fromParquet).toEqual(fromJson);
    expect(fromParquet).toHaveLength(25);
  });

  test("the text of a row is JSON, for commands that pass rows on", async () => {
    for await (const row of readRows(pairsFile())) {
      if (row.kind === "row") expect(JSON.parse(row.bytes.toString())).toEqual(row.value);
    }
  });
});

describe("values", () => {
  test("moments are ISO texts, NaN is null, bytes are text where they are UTF-8 and base64 where not", async () => {
    const path = fileWith(
      parquetBytes([
        moments("at", [new Date(Date.UTC(2024, 1, 29, 12)), null]),
        doubles("rating", [Number.NaN, 0.1]),
        bytes("blob", [new TextEncoder().encode("ü"), Uint8Array.of(0xff, 0xd8)]),
      ]),
    );
    expect(await valuesOf(path)).toEqual([
      { at: "2024-02-29T12:00:00.000Z", rating: null, blob: "ü" },
      { at: null, rating: 0.1, blob: "/9g=" },
    ]);
  });

  test("whole numbers that no double holds, and text that is no UTF-8, cost their row", async () => {
    const edge = BigInt(Number.MAX_SAFE_INTEGER);
    const path = fileWith(
      parquetBytes([
        int64s("n", [edge, edge + 2n, 1n, -edge]),
        bytes("t", [Buffer.from("a"), Buffer.from("b"), Uint8Array.of(0xff), Buffer.from("d")], true),
      ]),
    );
    const rows = await collect(readRows(path));
    expect(rows.map((row) => (row.kind === "row" ? row.value : row.error))).toEqual([
      { n: Number.MAX_SAFE_INTEGER, t: "a" },
      'column "n": expected a whole number of at most 2^53, got 9007199254740993; mend or drop the column',
      'column "t": expected text, got text that is no UTF-8; mend or drop the column',
      { n: -Number.MAX_SAFE_INTEGER, t: "d" },
    ]);
    expect(rows[1]).toMatchObject({ kind: "error", line: 2, unit: "row" });
  });
});

describe("files that are not whole", () => {
  const corrupt = (message: RegExp) => ({
    name: "InputError",
    code: "corrupt-parquet",
    message: expect.stringMatching(message),
  });

  test("a truncated file is refused in one line, wherever it ends", async () => {
    const whole = parquetBytes([strings("a", many.map(text))], { rowGroupSize: 5 });
    for (const length of [4, 11, 40, Math.floor(whole.length / 2), whole.length - 1]) {
      const path = fileWith(whole, "x.parquet");
      truncateSync(path, length);
      await expect(collect(readRows(path))).rejects.toMatchObject(
        corrupt(/^\S+: expected a whole Parquet file, got one that ends early$/),
      );
      await expect(describeFile(path)).rejects.toMatchObject(corrupt(/ends early/));
    }
  });

  test("damage inside a page or the footer is refused, not read as something else", async () => {
    const whole = parquetBytes([strings("a", many.map(text))], { codec: "GZIP", rowGroupSize: 5 });
    const damaged = Buffer.from(whole).fill(0xa5, 40, 120);
    await expect(collect(readRows(fileWith(damaged, "x.parquet")))).rejects.toMatchObject(
      corrupt(/cannot be decoded/),
    );
    const footer = Buffer.from(whole).fill(0xff, whole.length - 60, whole.length - 8);
    await expect(collect(readRows(fileWith(footer, "x.parquet")))).rejects.toMatchObject(
      corrupt(/cannot be decoded/),
    );
    const length = Buffer.from(whole);
    length.writeUInt32LE(0x7fffffff, whole.length - 8);
    await expect(collect(readRows(fileWith(length, "x.parquet")))).rejects.toMatchObject(
      corrupt(/cannot be decoded/),
    );
  });

  test("something else under the name is named, a pointer of git's large files most of all", async () => {
    await expect(collect(readRows(fileWith('{"a":1}\n{"a":2}\n', "x.parquet")))).rejects.toMatchObject(
      corrupt(/got something else/),
    );
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
    await expect(collect(readRows(fileWith(pointer, "x.parquet")))).rejects.toMatchObject(
      corrupt(/got a pointer/),
    );
  });
});

test("the manifest's description counts rows without decoding them", async () => {
  const path = pairsFile({ rowGroupSize: 4 });
  expect(await describeFile(path)).toMatchObject({
    rows: 25,
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test("a table without rows is refused as empty", async () => {
  await expect(
    collect(readRows(fileWith(parquetBytes([strings("a", [])]), "x.parquet"))),
  ).rejects.toMatchObject({
    code: "empty-file",
  });
});

test("a row group is read when its rows are due: damage further on comes after the rows before it", async () => {
  const whole = parquetBytes([strings("a", many.map(text))], { codec: "GZIP", rowGroupSize: 5 });
  const last = whole.lastIndexOf(Buffer.from([0x1f, 0x8b, 0x08]));
  const path = fileWith(Buffer.from(whole).fill(0xa5, last, last + 60), "x.parquet");
  const read: number[] = [];
  const readAll = async () => {
    for await (const row of readRows(path)) read.push(row.line);
  };
  await expect(readAll()).rejects.toMatchObject({ code: "corrupt-parquet" });
  expect(read).toEqual(many.slice(0, 20).map((i) => i + 1));
});

test("a reader may be left early", async () => {
  for await (const row of readRows(pairsFile({ rowGroupSize: 4 }))) {
    expect(row.line).toBe(1);
    break;
  }
});

import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readRows } from "../../src/data/rows.ts";
import { collect, fileWith } from "./data-file.ts";

const rowsOf = (content: string | Uint8Array, name?: string) => collect(readRows(fileWith(content, name)));
const valuesOf = async (content: string | Uint8Array, name?: string) =>
  (await rowsOf(content, name)).map((row) => (row.kind === "row" ? row.value : row.error));
const linesOf = async (content: string, name?: string) =>
  (await rowsOf(content, name)).map(({ line }) => line);

/** The same bytes in pieces of the given size. */
const inPieces = (content: string | Uint8Array, size: number) => {
  const bytes = Buffer.from(content);
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
  return Readable.from(pieces, { objectMode: true });
};

describe("JSONL", () => {
  test("blank lines, a byte order mark, CRLF and a missing last newline do not matter", async () => {
    const content = '\ufeff{"a":1}\r\n\r\n  {"a":2}\n\n{"a":3}';
    expect(await valuesOf(content)).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
    expect(await linesOf(content)).toEqual([1, 3, 5]);
  });

  test("separators that only some line readers know stay inside their string", async () => {
    expect(await valuesOf('{"a":"x\u2028y\u2029z\u0085"}\n{"a":"b"}')).toEqual([
      { a: "x\u2028y\u2029z\u0085" },
      { a: "b" },
    ]);
  });

  test("a malformed line is one error with its line number, and reading goes on", async () => {
    const rows = await rowsOf('{"a":1}\n{"a":\n{"a":3}\n');
    expect(rows.map(({ kind }) => kind)).toEqual(["row", "error", "row"]);
    expect(rows[1]).toMatchObject({ line: 2, error: expect.stringMatching(/^malformed JSON/) });
  });

  test("a row may be an array where the name says JSONL", async () => {
    expect(await valuesOf("[1]\n[2,3]\n")).toEqual([[1], [2, 3]]);
  });
});

describe("JSON documents", () => {
  const document = '[\n {"a": "[,]\\"}", "b": [1, {"c": 2}]},\n\n {"a": 2}\n, 3]\n';

  test("the elements of an array are rows, with the line each begins on", async () => {
    expect(await valuesOf(document, "x.json")).toEqual([{ a: '[,]"}', b: [1, { c: 2 }] }, { a: 2 }, 3]);
    expect(await linesOf(document, "x.json")).toEqual([2, 4, 5]);
  });

  test("an object printed over several lines is one row", async () => {
    expect(await valuesOf('{\n  "a": {\n    "b": 1\n  }\n}\n', "x.json")).toEqual([{ a: { b: 1 } }]);
  });

  test("an array of messages is one row, alone or one after another", async () => {
    const conversation = [
      { content: "hi", role: "user" },
      { role: "assistant", content: "hello" },
    ];
    const text = JSON.stringify(conversation, null, 1);
    expect(await valuesOf(text, "x.json")).toEqual([conversation]);
    expect(await valuesOf(`${text}\n${text}`, "x.json")).toEqual([conversation, conversation]);
    expect(await linesOf(`\n${text}`, "x.json")).toEqual([3]);
  });

  test("an element that is no JSON costs one row", async () => {
    const rows = await rowsOf('[{"a":1},\n{"a" 2},\n,\n{"a":3}]', "x.json");
    expect(rows.map(({ kind }) => kind)).toEqual(["row", "error", "error", "row"]);
    expect(rows[1]!.line).toBe(2);
  });

  test("a document that ends early is an error, wherever it ends", async () => {
    for (const text of ['[{"a":1},{"a"', '[{"a":1},', '[{"a":1}', '[{"a":1}, "b', '{\n"a":1']) {
      const rows = await rowsOf(text, "x.json");
      expect(rows[rows.length - 1]).toMatchObject({ kind: "error" });
    }
  });

  test("stray text before an array is an error, not skipped", async () => {
    expect((await rowsOf("[1]\nstray\n[2]", "x.json")).map(({ kind }) => kind)).toEqual([
      "row",
      "error",
      "row",
    ]);
  });
});

test("cutting the stream anywhere changes nothing", async () => {
  const texts = [
    '{"a":"ü\u2028"}\n\n{"b":[1,2]}\r\n',
    '[\n{"a":"ü\\\\"},\n{"b":[1,2]} , []]',
    '{\n"a":\n"x"}',
  ];
  for (const text of texts) {
    const whole = await collect(readRows(inPieces(text, 1000)));
    expect(whole.every(({ kind }) => kind === "row")).toBe(true);
    for (const size of [1, 2, 3, 7]) expect(await collect(readRows(inPieces(text, size)))).toEqual(whole);
    expect(await collect(readRows(inPieces(gzipSync(text), 3)))).toEqual(whole);
  }
});

test("rows come out before the stream ends, also from an array on one line", async () => {
  for (const [start, next] of [
    ['[{"a":1},', '{"a":2},'],
    ['{"a":1}\n', '{"a":2}\n'],
  ] as const) {
    let sent = 0;
    async function* endless() {
      yield Buffer.from(start);
      for (; ; sent++) yield Buffer.from(next);
    }
    for await (const row of readRows(endless())) {
      if (row.kind === "error" || row.line < 0) throw new Error("expected rows");
      if (sent > 10) break;
    }
    expect(sent).toBeLessThan(20);
  }
});

test("gzip is recognised by content, with several members as one file", async () => {
  const members = Buffer.concat([gzipSync('{"a":1}\n'), gzipSync('{"a":2}\n')]);
  expect(await valuesOf(members, "plain-name.jsonl")).toEqual([{ a: 1 }, { a: 2 }]);
});

test("NaN and infinities as Python writes them are named", async () => {
  expect(await valuesOf('{"a":NaN}\n{"a":"NaN","b":-Infinity}\n{"a":"NaN"}')).toEqual([
    "malformed JSON: NaN is not a JSON number; write null for a missing value",
    "malformed JSON: -Infinity is not a JSON number; write null for a missing value",
    { a: "NaN" },
  ]);
});

test("text that is no UTF-8 is an error in its row", async () => {
  const bytes = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0x41]), Buffer.from('"}\n{"a":1}')]);
  expect(await valuesOf(bytes)).toEqual([expect.stringMatching(/expected UTF-8/), { a: 1 }]);
});

test("a file without rows is refused", async () => {
  for (const content of ["", "\n \r\n", gzipSync("")]) {
    await expect(rowsOf(content)).rejects.toMatchObject({ code: "empty-file" });
  }
  await expect(rowsOf("[ ]", "x.json")).rejects.toMatchObject({ code: "empty-file" });
});

test("files that cannot be read are refused by kind", async () => {
  await expect(collect(readRows("no/such/file.jsonl"))).rejects.toMatchObject({ code: "missing-file" });
  await expect(collect(readRows(import.meta.dirname))).rejects.toMatchObject({ code: "no-data-files" });
  await expect(rowsOf("PAR1....")).rejects.toMatchObject({ code: "corrupt-parquet" });
  await expect(collect(readRows(inPieces("PAR1....", 3)))).rejects.toMatchObject({
    code: "unsupported-format",
    remedy: expect.stringMatching(/give its path/),
  });
  await expect(rowsOf(Buffer.from('{"a":1}', "utf16le"))).resolves.toHaveLength(1);
  await expect(rowsOf(Buffer.from('\ufeff{"a":1}', "utf16le"))).rejects.toMatchObject({
    code: "unsupported-format",
  });
  const zipped = gzipSync(JSON.stringify({ a: "x".repeat(1000) }));
  await expect(rowsOf(zipped.subarray(0, zipped.length - 9))).rejects.toMatchObject({ code: "corrupt-gzip" });
});

test("a reader may be left early", async () => {
  const path = fileWith(gzipSync('{"a":1}\n'.repeat(200_000)));
  for await (const row of readRows(path)) {
    expect(row.line).toBe(1);
    break;
  }
});

import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readCsvRows } from "../../src/data/csv-rows.ts";
import { describeFile } from "../../src/data/describe-file.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { readRatings } from "../../src/data/ratings.ts";
import { readRows } from "../../src/data/rows.ts";
import { collect, fileWith } from "./data-file.ts";

const csv = (content: string | Uint8Array, name = "rows.csv") => fileWith(content, name);
const rowsOf = (content: string | Uint8Array, name?: string) => collect(readRows(csv(content, name)));
const valuesOf = async (content: string | Uint8Array, name?: string) =>
  (await rowsOf(content, name)).map((row) => (row.kind === "row" ? row.value : row.error));

const TEXT =
  '\ufeffprompt,response,quality\r\n"Say ""hi"", please",hi,4\r\n"two\nlines","a,b",-0.5e1\r\n\r\n42,07,\r\n';

describe("records", () => {
  test("quotes, line breaks and commas in cells, a byte order mark, CRLF and blank lines", async () => {
    expect(await valuesOf(TEXT)).toEqual([
      { prompt: 'Say "hi", please', response: "hi", quality: 4 },
      { prompt: "two\nlines", response: "a,b", quality: -5 },
      { prompt: "42", response: "07", quality: null },
    ]);
  });

  test("carry the line on which they begin", async () => {
    const rows = await rowsOf(TEXT);
    expect(rows.map(({ line }) => line)).toEqual([2, 3, 6]);
    expect((rows[1] as { unit?: string }).unit).toBeUndefined();
  });

  test("are the same compressed, and cut anywhere", async () => {
    const whole = await valuesOf(TEXT);
    expect(await valuesOf(gzipSync(TEXT), "rows.csv.gz")).toEqual(whole);
    for (const size of [1, 2, 7]) {
      const bytes = Buffer.from(TEXT);
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      const rows = await collect(readCsvRows(Readable.from(pieces), "x"));
      expect(rows.map((row) => (row.kind === "row" ? row.value : row))).toEqual(whole);
    }
  });

  test("are counted without being decoded", async () => {
    expect((await describeFile(csv(TEXT))).rows).toBe(3);
    await expect(rowsOf("prompt,response\n")).rejects.toMatchObject({ code: "empty-file" });
  });

  test("of structure hold JSON", async () => {
    const messages = [{ role: "user", content: "a" }];
    const cell = `"${JSON.stringify(messages).replaceAll('"', '""')}"`;
    expect(await valuesOf(`messages,id\n${cell},1\n`)).toEqual([{ messages, id: "1" }]);
    expect(await valuesOf("messages\nplain\n")).toEqual([
      'column "messages": expected JSON, got the string "plain"; mend the cell',
    ]);
  });
});

describe("what does not fit", () => {
  test("another number of cells, and bytes that are no UTF-8, cost their row", async () => {
    const bytes = Buffer.concat([
      Buffer.from("a,b\n1,2,3\n4,"),
      Buffer.from([0xff]),
      Buffer.from("\n5\n6,7\n"),
    ]);
    const rows = await rowsOf(bytes);
    expect(rows.map((row) => (row.kind === "row" ? row.value : [row.line, row.error]))).toEqual([
      [2, "row: expected 2 cells, got 3; quote cells that hold commas or line breaks"],
      [3, 'column "b": expected UTF-8, got other bytes; mend the cell'],
      [4, "row: expected 2 cells, got 1; quote cells that hold commas or line breaks"],
      { a: 6, b: 7 },
    ]);
  });

  test("quotes that do not match end in one line, and so does a header that names a column twice or not", async () => {
    for (const text of ['a,b\n1,"2', 'a,b\n1,"2"3\n4,5\n']) {
      await expect(rowsOf(text)).rejects.toMatchObject({
        code: "corrupt-csv",
        message: expect.stringMatching(/^[^\n]*$/),
      });
    }
    await expect(rowsOf("a,a\n1,2\n")).rejects.toMatchObject({
      code: "bad-header",
      message: expect.stringMatching(/got "a" twice/),
    });
    await expect(rowsOf("a,,b\n1,2,3\n")).rejects.toMatchObject({
      code: "bad-header",
      message: expect.stringMatching(/an empty one/),
    });
  });
});

test("columns of numbers are ratings by name, an empty cell is none", async () => {
  const location = parseDataLocation(`hs=${csv("prompt,response,helpful,tact\nA?,yes,4,\nB?,no,,2.5\n")}`);
  const records = await collect(readRatings([location], { objectives: ["hs-helpful", "hs-tact"] }));
  expect(records).toMatchObject([{ ratings: { "hs-helpful": 4 } }, { ratings: { "hs-tact": 2.5 } }]);
  expect(
    records.map((record) => (record.kind === "rating" ? Object.keys(record.ratings).length : 0)),
  ).toEqual([1, 1]);
});

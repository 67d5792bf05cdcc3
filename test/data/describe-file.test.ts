import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { describeFile } from "../../src/data/describe-file.ts";
import { detectKind } from "../../src/data/kind.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { fileWith, rowsFile } from "./data-file.ts";

test("a file is described by the bytes as stored and its rows", async () => {
  const text = '{"a":1}\n\n{"a":2}\nnot json\n';
  for (const content of [Buffer.from(text), gzipSync(text)]) {
    expect(await describeFile(fileWith(content))).toEqual({
      sha256: createHash("sha256").update(content).digest("hex"),
      rows: 3,
      bytes: content.length,
    });
  }
  expect((await describeFile(fileWith('[{"a":1},\n{"a":2}]', "x.json"))).rows).toBe(2);
  expect((await describeFile(fileWith(""))).rows).toBe(0);
});

test("the kind of a file is told from its first readable row", async () => {
  const pair = { prompt: "x", chosen: "a", rejected: "b" };
  const rating = { prompt: "x", response: "a", ratings: { a: 1 } };
  expect(await detectKind(rowsFile(pair, rating))).toBe("pairs");
  expect(await detectKind(rowsFile(rating, pair))).toBe("ratings");
  expect(await detectKind(parseDataLocation(fileWith(`broken\n${JSON.stringify(pair)}`)))).toBe("pairs");
  // Reading it as ratings then says what is wrong with it.
  expect(await detectKind(parseDataLocation(fileWith("a,b\n1,2\n")))).toBe("ratings");
});

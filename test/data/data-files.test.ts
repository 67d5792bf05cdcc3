import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isDataset, locateData } from "../../src/data/data-files.ts";
import { describeFile } from "../../src/data/describe-file.ts";
import { readRows } from "../../src/data/rows.ts";
import { collect } from "./data-file.ts";
import { parquetBytes, strings } from "./parquet-file.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "armorm-files-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const write = (files: Record<string, string | Uint8Array>) => {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
};
const table = (...values: string[]) => parquetBytes([strings("a", values)]);

describe("a directory", () => {
  test("is its files sorted by name, read one after the other", async () => {
    write({
      "train-00001-of-00002.parquet": table("c"),
      "train-00000-of-00002-ab12.parquet": table("a", "b"),
      "README.md": "about",
      "dataset_info.json": "{}",
      ".hidden.jsonl": "{}",
    });
    mkdirSync(join(folder, "elsewhere"));
    const rows = await collect(readRows(folder));
    expect(rows.map((row) => (row.kind === "row" ? row.value : row))).toEqual([
      { a: "a" },
      { a: "b" },
      { a: "c" },
    ]);
    expect(rows.map(({ file, line }) => [file.replace(folder, ""), line])).toEqual([
      ["/train-00000-of-00002-ab12.parquet", 1],
      ["/train-00000-of-00002-ab12.parquet", 2],
      ["/train-00001-of-00002.parquet", 1],
    ]);
  });

  test("is described as one, by the contents of its files in order", async () => {
    write({ "a.jsonl": '{"a":1}\n{"a":2}\n', "b.json": '[{"a":3}]' });
    const first = await describeFile(folder);
    expect(first).toMatchObject({ rows: 3, bytes: 25 });
    write({ "b.json": '[{"a":4}]' });
    expect((await describeFile(folder)).sha256).not.toBe(first.sha256);
  });

  test("may hold an empty part among others", async () => {
    write({ "a.jsonl": "", "b.jsonl": '{"a":1}\n' });
    expect(await collect(readRows(folder))).toHaveLength(1);
  });

  test("of several formats, or with files of none, is refused in one line", async () => {
    write({ "a.jsonl": "{}", "b.csv": "a\n1\n" });
    await expect(locateData(folder)).rejects.toMatchObject({
      code: "mixed-formats",
      message: expect.stringMatching(/got a\.jsonl beside b\.csv$/),
    });
    rmSync(join(folder, "b.csv"));
    write({ "c.arrow": "x" });
    await expect(locateData(folder)).rejects.toMatchObject({
      code: "mixed-formats",
      message: expect.stringMatching(/a\.jsonl beside c\.arrow$/),
    });
  });

  test("without files of rows, or without one of its shards, is refused", async () => {
    await expect(locateData(folder)).rejects.toMatchObject({ code: "no-data-files" });
    write({ "train-00000-of-00003.parquet": table("a"), "train-00002-of-00003.parquet": table("b") });
    await expect(locateData(folder)).rejects.toMatchObject({
      code: "missing-shard",
      message: expect.stringMatching(
        /expected a part called train-00001-of-00003\.parquet beside the others/,
      ),
    });
  });
});

test("what can only be a path is never looked for on the hub", () => {
  expect(["org/name", "org/name:train", "org/name@v1:easy/train"].map(isDataset)).toEqual([true, true, true]);
  for (const path of [
    "data/x.jsonl",
    "data/x.parquet",
    "./a/b",
    "/a/b",
    "~/a",
    "a/b/c",
    "name",
    "C:/a",
    "a/b.csv.gz",
  ]) {
    expect(isDataset(path)).toBe(false);
  }
});

import { expect, test } from "vitest";
import { parseDataLocation } from "../../src/data/location.ts";

test("a bare path names its source after the file and leaves objective names alone", () => {
  const location = parseDataLocation("data/hh_harmless_test.jsonl.gz");
  expect(location).toEqual({
    source: "hh_harmless_test",
    prefix: "",
    path: "data/hh_harmless_test.jsonl.gz",
  });
  expect(parseDataLocation("v0.1.json").source).toBe("v0.1");
  expect(parseDataLocation("rows.txt").source).toBe("rows.txt");
});

test("NAME=path names the source and prefixes its objectives", () => {
  const location = parseDataLocation("helpsteer=ratings/hs.jsonl");
  expect(location).toEqual({ source: "helpsteer", prefix: "helpsteer-", path: "ratings/hs.jsonl" });
});

test("an equals sign inside a path is part of the path", () => {
  expect(parseDataLocation("./split=train/rows.jsonl").path).toBe("./split=train/rows.jsonl");
  expect(parseDataLocation("a=b=c.jsonl")).toMatchObject({ source: "a", path: "b=c.jsonl" });
});

test("a location with an empty part is refused", () => {
  for (const text of ["", "  ", "=x.jsonl", "name="]) {
    expect(() => parseDataLocation(text)).toThrow(/expected PATH or NAME=PATH/);
  }
});

import { expect, test } from "vitest";
import { openRepeatedIds } from "../../src/data/repeated-ids.ts";

test("an id is repeated from its second time on, however many others have come", () => {
  const ids = openRepeatedIds();
  for (let i = 0; i < 50_000; i++) expect(ids.isRepeated(`id ${i}`)).toBe(false);
  for (let i = 0; i < 50_000; i += 7) expect(ids.isRepeated(`id ${i}`)).toBe(true);
  expect(ids.isRepeated("id 50000")).toBe(false);
});

test("when the table is full, ids are compared with those in it", () => {
  const ids = openRepeatedIds(16);
  for (let i = 0; i < 100; i++) expect(ids.isRepeated(`id ${i}`)).toBe(false);
  expect(Array.from({ length: 100 }, (_, i) => ids.isRepeated(`id ${i}`)).lastIndexOf(true)).toBe(11);
});

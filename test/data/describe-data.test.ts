import { expect, test } from "vitest";
import { describeData } from "../../src/data/describe-data.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { rowsFile } from "./data-file.ts";

test("ratings: objectives with what is missing, lengths in code points and words", async () => {
  const { path } = rowsFile(
    { prompt: "A b?", response: "😀 é", ratings: { quality: 1, tact: null } },
    { prompt: "a B?", response: "three words here", ratings: { quality: 4, tact: 2 } },
    { prompt: "C?", response: "x", ratings: { quality: "4" } },
  );
  const about = await describeData(parseDataLocation(`hs=${path}`));
  expect(about).toMatchObject({ kind: "ratings", rows: 2, prompts: 1, chosenLonger: null, subsets: {} });
  expect(about.rejected).toEqual({
    count: 1,
    first: expect.stringMatching(/line 3: rating "quality": expected a number or null, got the string/),
  });
  expect(about.objectives).toEqual([
    { name: "hs-quality", rated: 2, missing: 0, minimum: 1, mean: 2.5, maximum: 4 },
    { name: "hs-tact", rated: 1, missing: 1, minimum: 2, mean: 2, maximum: 2 },
  ]);
  expect(about.lengths.response).toEqual({
    texts: 2,
    characters: { mean: 9.5, median: 9.5, maximum: 16 },
    words: { mean: 2.5, median: 2.5, maximum: 3 },
  });
});

test("ratings in columns are found by name", async () => {
  const file = rowsFile({ prompt: "A?", response: "x", quality: 3 });
  expect((await describeData(file)).kind).toBe("conversations");
  const about = await describeData(file, { objectives: ["quality"] });
  expect(about).toMatchObject({ kind: "ratings", objectives: [{ name: "quality", rated: 1, mean: 3 }] });
});

test("pairs: which side is longer, repetitions, and pairs that contradict each other", async () => {
  const pair = (chosen: string, rejected: string, more = {}) => ({ prompt: "A?", chosen, rejected, ...more });
  const about = await describeData(
    rowsFile(
      pair("longer one", "short", { subset: "easy" }),
      pair("longer one", "short", { subset: "easy" }),
      pair("longer one", "short", { subset: "hard" }),
      pair("short", "longer one"),
      pair("abc", "xyz"),
    ),
  );
  expect(about).toMatchObject({ kind: "pairs", rows: 5, prompts: 1, subsets: { easy: 2, hard: 1 } });
  expect(about.duplicates).toEqual({ rows: 1, ids: 0, contents: 2, contradictions: 1 });
  expect(about.chosenLonger).toEqual({ characters: 0.7, words: 0.7 });
});

test("other kinds are told apart, and a pair among them is not one of them", async () => {
  const kind = async (...rows: unknown[]) => (await describeData(rowsFile(...rows))).kind;
  expect(await kind({ prompt: "A?", responses: ["x", "y"] })).toBe("comparisons");
  expect(await kind({ prompt: "A?", steps: ["x"], labels: [1] })).toBe("steps");
  expect(await kind([{ role: "user", content: "A?" }])).toBe("conversations");
  const mixed = await describeData(
    rowsFile(
      { prompt: "A?", chosen: "x", rejected: "y" },
      { prompt: "A?", response: "x", ratings: { q: 1 } },
    ),
  );
  expect(mixed).toMatchObject({ kind: "pairs", rows: 1, rejected: { count: 1 } });
});

test("a file without a usable row is described, not refused", async () => {
  const about = await describeData(rowsFile("just text", 7));
  expect(about).toMatchObject({ rows: 0, prompts: 0, rejected: { count: 2 }, lengths: {}, objectives: [] });
});

import { describe, expect, test } from "vitest";
import { binarize } from "../../src/data/binarize.ts";
import { describeData } from "../../src/data/describe-data.ts";
import { expandObjectives } from "../../src/data/objective-selection.ts";
import { parseScale, scaleOf } from "../../src/data/rating-scale.ts";
import { readRatings } from "../../src/data/ratings.ts";
import { collect, fileWith, rowsFile } from "./data-file.ts";

const messages = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello!" },
];
const ratedIn = (record: unknown) => (record as { ratings: object }).ratings;

describe("objectives by pattern", () => {
  test("choose among columns, which need not be numbers elsewhere", async () => {
    const row = { messages, id: "x", "helpsteer-a": 1, "helpsteer-b": null, "code-a": 3, note: "text" };
    const read = (...objectives: string[]) => collect(readRatings([rowsFile(row)], { objectives }));
    expect((await read("helpsteer-*", "code-a")).map(ratedIn)).toEqual([{ "helpsteer-a": 1, "code-a": 3 }]);
    expect((await read("*-a")).map(ratedIn)).toEqual([{ "helpsteer-a": 1, "code-a": 3 }]);
    await expect(read("helpsteer-*", "nothing-*")).rejects.toMatchObject({
      code: "unknown-objective",
      message: expect.stringMatching(/got "nothing-\*"$/),
    });
  });

  test("choose among ratings, and leave out rows that have none of them", async () => {
    const location = rowsFile(
      { messages, ratings: { "a.b": 1, axb: 2 } },
      { messages, ratings: { other: 3 } },
    );
    let unrated = 0;
    const onUnrated = () => void unrated++;
    const records = await collect(readRatings([location], { objectives: ["a.*"], onUnrated }));
    expect(records.map(ratedIn)).toEqual([{ "a.b": 1 }]);
    expect(unrated).toBe(1);
  });

  test("keep the order in which they are asked for, each once", () => {
    expect(expandObjectives(["c", "a*", "*"], ["a1", "b", "c", "a2"])).toEqual(["c", "a1", "a2", "b"]);
  });
});

describe("scales", () => {
  test("a range and a map are written as one line each", () => {
    expect(parseScale("helpsteer-*=0:4")).toEqual({
      objective: "helpsteer-*",
      range: { minimum: 0, maximum: 4 },
      multiply: 4,
      add: 0,
    });
    expect(parseScale("x=-1:.5")).toMatchObject({ multiply: 1.5, add: -1 });
    expect(parseScale("a=b=y")).toEqual({ objective: "a=b", range: null, multiply: 1, add: 0 });
    // The published model's: reward = (y + 0.5) / 5, so rating = reward · 5 − 0.5.
    const { multiply, add } = parseScale("helpsteer-*=0.2*y+0.1");
    expect([multiply, add]).toEqual([expect.closeTo(5, 12), expect.closeTo(-0.5, 12)]);
    for (const y of [0, 1.5, 4]) expect((y - add) / multiply).toBeCloseTo((y + 0.5) / 5, 12);
    for (const text of ["x", "x=", "x=1", "x=4:0", "x=1:1", "=0:1", "x=0*y", "x=y+z", "x=y*2"]) {
      expect(() => parseScale(text)).toThrow(expect.objectContaining({ code: "bad-scale" }));
    }
  });

  test("the last one that matches counts", () => {
    const scales = [parseScale("*=0:10"), parseScale("a-*=0:4")];
    expect(scaleOf("a-x", scales)?.multiply).toBe(4);
    expect(scaleOf("b", scales)?.multiply).toBe(10);
    expect(scaleOf("b", [])).toBeNull();
  });

  test("a rating outside its range costs its row, counted with an example", async () => {
    const location = rowsFile(
      { messages, ratings: { a: 4, b: 99 } },
      { messages, ratings: { a: 5 } },
      { messages, ratings: { a: 0 } },
    );
    const scales = [parseScale("a=0:4")];
    const records = await collect(readRatings([location], { scales }));
    expect(records.map(({ kind }) => kind)).toEqual(["rating", "error", "rating"]);
    expect(await describeData(location, { scales })).toMatchObject({
      rows: 2,
      rejected: { count: 1, first: expect.stringMatching(/line 2: rating "a": expected 0 to 4, got 5/) },
    });
  });

  test("one that no objective has is refused by the tool that scales by it", async () => {
    const location = rowsFile({ messages, ratings: { a: 4 } });
    const scales = [parseScale("b=0:4")];
    await expect(binarize([location], `${fileWith("")}.pairs.jsonl`, { scales })).rejects.toMatchObject({
      code: "unused-scale",
    });
  });

  test("pairs are scaled by the declared range, not by the one that occurs", async () => {
    const row = (response: string, a: number, b: number) => ({ prompt: "Hi", response, ratings: { a, b } });
    const location = rowsFile(row("x", 1, 10), row("y", 2, 20));
    const margin = async (scales: string[]) =>
      (await binarize([location], `${fileWith("")}.pairs.jsonl`, { scales: scales.map(parseScale) })).margin!
        .mean;
    expect(await margin([])).toBe(1);
    expect(await margin(["a=0:4", "b=0:100"])).toBeCloseTo((1 / 4 + 10 / 100) / 2, 12);
  });
});

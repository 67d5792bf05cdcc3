import { describe, expect, test } from "vitest";
import { parseDataLocation } from "../../src/data/location.ts";
import { promptHash } from "../../src/data/prompt-hash.ts";
import { readRatings } from "../../src/data/ratings.ts";
import { collect, fileWith, onlyError, rowsFile } from "./data-file.ts";

const user = { role: "user", content: "Why is the sky blue?" };
const assistant = { role: "assistant", content: "Scattering." };
const good = { messages: [user, assistant], ratings: { helpful: 1 } };

describe("shapes", () => {
  test("messages and prompt with response are the same conversation", async () => {
    const location = rowsFile(
      { id: "a", messages: [user, assistant], ratings: { helpful: 4, safe: null } },
      { ids: { index: 7 }, prompt: user.content, response: assistant.content, attributes: { helpful: 4 } },
      { prompt: [user], response: assistant.content, labels: { helpful: 4 }, messages: null },
    );
    const records = await collect(readRatings([location]));
    for (const record of records) {
      expect(record).toMatchObject({
        kind: "rating",
        messages: [user, assistant],
        ratings: { helpful: 4 },
        source: location.source,
        promptHash: promptHash(user.content),
      });
    }
    expect(records.map(({ id }) => id)).toEqual(["a", '{"index":7}', null]);
    expect((records[0] as { ratings: object }).ratings).toEqual({ helpful: 4 });
  });

  test("a named location prefixes objectives", async () => {
    const { path } = rowsFile(good);
    const [record] = await collect(readRatings([parseDataLocation(`mine=${path}`)]));
    expect(record).toMatchObject({ source: "mine", ratings: { "mine-helpful": 1 } });
  });

  test("named columns hold ratings where there is no ratings object; a row with none of them set is left out", async () => {
    const location = rowsFile(
      { messages: [user, assistant], "a-x": 0.5, "b-y": null, other: 3 },
      { messages: [user, assistant], "a-x": null, "b-y": null },
      { messages: [user, assistant], "a-x": null, "b-y": 2 },
    );
    const records = await collect(readRatings([location], { objectives: ["a-x", "b-y"] }));
    expect(records.map((record) => (record.kind === "rating" ? record.ratings : record))).toEqual([
      { "a-x": 0.5 },
      { "b-y": 2 },
    ]);
  });

  test("a filter keeps the named objectives over several files", async () => {
    const locations = [
      rowsFile({ ...good, ratings: { helpful: 1, safe: 2 } }, { ...good, ratings: { other: 3 } }),
      rowsFile({ ...good, ratings: { other: 3 } }, { ...good, ratings: { polite: 5 } }),
    ];
    const records = await collect(readRatings(locations, { objectives: ["polite", "safe"] }));
    expect(records.map((record) => (record.kind === "rating" ? record.ratings : record))).toEqual([
      { safe: 2 },
      { polite: 5 },
    ]);
  });

  test("an objective called __proto__ is an objective like any other", async () => {
    const path = fileWith(`{"messages":${JSON.stringify([user, assistant])},"ratings":{"__proto__":1}}`);
    const [record] = await collect(readRatings([parseDataLocation(path)]));
    expect(Object.entries((record as { ratings: object }).ratings)).toEqual([["__proto__", 1]]);
  });
});

describe("bad rows become errors that say what is wrong", () => {
  const cases: [name: string, row: unknown, error: RegExp][] = [
    ["a rating as text", { ...good, ratings: { helpful: "4" } }, /rating "helpful": .* got the string "4"/],
    ["a rating as a boolean", { ...good, ratings: { safe: true } }, /rating "safe": .* got true/],
    ["no rating", { ...good, ratings: { helpful: null } }, /none in "ratings"/],
    ["no ratings field", { messages: [user, assistant] }, /no such field/],
    ["ratings as an array", { ...good, ratings: [1] }, /numbers by objective in "ratings", got an array/],
    ["a conversation that ends with the user", { ...good, messages: [user] }, /got role "user"/],
    ["a response alone", { ...good, messages: [assistant] }, /expected a prompt/],
    ["an empty response", { prompt: "x", response: " \n", ratings: { a: 1 } }, /empty response/],
    ["an empty prompt", { prompt: "", response: "x", ratings: { a: 1 } }, /prompt: .* empty string/],
    ["no conversation", { ratings: { a: 1 } }, /got neither/],
    ["a preference pair", { prompt: "x", chosen: "a", rejected: "b" }, /got a preference pair/],
    ["a message without content", { ...good, messages: [user, { role: "assistant" }] }, /content/],
    ["no object", 3, /got 3/],
  ];
  test.each(cases)("%s", async (_, row, error) => {
    expect(await onlyError(readRatings([rowsFile(good, row)]))).toMatch(error);
  });

  test("an infinite rating", async () => {
    const path = fileWith(`${JSON.stringify(good)}\n${JSON.stringify(good).replace("1", "1e999")}`);
    expect(await onlyError(readRatings([parseDataLocation(path)]))).toMatch(/finite number, got Infinity/);
  });

  test("with its file, line and id", async () => {
    const location = rowsFile(good, { ...good, id: 12, ratings: { a: "x" } });
    const [, error] = await collect(readRatings([location]));
    expect(error).toMatchObject({ kind: "error", file: location.path, line: 2, id: 12 });
  });
});

test("a file of which no row can be used is refused with its first error", async () => {
  const records = readRatings([rowsFile({ prompt: "x", chosen: "a", rejected: "b" }, {})]);
  await expect(collect(records)).rejects.toMatchObject({
    code: "no-usable-rows",
    message: expect.stringMatching(/all 2 rows were rejected; line 1: .*preference pair/),
  });
});

test("a filter that names an unknown objective is refused with the names that exist", async () => {
  const records = readRatings([rowsFile({ ...good, ratings: { helpful: 1, safe: 1 } })], {
    objectives: ["helpful", "saef"],
  });
  await expect(collect(records)).rejects.toMatchObject({
    code: "unknown-objective",
    message: expect.stringMatching(/got "saef"$/),
    remedy: expect.stringMatching(/helpful, safe/),
  });
});

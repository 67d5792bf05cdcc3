import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { readCandidates, readComparisons, readConversations } from "../../src/data/conversations.ts";
import { collect, fileWith, onlyError } from "./data-file.ts";

const messages = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Hello!" },
];
const stream = (text: string) => Readable.from([Buffer.from(text)]);

describe("readConversations", () => {
  const inputs: [name: string, text: string][] = [
    ["a line with messages", JSON.stringify({ messages })],
    ["a line with a bare array of messages", JSON.stringify(messages)],
    ["a document that is one bare array of messages", JSON.stringify(messages, null, 2)],
    ["a document that is one object", JSON.stringify({ messages }, null, 2)],
    ["an array with one conversation", JSON.stringify([{ messages }])],
    ["an array with one bare conversation", JSON.stringify([messages])],
    ["prompt and response", JSON.stringify({ prompt: "Hi", response: "Hello!" })],
    ["prompt messages and response", JSON.stringify({ prompt: [messages[0]], response: "Hello!" })],
  ];
  test.each(inputs)("reads %s", async (_, text) => {
    expect(await collect(readConversations(stream(text)))).toMatchObject([{ id: null, messages }]);
  });

  test("passes ids through, also beside an error, and keeps the order", async () => {
    const rows = [{ id: "a", messages }, { id: 7, messages: [messages[0]] }, "x", { id: "c", messages }];
    const path = fileWith(rows.map((row) => JSON.stringify(row)).join("\n"));
    const records = await collect(readConversations(path));
    expect(records.map(({ kind, id, line }) => [kind, id, line])).toEqual([
      ["conversation", "a", 1],
      ["error", 7, 2],
      ["error", null, 3],
      ["conversation", "c", 4],
    ]);
  });

  test("says what a row lacks", async () => {
    const error = (row: unknown) => onlyError(readConversations(stream(JSON.stringify(row))));
    expect(await error({ messages: [messages[0]] })).toMatch(/must come from the assistant, got role "user"/);
    expect(await error({ prompt: "Hi" })).toMatch(/got neither/);
    expect(await error({ prompt: "Hi", responses: ["a", "b"] })).toMatch(
      /expected one response, got several/,
    );
    expect(await error({ prompt: "Hi", response: 3 })).toMatch(/^response: expected text, got 3/);
  });

  test("refuses empty input under the name it was given", async () => {
    await expect(collect(readConversations(stream(""), "input"))).rejects.toThrow(/^input: .*empty file/);
    await expect(collect(readConversations(stream("")))).rejects.toThrow(/^standard input/);
  });
});

describe("readComparisons", () => {
  test("reads a prompt and its responses", async () => {
    const rows = [
      { id: 1, prompt: "Hi", responses: ["a", "b"] },
      { messages: [messages[0]], responses: ["a", "b", ""] },
    ];
    expect(await collect(readComparisons(stream(JSON.stringify(rows))))).toMatchObject([
      { kind: "comparison", id: 1, prompt: [messages[0]], responses: ["a", "b"] },
      { kind: "comparison", id: null, prompt: [messages[0]], responses: ["a", "b", ""] },
    ]);
  });

  test("says what a row lacks", async () => {
    const error = (row: unknown) => onlyError(readComparisons(stream(JSON.stringify(row))));
    expect(await error({ prompt: "Hi", responses: ["a"] })).toMatch(/at least two, got 1/);
    expect(await error({ prompt: "Hi", responses: ["a", 3] })).toMatch(
      /responses\[1\]: expected text, got 3/,
    );
    expect(await error({ prompt: "Hi", response: "a" })).toMatch(/expected an array of texts, got nothing/);
    expect(await error({ responses: ["a", "b"] })).toMatch(/expected text or messages, got nothing/);
    expect(await error({ prompt: messages, responses: ["a", "b"] })).toMatch(/role "assistant" last/);
  });
});

test("readCandidates takes one response, but not none", async () => {
  const rows = [
    { id: 1, prompt: "Hi", responses: ["a"] },
    { id: 2, prompt: "Hi", responses: [] },
  ];
  const [one, none] = await collect(
    readCandidates(stream(rows.map((row) => JSON.stringify(row)).join("\n"))),
  );
  expect(one).toMatchObject({ kind: "comparison", id: 1, responses: ["a"] });
  expect(none).toMatchObject({ kind: "error", id: 2, error: expect.stringMatching(/at least one, got 0/) });
});

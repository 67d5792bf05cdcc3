import { describe, expect, test } from "vitest";
import { readPairs } from "../../src/data/pairs.ts";
import { promptHash } from "../../src/data/prompt-hash.ts";
import { collect, onlyError, rowsFile } from "./data-file.ts";

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const good = { prompt: "Hi", chosen: "Hello!", rejected: "What?" };

describe("shapes", () => {
  const same: [name: string, row: object][] = [
    ["three texts", good],
    ["a prompt of messages", { ...good, prompt: [user("Hi")] }],
    ["the last messages alone", { ...good, chosen: [assistant("Hello!")], rejected: [assistant("What?")] }],
    [
      "whole conversations with an implicit prompt",
      { chosen: [user("Hi"), assistant("Hello!")], rejected: [user("Hi"), assistant("What?")] },
    ],
    [
      "whole conversations beside a prompt and a copy of the chosen one",
      {
        prompt: "Hi",
        messages: [user("Hi"), assistant("Hello!")],
        chosen: [user("Hi"), assistant("Hello!")],
        rejected: [user("Hi"), assistant("What?")],
      },
    ],
    ["one conversation and one text", { ...good, chosen: [user("Hi"), assistant("Hello!")] }],
  ];
  test.each(same)("%s give the same pair", async (_, row) => {
    const location = rowsFile(row);
    expect(await collect(readPairs([location]))).toEqual([
      {
        kind: "pair",
        id: null,
        prompt: [user("Hi")],
        chosen: "Hello!",
        rejected: "What?",
        subset: null,
        source: location.source,
        promptHash: promptHash("Hi"),
      },
    ]);
  });

  test("messages take the place of a flattened prompt", async () => {
    const messages = [user("a"), assistant("b"), user("c")];
    const row = { prompt: "Human: a\n\nAssistant: b\n\nHuman: c", messages, chosen: "x", rejected: "y" };
    expect(await collect(readPairs([rowsFile(row)]))).toMatchObject([{ prompt: messages }]);
  });

  test("the subset is taken from subset, family or category, in that order", async () => {
    const rows = [{ subset: "s", family: "f" }, { family: "f", category: "c" }, { category: "c" }];
    const records = await collect(readPairs([rowsFile(...rows.map((row) => ({ ...good, ...row })))]));
    expect(records.map((record) => (record.kind === "pair" ? record.subset : null))).toEqual(["s", "f", "c"]);
  });
});

test("a margin is passed on, whatever its scale, and absent where the row has none", async () => {
  const rows = [{ margin: 2.5 }, { margin: -1 }, { margin: 0 }, { margin: null }, {}];
  const records = await collect(readPairs([rowsFile(...rows.map((row) => ({ ...good, ...row })))]));
  expect(records.map((record) => "margin" in record && record.margin)).toEqual([2.5, -1, 0, false, false]);
});

describe("bad rows become errors that say what is wrong", () => {
  const cases: [name: string, row: unknown, error: RegExp][] = [
    ["margin as text", { ...good, margin: "2" }, /margin: expected a finite number, got the string "2"/],
    ["equal responses", { ...good, rejected: "Hello!" }, /different responses, got equal ones/],
    [
      "different prompts",
      { chosen: [user("a"), assistant("x")], rejected: [user("b"), assistant("y")] },
      /expected the same prompt, got two/,
    ],
    [
      "a prompt that is not the conversation's",
      { prompt: "Something else", chosen: [user("a"), assistant("x")], rejected: "y" },
      /prompt of chosen and rejected, got another/,
    ],
    ["an empty response", { ...good, rejected: "" }, /rejected: expected text, got an empty response/],
    ["no rejected response", { prompt: "Hi", chosen: "x" }, /^rejected: expected a response/],
    ["no prompt", { chosen: "x", rejected: "y" }, /^prompt: .* got nothing/],
    ["a prompt that ends with the assistant", { ...good, prompt: [assistant("x")] }, /role "assistant" last/],
    ["a conversation that ends with the user", { ...good, chosen: [user("x")] }, /^chosen: .* role "user"/],
    ["a response as a number", { ...good, chosen: 3 }, /^chosen: expected text, got 3/],
    ["a subset as a number", { ...good, subset: 3 }, /^subset: expected text, got 3/],
  ];
  test.each(cases)("%s", async (_, row, error) => {
    expect(await onlyError(readPairs([rowsFile(good, row)]))).toMatch(error);
  });
});

test("a file of ratings is refused as pairs", async () => {
  const location = rowsFile({ prompt: "x", response: "y", ratings: { a: 1 } });
  await expect(collect(readPairs([location]))).rejects.toMatchObject({
    code: "no-usable-rows",
    message: expect.stringMatching(/chosen: expected a response, got nothing/),
  });
});

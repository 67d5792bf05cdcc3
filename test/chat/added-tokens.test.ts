import { expect, it } from "vitest";
import { type AddedToken, addedTokenSplitter } from "../../src/chat/added-tokens.ts";

function token(content: string, flags: Partial<AddedToken> = {}): AddedToken {
  const defaults = {
    id: 1,
    lstrip: false,
    rstrip: false,
    singleWord: false,
    normalized: false,
    special: true,
  };
  return { content, ...defaults, ...flags };
}

function split(text: string, tokens: AddedToken[]): string[] {
  const stretches = addedTokenSplitter(tokens.map((each) => [each.content, each]))(text);
  return stretches.map(({ start, end, token: found }) =>
    found ? `‹${text.slice(start, end)}›` : text.slice(start, end),
  );
}

it("covers the text and takes the longest of the leftmost tokens", () => {
  expect(split("a<|x|>b<|x", [token("<|x"), token("<|x|>")])).toEqual(["a", "‹<|x|>›", "b", "‹<|x›"]);
  expect(split("\n\n\n", [token("\n"), token("\n\n")])).toEqual(["‹\n\n›", "‹\n›"]);
  expect(split("", [token("x")])).toEqual([]);
  expect(split("plain", [])).toEqual(["plain"]);
});

it("gives white space to tokens that ask for it", () => {
  expect(split("a \n<end> \n b", [token("<end>", { rstrip: true })])).toEqual(["a \n", "‹<end> \n ›", "b"]);
  expect(split("a \n<end> b", [token("<end>", { lstrip: true })])).toEqual(["a", "‹ \n<end>›", " b"]);
  expect(split("<e> <e>", [token("<e>", { lstrip: true, rstrip: true })])).toEqual(["‹<e> ›", "‹<e>›"]);
});

it("finds single words only between other characters than letters", () => {
  const word = token("ok", { singleWord: true });
  expect(split("ok, books 𝒜ok ok", [word])).toEqual(["‹ok›", ", books 𝒜ok ", "‹ok›"]);
});

it("takes every character of a token literally", () => {
  expect(split("[+](.)", [token("[+]"), token("(.)")])).toEqual(["‹[+]›", "‹(.)›"]);
});

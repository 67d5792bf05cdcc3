import { expect, test } from "vitest";
import { sentenceEnds } from "../../src/scoring/sentences.ts";

const sentences = (text: string): string[] => {
  const ends = sentenceEnds(text);
  return ends.map((end, i) => text.slice(ends[i - 1] ?? 0, end));
};

test("sentences end after their last character, before white space", () => {
  expect(sentences("One is odd. Two is even!  Is three?\n")).toEqual([
    "One is odd.",
    " Two is even!",
    "  Is three?",
  ]);
  expect(sentences("It costs 3.50 euros, e.g. in Bonn. Done")).toEqual([
    "It costs 3.50 euros, e.g. in Bonn.",
    " Done",
  ]);
  expect(sentences("二つの文。これは二つ目。")).toEqual(["二つの文。", "これは二つ目。"]);
});

test("lines are sentences, and empty ones belong to none of their own", () => {
  expect(sentences("A title\n\n\nA line\nAnother")).toEqual(["A title", "\n\n\nA line", "\nAnother"]);
});

test("markers of lists belong to what they number, and rules and emoji to what stands before", () => {
  expect(sentences("1. One.\n2. Two.\nb) Three.")).toEqual(["1. One.", "\n2. Two.", "\nb) Three."]);
  expect(sentences("Done. 🎉 🎉\n---\nNext.")).toEqual(["Done. 🎉 🎉\n---", "\nNext."]);
  expect(sentences("---\nFirst.")).toEqual(["---\nFirst."]);
});

test("a block of code is one sentence, closed or not", () => {
  const code = "```ts\nconst a = 1. ;\n\nconst b = 2;\n```";
  expect(sentences(`Look:\n${code}\nThat is it.`)).toEqual(["Look:", `\n${code}`, "\nThat is it."]);
  expect(sentences("Look:\n```\na = 1.\nb = 2.")).toEqual(["Look:", "\n```\na = 1.\nb = 2."]);
  expect(sentences("~~~\n```\nx\n~~~\nEnd.")).toEqual(["~~~\n```\nx\n~~~", "\nEnd."]);
});

test("nothing but white space has no sentence, and marks alone are one", () => {
  expect(sentences("")).toEqual([]);
  expect(sentences(" \n\t")).toEqual([]);
  expect(sentences("?!")).toEqual(["?!"]);
  expect(sentences("1.")).toEqual(["1."]);
});

test("ends rise and cover the text up to its last character, whatever it is", () => {
  for (const text of ["a\r\nb", "\u0000.\u0000", "👩‍🔬. 🏳️‍🌈", "x".repeat(9999), "```", "a. ".repeat(500)]) {
    const ends = sentenceEnds(text);
    expect(ends).toEqual([...new Set(ends)].sort((a, b) => a - b));
    expect(ends.at(-1)).toBe(text.trimEnd().length);
  }
});

test("a text of a million characters takes no longer than its length says, whatever it is made of", () => {
  const n = 250_000; // A step through the whole text for each sentence would take longer than any test may.
  for (const part of ["!\n", "Hi. ", "\n", "1.\n", "x"]) {
    const text = `A. ${part.repeat(n)}`;
    expect(sentenceEnds(text).at(-1)).toBe(text.trimEnd().length);
  }
  expect(sentenceEnds("Hi. ".repeat(n))).toHaveLength(n);
});

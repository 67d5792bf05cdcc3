import { expect, it } from "vitest";
import { bpeMerger } from "../../src/chat/bpe.ts";

const entries = ["a", "b", "c", "ab", "bc", "abc", "aa", "aaaa", "🦊", "a🦊"];
const vocab = new Map(entries.map((entry, id) => [entry, id]));

function merge(piece: string, ...merges: (string | [string, string])[]): string[] {
  const merger = bpeMerger(vocab, merges);
  if ("missing" in merger) throw new Error(merger.missing);
  return merger(piece);
}

it("merges by rank, whatever stands first", () => {
  expect(merge("abc", "a b", "b c", "ab c")).toEqual(["abc"]);
  expect(merge("abc", "b c", "a b")).toEqual(["a", "bc"]);
  expect(merge("abcab", ["b", "c"], ["a", "b"], ["a", "bc"])).toEqual(["abc", "ab"]);
});

it("merges the leftmost of equal pairs first", () => {
  expect(merge("aaa", "a a")).toEqual(["aa", "a"]);
  expect(merge("aaaaaaa", "a a", "aa aa")).toEqual(["aaaa", "aa", "a"]);
});

it("leaves characters outside the vocabulary alone, and whole", () => {
  expect(merge("aé漢🦊a🦊", "a 🦊")).toEqual(["a", "é", "漢", "🦊", "a🦊"]);
  expect(merge("")).toEqual([]);
  expect(merge("a")).toEqual(["a"]);
});

it("names the first pair that the vocabulary cannot hold", () => {
  expect(bpeMerger(vocab, ["a b", "c a"])).toEqual({ missing: "c a" });
});

it("merges a million characters in one piece", () => {
  const merged = merge("a".repeat(1_000_001), "a a", "aa aa");
  expect(merged).toHaveLength(250_001);
  expect(merged.slice(-2)).toEqual(["aaaa", "a"]);
});

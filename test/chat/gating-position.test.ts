import { expect, it } from "vitest";
import { findGatingPosition } from "../../src/chat/gating-position.ts";

it("finds the first token of the last occurrence", () => {
  expect(findGatingPosition([9, 1, 2, 7, 1, 2, 3], [1, 2])).toBe(4);
  expect(findGatingPosition([1, 2], [1, 2])).toBe(0);
  expect(findGatingPosition([1, 1, 1], [1, 1])).toBe(1);
});

it("refuses a conversation without the pattern instead of guessing", () => {
  expect(() => findGatingPosition([1, 3, 2], [1, 2])).toThrow(
    expect.objectContaining({ code: "no-gating-token" }),
  );
  expect(() => findGatingPosition([2], [1, 2])).toThrow("got 1 tokens without it");
  expect(() => findGatingPosition([2], [])).toThrow(RangeError);
});

import { expect, it } from "vitest";
import { pythonLeftStrip, pythonRightStrip, pythonStrip } from "../../src/chat/python-strip.ts";

it("strips what Python calls white space, which is not what JavaScript does", () => {
  expect(pythonStrip("\x1c\x85 \u3000a b\xa0\x1f\n")).toBe("a b");
  expect(pythonStrip("\ufeffa\u200b")).toBe("\ufeffa\u200b");
});

it("strips a set of characters, whole code points only", () => {
  expect(pythonStrip("\n\n a \n", "\n")).toBe(" a ");
  expect(pythonRightStrip("a🦜🦜", "🦜")).toBe("a");
  // U+1F980 shares its first half with the parrot.
  expect(pythonRightStrip("a🦀", "🦜")).toBe("a🦀");
  expect(pythonLeftStrip("xyxa", "xy")).toBe("a");
});

it("leaves nothing of a text of white space", () => {
  expect(pythonStrip(" \t\n")).toBe("");
  expect(pythonStrip("")).toBe("");
});

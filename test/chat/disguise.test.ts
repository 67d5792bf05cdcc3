import { describe, expect, it } from "vitest";
import { disguiseFor } from "../../src/chat/disguise.ts";

describe("disguises", () => {
  it("break overlapping occurrences and can be taken off again", () => {
    const tokens = ["<|a|>", "|><", "<"].map((content, id) => ({ id, content }));
    const disguise = disguiseFor(tokens, "")([]);
    const text = "x <|a|><|a|> < y";
    const disguised = disguise.apply(text);
    for (const { content } of tokens) expect(disguised).not.toContain(content);
    expect(disguise.isIn(disguised)).toBe(true);
    expect(disguise.remove(disguised)).toBe(text);
  });

  it("use no private-use character that the messages or the template hold", () => {
    const content = "\uE000\uE002 <|a|>";
    const disguise = disguiseFor([{ id: 0, content: "<|a|>" }], "\uE001")([{ role: "user", content }]);
    expect("\uE000\uE001\uE002").not.toContain(disguise.marker);
    expect(disguise.remove(disguise.apply(content))).toBe(content);
    expect(disguise.apply("\uE000\uE001\uE002")).toBe("\uE000\uE001\uE002");
    expect(disguise.isIn("\uE000\uE001\uE002")).toBe(false);
  });
});

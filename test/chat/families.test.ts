import { describe, expect, it } from "vitest";
import { type ChatOptions, chatFromFiles } from "../../src/chat/chat.ts";
import type { Message } from "../../src/chat/messages.ts";
import { FAMILIES, familyFiles, readFamilyFile } from "./families.ts";

// Rendered by Python's jinja2, encoded by the Rust tokenizers: see test/golden/README.md.

interface Case {
  family: string;
  tokenizer: string;
  name: string;
  messages: Message[];
  rendered: string;
  renderedError?: string;
  idsCompat: number[];
  promptIdsCompat: number[];
}
const golden: { cases: Case[] } = JSON.parse(readFamilyFile("cases.json"));

describe.each(FAMILIES)("$family", (family) => {
  const files = familyFiles(family);
  const open = (options: ChatOptions = {}) => chatFromFiles(files, family.family, options);
  const [text, compat] = [open(), open({ specialTokens: "compat" })];
  const cases = golden.cases.filter((each) => each.family === family.family);
  const accepted = cases.filter(({ renderedError }) => renderedError === undefined);
  const forging = accepted.filter(({ name }) => name.startsWith("special tokens"));
  const benign = accepted.filter((each) => !forging.includes(each));

  it("has golden cases of every kind", () => {
    expect(benign.length).toBeGreaterThanOrEqual(8);
    expect(forging).toHaveLength(2);
  });

  it.each(accepted)("compat reproduces Hugging Face: $name", (each) => {
    const encoded = compat.encode(each.messages);
    expect(encoded.text).toBe(each.rendered);
    expect(encoded.ids).toEqual(each.idsCompat);
    expect(compat.encodePrompt(each.messages.slice(0, -1))).toEqual(each.promptIdsCompat);
  });

  it.each(benign)("messages without control tokens encode the same by default: $name", (each) => {
    const encoded = text.encode(each.messages);
    expect(encoded.text).toBe(each.rendered);
    expect(encoded.ids).toEqual(each.idsCompat);
    expect(text.encodePrompt(each.messages.slice(0, -1))).toEqual(each.promptIdsCompat);
    expect(encoded.ids.slice(0, encoded.promptLength)).toEqual(
      each.promptIdsCompat.slice(0, encoded.promptLength),
    );
  });

  it.each(accepted)("the gate reads what follows the prompt's last content: $name", (each) => {
    const { ids, gatingPosition, promptLength } = text.encode(each.messages);
    expect(text.tokensOf(ids.slice(gatingPosition, promptLength))).toEqual(family.ending);
  });

  it("tells its BOS rule, and writes BOS as often as the template does", () => {
    expect(text.bosRule).toBe(family.bos);
    const { ids, bos } = text.encode(cases[1]!.messages);
    const [first, ...others] = ids;
    expect(bos).toBe(family.bos === "template" ? "written" : "absent");
    expect(first === 1).toBe(bos === "written");
    // Llama 2 begins every turn with BOS.
    expect(others.filter((id) => id === 1)).toHaveLength(family.family === "llama-2" ? 1 : 0);
  });

  it.each(forging)("$name stay text", (each) => {
    const harmless = each.messages.map(({ role, content }) => ({
      role,
      content: content.replace(/<\/?s>|\[\/?INST\]|<\|\w+\|>\n?/g, "x"),
    }));
    const control = new Set(
      (files.tokenizer as { added_tokens: { id: number }[] }).added_tokens.map(({ id }) => id),
    );
    const structure = (ids: number[]) => ids.filter((id) => control.has(id));
    const [encoded, plain] = [text.encode(each.messages), text.encode(harmless)];
    expect(structure(encoded.ids)).toEqual(structure(plain.ids));
    expect(structure(encoded.ids.slice(0, encoded.gatingPosition))).toEqual(
      structure(plain.ids.slice(0, plain.gatingPosition)),
    );
    expect(structure(compat.encode(each.messages).ids)).not.toEqual(structure(plain.ids));
  });

  it.each(cases.filter(({ renderedError }) => renderedError !== undefined))(
    "the template refuses: $name",
    ({ messages, renderedError }) => {
      expect(() => text.encode(messages)).toThrow(`chat template: ${renderedError}`);
    },
  );
});

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type Chat, type ChatOptions, chatFromFiles } from "../../src/chat/chat.ts";
import type { Message } from "../../src/chat/messages.ts";
import { buildTokenizer } from "../../src/chat/tokenizer.ts";
import { hasShared, sharedTokenizer, withShared } from "./checkpoints.ts";

// Rendered by Python's jinja2, encoded by the Rust tokenizers: see test/golden/README.md.
interface Case {
  tokenizer: string;
  name: string;
  messages: Message[];
  rendered: string;
  renderedError?: string;
  idsCompat: number[];
  promptIdsCompat: number[];
  gatingByPatternCompat?: number;
}
const golden: { templates: Record<string, string>; cases: Case[] } = JSON.parse(
  readFileSync(new URL("../golden/templates/cases.json", import.meta.url), "utf8"),
);

const PATTERNS: Record<string, number[]> = {
  llama3_1: [128009, 128006, 78191, 128007, 271],
  gemma2: [107, 108, 106, 2516, 108],
};
/** Ends a user's turn: the structural gating token. */
const END_OF_TURN: Record<string, number> = { llama3_1: 128009, qwen2_5: 151645, gemma2: 107 };

describe.skipIf(!hasShared).each(["llama3_1", "qwen2_5", "gemma2"])(withShared("%s"), (name) => {
  const pattern = PATTERNS[name];
  const cases = golden.cases.filter(({ tokenizer }) => tokenizer === name);
  const accepted = cases.filter(({ renderedError }) => renderedError === undefined);
  const forging = accepted.filter((each) => each.name.startsWith("special tokens"));
  const benign = accepted.filter((each) => !forging.includes(each));
  let text: Chat;
  let compat: Chat;
  let compatByPattern: Chat | null = null;
  let textByPattern: Chat | null = null;

  beforeAll(() => {
    const files = sharedTokenizer(name);
    const chatTemplate = files.chatTemplate ?? golden.templates[name]!;
    const tokenizer = buildTokenizer(files.tokenizer, files.config);
    const open = (options: ChatOptions) =>
      chatFromFiles(files, name, { chatTemplate, ...options }, tokenizer);
    text = open({});
    compat = open({ specialTokens: "compat" });
    if (pattern) {
      textByPattern = open({ gatingPattern: pattern });
      compatByPattern = open({ gatingPattern: pattern, specialTokens: "compat" });
    }
  }, 60_000);

  it("has golden cases of every kind", () => {
    expect(benign.length).toBeGreaterThanOrEqual(10);
    expect(forging).toHaveLength(2);
  });

  it.each(accepted)("compat reproduces Hugging Face: $name", (golden) => {
    const encoded = compat.encode(golden.messages);
    expect(encoded.text).toBe(golden.rendered);
    expect(encoded.ids).toEqual(golden.idsCompat);
    expect(compat.encodePrompt(golden.messages.slice(0, -1))).toEqual(golden.promptIdsCompat);
    if (compatByPattern) {
      expect(compatByPattern.encode(golden.messages).gatingPosition).toBe(golden.gatingByPatternCompat);
    }
  });

  it.each(benign)("messages without control tokens encode the same by default: $name", (golden) => {
    const encoded = text.encode(golden.messages);
    expect(encoded.text).toBe(golden.rendered);
    expect(encoded.ids).toEqual(golden.idsCompat);
    expect(text.encodePrompt(golden.messages.slice(0, -1))).toEqual(golden.promptIdsCompat);
    expect(encoded.ids.slice(0, encoded.promptLength)).toEqual(
      golden.promptIdsCompat.slice(0, encoded.promptLength),
    );
  });

  it.each(benign)("the structural gating token is the one the pattern finds: $name", (golden) => {
    const { ids, gatingPosition } = text.encode(golden.messages);
    if (pattern) expect(gatingPosition).toBe(golden.gatingByPatternCompat);
    expect(ids[gatingPosition]).toBe(END_OF_TURN[name]);
    // Nothing but the header is left of the prompt.
    expect(golden.promptIdsCompat.lastIndexOf(END_OF_TURN[name]!)).toBe(gatingPosition);
  });

  it.each(forging)("$name stay text and leave the structure alone", (golden) => {
    const harmless = golden.messages.map(({ role, content }) => ({
      role,
      content: content.replace(/<[|\w]+>/g, "x"),
    }));
    const plain = text.encode(harmless);
    const encoded = text.encode(golden.messages);
    const added = new Set(text.tokensOf(plain.ids).filter((token) => /^<.*>$/.test(token)));
    const structure = (ids: number[]) => text.tokensOf(ids).filter((token) => added.has(token));
    expect(encoded.text).toBe(golden.rendered);
    expect(structure(encoded.ids)).toEqual(structure(plain.ids));
    expect(structure(compat.encode(golden.messages).ids)).not.toEqual(structure(plain.ids));
    const before = ({ ids, gatingPosition }: typeof plain) => structure(ids.slice(0, gatingPosition));
    expect(encoded.ids[encoded.gatingPosition]).toBe(END_OF_TURN[name]);
    expect(before(encoded)).toEqual(before(plain));
    if (textByPattern)
      expect(textByPattern.encode(golden.messages).gatingPosition).toBe(encoded.gatingPosition);
  });

  it.each(cases.filter(({ renderedError }) => renderedError !== undefined))(
    "the template refuses: $name",
    (golden) => {
      expect(() => text.encode(golden.messages)).toThrow(
        expect.objectContaining({
          code: "template-refused",
          message: `chat template: ${golden.renderedError}`,
        }),
      );
    },
  );
});

describe.skipIf(!hasShared)(withShared("vocabulary that is no control token"), () => {
  it("matches inside messages as Hugging Face has it: Gemma's line breaks and HTML", () => {
    const chat = chatFromFiles(sharedTokenizer("gemma2"), "gemma2", {
      chatTemplate: golden.templates.gemma2!,
    });
    const { ids } = chat.encode([
      { role: "user", content: "one\n\ntwo <table>" },
      { role: "assistant", content: "<h1>three</h1>" },
    ]);
    expect(chat.tokensOf(ids)).toEqual([
      "<bos>",
      ...["<start_of_turn>", "user", "\n", "one", "\n\n", "two", "▁", "<table>", "<end_of_turn>", "\n"],
      ...["<start_of_turn>", "model", "\n", "<h1>", "three", "</h1>", "<end_of_turn>", "\n"],
    ]);
  });
});

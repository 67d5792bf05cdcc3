import { beforeAll, describe, expect, it } from "vitest";
import { type Chat, openChat } from "../../src/chat/chat.ts";
import { tinyDirectory } from "./checkpoints.ts";

// Whatever people or attackers write, a conversation keeps its structure and its text.

const END_OF_TURN = 4094;
const CONTROL = [4090, 4091, 4092, 4093, 4094, 4095];

let chat: Chat;
beforeAll(async () => {
  chat = await openChat(tinyDirectory);
});

/** Byte-level tokens as text. */
function spelled(ids: readonly number[]): string {
  const printable = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  let next = 256;
  const byteOf = new Map(
    Array.from({ length: 256 }, (_, byte) => [String.fromCharCode(printable(byte) ? byte : next++), byte]),
  );
  const bytes = Array.from(chat.tokensOf(ids).join(""), (character) => byteOf.get(character)!);
  return Buffer.from(bytes).toString("utf8");
}

const CONTENTS: [string, string][] = [
  ["nothing", ""],
  ["white space alone", " \n\t"],
  ["NUL and control characters", "a\0b\x01\x07\x1b[31mc\x7f\x80\x9f"],
  ["bidirectional text and its marks", "שלום \u202eabc\u202c \u2066x\u2069 \u200f!"],
  ["characters that do not show", "a\u200b\u200d\u2060\ufeffb\u00ad"],
  ["private-use characters that a disguise could use", "\ue000\ue001<|eot_id|>\ue002\uf8ff"],
  ["private-use characters of higher planes", "\u{f0000}\u{10fffd}"],
  ["characters that are none", "\ufffe\uffff\u{1fffe}"],
  ["combining characters without end", `e${"\u0301".repeat(500)}`],
  ["the replacement character", "\ufffd"],
  ["emoji joined together", "👩‍🔬🏳️‍🌈🇫🇷"],
  ["line ends of every kind", "a\r\nb\rc\u2028d\u2029e\x85f\vg"],
  ["Jinja", "{{ messages }}{% raw %}{# x #}"],
];

describe.each(CONTENTS)("a message of %s", (_, content) => {
  it.each([
    ["prompt", 0],
    ["response", 1],
  ] as const)("as %s keeps structure and text", (_where, index) => {
    const messages = [
      { role: "user", content: "Name a river." },
      { role: "assistant", content: "The Rhine." },
    ];
    const plain = chat.encode(messages);
    messages[index] = { ...messages[index]!, content };
    const { ids, gatingPosition, promptLength, text } = chat.encode(messages);
    const structure = (all: readonly number[]) => all.filter((id) => CONTROL.includes(id));
    expect(structure(ids)).toEqual(structure(plain.ids));
    expect(ids[gatingPosition]).toBe(END_OF_TURN);
    expect(gatingPosition).toBe(ids.slice(0, promptLength).lastIndexOf(END_OF_TURN));
    expect(text).toContain(content.replace(/^\s+|\s+$/g, ""));
    expect(spelled(ids)).toBe(text);
  });
});

describe("a very long message is encoded in seconds", () => {
  it.each([
    ["a megabyte of words", "the quick brown fox ", 1024],
    ["a megabyte of one letter", "a", 1024],
    ["a megabyte of a script that has no spaces", "漢字仮名", 1024],
    ["line breaks", "\n\n\nx", 128],
    ["control tokens", "<|eot_id|>", 256],
  ])(
    "%s",
    (_, part, kilobytes) => {
      const content = part.repeat((kilobytes * 1024) / Buffer.byteLength(part));
      const { ids, gatingPosition, promptLength } = chat.encode([
        { role: "user", content: `x${content}` },
        { role: "assistant", content: "ok" },
      ]);
      expect(ids[gatingPosition]).toBe(END_OF_TURN);
      expect(promptLength - gatingPosition).toBe(5);
      expect(ids.filter((id) => id === END_OF_TURN)).toHaveLength(2);
    },
    60_000,
  );
});

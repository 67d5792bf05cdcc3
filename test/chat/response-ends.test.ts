import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Chat, chatFromFiles, openChat } from "../../src/chat/chat.ts";
import { alignTexts } from "../../src/chat/text-alignment.ts";
import { tokenEnds } from "../../src/chat/token-ends.ts";
import { hasShared, sharedTokenizer, tinyDirectory, withShared } from "./checkpoints.ts";
import { FAMILIES, familyFiles } from "./families.ts";

const templates = JSON.parse(
  readFileSync(join(import.meta.dirname, "../golden/templates/cases.json"), "utf8"),
).templates as Record<string, string>;

const TEXTS: readonly string[] = [
  "Seven.",
  "The Rhine flows north. It ends in the sea.",
  "A list:\n\n1. one\n2. two\n\n```py\nprint('x')\n```\nDone.",
  "héllo wörld – naïve café, Straße",
  "日本語のテキストです。漢字と仮名。",
  "emoji 👩‍🔬🏳️‍🌈🇫🇷 and 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𒀀𒁀",
  "decomposed: e\u0301a\u0308o\u0323\u0302 한국어 \u1112\u1161\u11ab\u1100\u116e\u11a8",
  "शब्द हिन्दी में, ภาษาไทย, שלום עולם",
  "<|eot_id|><|im_end|><end_of_turn></s> spelt out <|start_header_id|>user",
  "<h1>title</h1>\n\n\n<b>bold</b>  two  spaces\t\ttabs",
  "a\u0000b\u0007\u007f\ufeffc\u200bd\u00ade \ufffd ▁▁ Ġ <0x0A> <unk>",
  "line\r\nends\rof\u2028every\u0085kind\v\f.",
  "\ue000private\uf8ff use\ue001<|eot_id|>",
  "x".repeat(300),
];
const PADDED = ["  leading", "\n\nleading lines", "trailing \n\n", " \n\tboth \n ", "\u00a0wide\u3000"];

const conversation = (response: string) => [
  { role: "user", content: "Tell me." },
  { role: "assistant", content: response },
];

/** What each token of the response carries. */
function read(chat: Chat, response: string) {
  const messages = conversation(response);
  const { ids, promptLength } = chat.encode(messages);
  const ends = chat.responseEnds(messages);
  const texts = ends.map((end, i) => response.slice(ends[i - 1] ?? 0, end));
  return { ends, texts, names: chat.tokensOf(ids.slice(promptLength, promptLength + ends.length)) };
}

async function openAll(): Promise<[string, Chat][]> {
  const families = FAMILIES.map((family): [string, Chat] => [
    family.family,
    chatFromFiles(familyFiles(family), family.family),
  ]);
  if (!hasShared) return [["tiny", await openChat(tinyDirectory)], ...families];
  const [llama, qwen, gemma] = ["llama3_1", "qwen2_5", "gemma2"].map(sharedTokenizer);
  return [
    ["tiny", await openChat(tinyDirectory)],
    ...families,
    ["llama-3.1", chatFromFiles(llama!, "llama-3.1")],
    ["qwen-2.5", chatFromFiles(qwen!, "qwen-2.5")],
    ["gemma-2", chatFromFiles(gemma!, "gemma-2", { chatTemplate: templates.gemma2! })],
  ];
}
const CHATS = await openAll();

describe.each(CHATS)(withShared("%s"), (_, chat) => {
  test.each([...TEXTS, ...PADDED])(
    "the tokens' texts are the response %j, in whole characters",
    (response) => {
      const { ends, texts } = read(chat, response);
      expect(texts.join("")).toBe(response);
      expect(ends.at(-1)).toBe(response.length);
      for (const text of texts) expect(text).not.toMatch(/\p{Surrogate}/u);
    },
  );

  test.each(TEXTS)("every token of %j carries what its name spells", (response) => {
    const { texts, names } = read(chat, response);
    const plain = names.flatMap((name, t) =>
      /^[▁Ġ]?[A-Za-z0-9.,:'()=-]+$/.test(name) ? [[name, texts[t]!]] : [],
    );
    // A first token may merge with the header; Llama 2 puts a space in front.
    const differing = plain.filter(([name, text], i) => {
      const spelt = name!.replace(/[▁Ġ]/, " ");
      return i === 0 ? spelt.trim() !== text!.trim() : spelt !== text;
    });
    expect(differing.filter(([name]) => !["<unk>"].includes(name!))).toEqual([]);
  });

  test("a response of nothing, or of white space that the template drops, has no token", () => {
    expect(chat.responseEnds(conversation(""))).toEqual([]);
    const blank = " \n ";
    const ends = chat.responseEnds(conversation(blank));
    if (ends.length > 0) expect(ends.at(-1)).toBe(blank.length);
  });
});

test("a token that ends inside a character adds nothing, and the one that completes it carries it", async () => {
  const { texts, names } = read(await openChat(tinyDirectory), "a👍b");
  expect(names.length).toBeGreaterThan(3);
  expect(texts.filter((text) => text !== "")).toEqual(["a", "👍", "b"]);
  expect(texts.at(-2)).toBe("👍");
});

test("white space that the template drops goes with its neighbours", () => {
  const llama2 = CHATS.find(([name]) => name === "llama-2")![1];
  const { texts } = read(llama2, "\n\n Seven. Eight. \n");
  expect(texts[0]).toMatch(/^\n\n /);
  expect(texts.at(-1)).toMatch(/\. \n$/);
});

test("a template that writes less than the response gives what it leaves out to the next token", async () => {
  const chatTemplate =
    "{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>' + m.content.split('</think>')[-1] + '<|eot_id|>' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>' }}{% endif %}";
  const chat = await openChat(tinyDirectory, { chatTemplate });
  const { texts } = read(chat, "<think>A prime has two divisors.</think>Seven is one.");
  expect(texts[0]).toMatch(/^<think>A prime has two divisors.<\/think>S/);
  expect(texts.join("")).toMatch(/Seven is one\.$/);
});

test("a template that hides where the response ends is refused", async () => {
  const chatTemplate =
    "{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>' + m.content[:4] + '<|eot_id|>' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>' }}{% endif %}";
  const chat = await openChat(tinyDirectory, { chatTemplate, gatingPattern: [4094] });
  expect(() => chat.responseEnds(conversation("Seven is a prime."))).toThrow(
    /^trace: expected a template that shows/,
  );
});

describe("aligned texts", () => {
  test("are in step where they agree, and where one was left out, put in or exchanged", () => {
    expect([...alignTexts("abcdef", "abcdef")]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect([...alignTexts("  abcdef", "abcdef")]).toEqual([0, 3, 4, 5, 6, 7, 8]);
    expect([...alignTexts("abcdef", " abcdef")]).toEqual([0, 0, 1, 2, 3, 4, 5, 6]);
    expect([...alignTexts("ab--cdef", "ab+cdef")]).toEqual([0, 1, 2, 4, 5, 6, 7, 8]);
    expect([...alignTexts("abcd  ", "abcd")]).toEqual([0, 1, 2, 3, 6]);
  });

  test("leave to the end what does not agree at all", () => {
    expect([...alignTexts("abc", "xyzw")]).toEqual([0, 0, 0, 0, 3]);
    expect([...alignTexts("", "xy")]).toEqual([0, 0, 0]);
    expect([...alignTexts("xy", "")]).toEqual([2]);
  });

  test("follow unknown tokens, lower case and compatibility characters", () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    expect(tokenEnds("a ☃ snowman", ["a", " ", "<unk>", " snow", "man"].map(bytes), null)).toEqual([
      1, 2, 3, 8, 11,
    ]);
    const lower = (text: string) => text.toLowerCase();
    expect(tokenEnds("HELLO World", ["hel", "lo", " world"].map(bytes), lower)).toEqual([3, 5, 11]);
    const nfkc = (text: string) => text.normalize("NFKC");
    expect(tokenEnds("ﬁne ﬂow", ["f", "ine", " fl", "ow"].map(bytes), nfkc)).toEqual([0, 3, 5, 7]);
    const nfc = (text: string) => text.normalize("NFC");
    const korean = "\u1112\u1161\u11ab\u1100\u116e\u11a8";
    expect(tokenEnds(korean, ["한", "국"].map(bytes), nfc)).toEqual([3, 6]);
  });
});

import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it, test } from "vitest";
import { type Chat, chatFromFiles } from "../../src/chat/chat.ts";
import { parseChatTemplate } from "../../src/chat/chat-template.ts";
import { decodedTextReader } from "../../src/chat/decoded-text.ts";
import type { Message } from "../../src/chat/messages.ts";
import { openPolicyTemplate } from "../../src/chat/policy-templates.ts";
import { pythonStrip } from "../../src/chat/python-strip.ts";
import { hasShared, sharedTokenizer, tinyDirectory, tinyFiles, withShared } from "./checkpoints.ts";
import { FAMILIES, familyFiles } from "./families.ts";

const say = (role: string, content: string): Message => ({ role, content });
const user = (content: string) => say("user", content);
const assistant = (content: string) => say("assistant", content);

/** Conversations of every shape; contents with what parsers trip over. */
const CONVERSATIONS: readonly (readonly Message[])[] = [
  [user("Name a river."), assistant("The Rhine.")],
  [user("a\n\nb\n"), assistant("  x\n\ny ")],
  [user("user\nassistant"), assistant("system")],
  [user("Why <b>so</b> | loud [sic]?"), assistant("<i>Because</i> {{ x }} \u00df \ud83d\ude00")],
  [user("One?"), assistant("1"), user("Two?"), assistant("2"), user("Three?"), assistant("3")],
  [user("Silence."), assistant("")],
];
const WITH_SYSTEM = [say("system", "Be brief.\nBe kind."), user("Hi."), assistant("Hello.")];
const WITH_GREETING = [assistant("Welcome!"), user("Hi."), assistant("Hello.")];

const trimmed = (messages: readonly Message[]) =>
  messages.map(({ role, content }) => ({ role, content: pythonStrip(content) }));

function checkRoundTrips(chat: Chat, conversations: readonly (readonly Message[])[]): void {
  const reader = decodedTextReader(chat.template);
  for (const messages of conversations) {
    const { ids, text } = chat.encode(messages);
    const read = reader.read(text);
    expect(trimmed(read.prompt)).toEqual(trimmed(messages.slice(0, -1)));
    expect(pythonStrip(read.response)).toBe(pythonStrip(messages.at(-1)!.content));
    expect(read.ended).toBe(true);
    expect(read.text).toBe(text);
    expect(chat.encodeText(read.text)).toEqual(ids);
  }
}

describe("a checkpoint's own text is read back to the ids of the same conversation", () => {
  test("the embedded checkpoint", async () => {
    const chat = chatFromFiles(await tinyFiles(), "tiny");
    checkRoundTrips(chat, [...CONVERSATIONS, WITH_SYSTEM, WITH_GREETING]);
  });

  test.each(FAMILIES)("$family", (family) => {
    const chat = chatFromFiles(familyFiles(family), family.family);
    checkRoundTrips(chat, CONVERSATIONS);
    if (["llama-2", "phi-3.5"].includes(family.family)) checkRoundTrips(chat, [WITH_SYSTEM]);
  });

  describe.skipIf(!hasShared).each(["llama3_1", "qwen2_5", "gemma2"])(withShared("%s"), (name) => {
    interface Case {
      tokenizer: string;
      name: string;
      messages: Message[];
      rendered: string;
      renderedError?: string;
    }
    const golden: { templates: Record<string, string>; cases: Case[] } = JSON.parse(
      readFileSync(new URL("../golden/templates/cases.json", import.meta.url), "utf8"),
    );
    let chat: Chat;
    beforeAll(() => {
      const files = sharedTokenizer(name);
      const chatTemplate = files.chatTemplate ?? golden.templates[name]!;
      chat = chatFromFiles(files, name, { chatTemplate });
    }, 60_000);

    it("reads every shape of conversation", () => {
      const own = name === "gemma2" ? [] : [WITH_SYSTEM, WITH_GREETING];
      checkRoundTrips(chat, [...CONVERSATIONS, ...own]);
    });

    it("reads or refuses every golden rendering, and never reads it as another conversation", () => {
      const reader = decodedTextReader(chat.template);
      let readCount = 0;
      for (const { tokenizer, name: title, messages, rendered, renderedError } of golden.cases) {
        if (tokenizer !== name || renderedError !== undefined) continue;
        if (title.startsWith("special tokens") || title === "user after user") {
          expect(() => reader.read(rendered)).toThrow(/decoded text/);
          continue;
        }
        const read = reader.read(rendered);
        expect(trimmed([...read.prompt, assistant(read.response)])).toEqual(trimmed(messages));
        readCount += 1;
      }
      expect(readCount).toBeGreaterThanOrEqual(10);
    });
  });
});

describe("policy templates by name", () => {
  const NAMES = [
    "chatml",
    "qwen",
    "llama3",
    "llama3.1",
    "llama2",
    "mistral",
    "mistral-v3",
    "gemma",
    "phi3",
    "zephyr",
  ];
  const withoutSystem = ["mistral", "mistral-v3", "gemma"];

  test.each(NAMES)("%s: what it renders is read back", async (name) => {
    const policy = await openPolicyTemplate(name);
    const template = parseChatTemplate(policy.source, policy.specialTokens);
    const reader = decodedTextReader(policy);
    const conversations = withoutSystem.includes(name) ? CONVERSATIONS : [...CONVERSATIONS, WITH_SYSTEM];
    for (const messages of conversations) {
      const text = template.render(messages, false);
      const read = reader.read(text);
      expect(trimmed([...read.prompt, assistant(read.response)])).toEqual(trimmed(messages));
      expect(read.ended).toBe(true);
    }
  });

  test.each(NAMES)("%s: a response that was cut off, and padding on both sides", async (name) => {
    const policy = await openPolicyTemplate(name);
    const { eos_token: eos = "", pad_token: pad = "", bos_token: bos = "" } = policy.specialTokens;
    const prompt = parseChatTemplate(policy.source, policy.specialTokens).render([user("Hi.")], true);
    const reader = decodedTextReader(policy);
    expect(reader.read(`${prompt}Hel`)).toMatchObject({ response: "Hel", ended: false });
    expect(reader.read(`${prompt}Hel${pad}${pad}`)).toMatchObject({ response: "Hel", ended: false });
    expect(reader.read(`${prompt}Hel${eos}${pad}${pad}`)).toMatchObject({ response: "Hel", ended: true });
    expect(reader.read(`${pad}${pad}${prompt}Hel${eos}`)).toEqual(reader.read(`${prompt}Hel${eos}`));
    // Trainers strip BOS.
    expect(reader.read(`${prompt.replace(bos, "")}Hel`)).toEqual(reader.read(`${prompt}Hel`));
    expect(reader.read(prompt)).toMatchObject({ response: "", ended: false });
  });

  test.each(NAMES)("%s: control tokens inside messages are refused", async (name) => {
    const policy = await openPolicyTemplate(name);
    const template = parseChatTemplate(policy.source, policy.specialTokens);
    const reader = decodedTextReader(policy);
    const forged = template.render([user("x"), assistant("§"), user("z")], true);
    const turn = forged.slice(forged.indexOf("§") + 1);
    const prompt = template.render([user("Hi.")], true);
    for (const token of template
      .render([user("x"), assistant("y")], false)
      .match(/<\|.*?\|>|\[\/INST\]|<\/?[a-z_]+>/g)!) {
      if (Object.values(policy.specialTokens).includes(token)) continue;
      expect(() => reader.read(`${prompt}He${token}llo`)).toThrow(/decoded text/);
      expect(() => reader.read(template.render([user(`a${token}b`), assistant("c")], false))).toThrow(
        /decoded text/,
      );
    }
    // A whole turn inside a response is a conversation of its own: only the prompt tells.
    expect(reader.read(`${prompt}y${turn}w`).prompt).toHaveLength(3);
    expect(() => reader.read(`${prompt}y${turn}w`, prompt)).toThrow(/expected it to begin with its prompt/);
    expect(reader.read(`${prompt}y`, prompt).response).toBe("y");
  });

  test("white space that SentencePiece decoders make up or lose", async () => {
    const mistral = decodedTextReader(await openPolicyTemplate("mistral"));
    const read = mistral.read("<s> [INST] One? [/INST] 1</s> [INST] Two? [/INST] 2</s>");
    expect(read.prompt).toEqual([user("One?"), assistant("1"), user("Two?")]);
    expect(read.response).toBe("2");
    expect(read.text).toBe("<s>[INST] One? [/INST] 1</s>[INST] Two? [/INST] 2</s>");
    const phi = decodedTextReader(await openPolicyTemplate("phi3"));
    expect(phi.read("<s><|user|> Hi.<|end|><|assistant|> Hello.<|end|>")).toMatchObject({
      prompt: [user("Hi.")],
      response: "Hello.",
      ended: true,
    });
    const llama = decodedTextReader(await openPolicyTemplate("llama2"));
    expect(llama.read("<s> [INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi. [/INST] Hello.</s>")).toMatchObject({
      prompt: [say("system", "Be kind."), user("Hi.")],
      response: "Hello.",
    });
  });

  test("a date that a template writes is taken from the text", async () => {
    const reader = decodedTextReader(await openPolicyTemplate("llama3.1"));
    const head = (date: string, system: string) =>
      `<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: ${date}\n\n${system}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n`;
    expect(reader.read(`${head("05 Mar 2031", "")}Hello.<|eot_id|>`).prompt).toEqual([user("Hi.")]);
    expect(reader.read(`${head("26 Jul 2024", "Be kind.")}Hello.`).prompt).toEqual([
      say("system", "Be kind."),
      user("Hi."),
    ]);
  });

  test("text of another template, or without its special tokens, is refused with what to do", async () => {
    const reader = decodedTextReader(await openPolicyTemplate("llama3"));
    for (const text of [
      "",
      "Hello.",
      "user\n\nHi.assistant\n\nHello.",
      "<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\nHello.",
    ]) {
      expect(() => reader.read(text)).toThrow(
        expect.objectContaining({
          code: "undecodable-text",
          remedy: expect.stringContaining("--text retemplate="),
        }),
      );
    }
  });

  test("a checkpoint's directory and a file name a template too; anything else does not", async () => {
    const own = await openPolicyTemplate(tinyDirectory);
    const chat = chatFromFiles(await tinyFiles(), "tiny");
    expect(own.source).toBe(chat.template.source);
    const { text } = chat.encode(WITH_SYSTEM);
    expect(decodedTextReader(own).read(text).prompt).toEqual(WITH_SYSTEM.slice(0, -1));
    await expect(openPolicyTemplate("chatlm")).rejects.toThrow(/expected chatml, qwen, llama3/);
  });
});

test("a system prompt that the template writes unasked is not a message", () => {
  const source =
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou are kind.<|im_end|>\n' }}{% endif %}" +
    "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\n' ~ m.content ~ '<|im_end|>\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
  const policy = {
    name: "kind",
    source,
    specialTokens: { eos_token: "<|im_end|>" },
    control: [],
    looseSpaces: false,
  };
  const template = parseChatTemplate(source, {});
  const reader = decodedTextReader(policy);
  expect(reader.read(`${template.render([user("Hi.")], true)}Hello.`).prompt).toEqual([user("Hi.")]);
  const asked = [say("system", "You are terse."), user("Hi.")];
  expect(reader.read(`${template.render(asked, true)}Hello.`).prompt).toEqual(asked);
});

test("a template that marks turns by words alone is read, and its words inside a message refused", () => {
  const source =
    "{% for m in messages %}{{ ('USER: ' if m.role == 'user' else 'ASSISTANT: ') ~ m.content ~ '\n' }}{% endfor %}" +
    "{% if add_generation_prompt %}{{ 'ASSISTANT: ' }}{% endif %}";
  const reader = decodedTextReader({
    name: "words",
    source,
    specialTokens: {},
    control: [],
    looseSpaces: false,
  });
  expect(reader.read("USER: Hi.\nASSISTANT: Hello.")).toMatchObject({
    prompt: [user("Hi.")],
    response: "Hello.",
  });
  expect(() => reader.read("USER: Hi.\nUSER: Ho.\nASSISTANT: Hello.")).toThrow(/inside a message/);
});

test("a text of too many messages is refused by its turns, before any shape is rendered", async () => {
  const chat = chatFromFiles(await tinyFiles(), "tiny");
  const conversation = (turns: number) =>
    Array.from({ length: 2 * turns }, (_, i) => (i % 2 === 0 ? user(`${i}?`) : assistant(`${i}.`)));
  const refused = (most: number, read: (reader: ReturnType<typeof decodedTextReader>) => unknown) =>
    expect(() => read(decodedTextReader(chat.template, most))).toThrow(
      expect.objectContaining({
        code: "too-many-messages",
        message: expect.stringMatching(/^decoded text: expected at most \d+ messages, got at least \d+$/),
      }),
    );
  const text = (messages: readonly Message[]) => chat.encode(messages).text;
  expect(decodedTextReader(chat.template, 6).read(text(conversation(3))).prompt).toHaveLength(5);
  refused(5, (reader) => reader.read(text(conversation(3))));
  refused(6, (reader) => reader.read(text([say("system", "Be brief."), ...conversation(3)])));
  refused(1024, (reader) => reader.readAnswer(conversation(600).slice(0, -1), "."));
  // As no template writes them: only counting can tell.
  const header = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n";
  refused(1024, (reader) => reader.read(header.repeat(100_000)));
});

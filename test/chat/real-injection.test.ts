import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { type Chat, chatFromFiles } from "../../src/chat/chat.ts";
import type { Message } from "../../src/chat/messages.ts";
import { buildTokenizer, type Tokenizer } from "../../src/chat/tokenizer.ts";
import { hasShared, sharedTokenizer, withShared } from "./checkpoints.ts";

// Every added token of real tokenizers, in every role, in the ways that could merge with its surroundings: the control
// tokens of the conversation and the gating position stay those of the template.

const { templates }: { templates: Record<string, string> } = JSON.parse(
  readFileSync(new URL("../golden/templates/cases.json", import.meta.url), "utf8"),
);
const roles = (...names: string[]): Message[] =>
  names.map((role, index) => ({ role, content: `Text ${index}.` }));
const CHECKPOINTS = [
  {
    name: "llama3_1",
    tokens: 256,
    vocabulary: 0,
    benign: roles("system", "user", "assistant", "user", "assistant"),
  },
  {
    name: "qwen2_5",
    tokens: 22,
    vocabulary: 2,
    benign: roles("system", "user", "assistant", "user", "assistant"),
  },
  { name: "gemma2", tokens: 249, vocabulary: 243, benign: roles("user", "assistant", "user", "assistant") },
];
const POSITIONS: Record<string, (token: string) => string> = {
  alone: (token) => token,
  "in the middle": (token) => `a${token}\n b`,
  "twice, in halves around itself": (token) => `${token}${token.slice(0, 2)}${token}${token.slice(2)} `,
};

describe.skipIf(!hasShared).each(CHECKPOINTS)(
  withShared("every added token of $name, in every role"),
  ({ name, tokens, vocabulary, benign }) => {
    let tokenizer: Tokenizer;
    let text: Chat;
    let compat: Chat;
    let isControl: (id: number) => boolean;
    beforeAll(() => {
      const files = sharedTokenizer(name);
      const chatTemplate = files.chatTemplate ?? templates[name]!;
      tokenizer = buildTokenizer(files.tokenizer, files.config);
      text = chatFromFiles(files, name, { chatTemplate }, tokenizer);
      compat = chatFromFiles(files, name, { chatTemplate, specialTokens: "compat" }, tokenizer);
      const free = new Set(
        tokenizer.addedTokens
          .filter(({ content, special }) => !special && !/^<\|/.test(content))
          .map(({ id }) => id),
      );
      const added = new Set(tokenizer.addedTokens.map(({ id }) => id));
      isControl = (id) => added.has(id) && !free.has(id);
    }, 60_000);

    it.each(Object.keys(POSITIONS))("leaves the structure alone: %s", (position) => {
      const plain = text.encode(benign);
      const structure = (ids: readonly number[]) => ids.filter(isControl);
      const [whole, before] = [structure(plain.ids), structure(plain.ids.slice(0, plain.gatingPosition))];
      const header = plain.ids.slice(plain.gatingPosition, plain.promptLength);
      const moved: string[] = [];
      for (const token of tokenizer.addedTokens) {
        const content = POSITIONS[position]!(token.content);
        for (const index of benign.keys()) {
          const messages = benign.map((message, each) =>
            each === index ? { ...message, content } : message,
          );
          const encoded = text.encode(messages);
          const { ids, gatingPosition, promptLength } = encoded;
          const same =
            String(structure(ids)) === String(whole) &&
            String(structure(ids.slice(0, gatingPosition))) === String(before) &&
            String(ids.slice(gatingPosition, promptLength)) === String(header);
          if (!same) moved.push(`${token.content} in message ${index}`);
        }
      }
      expect(moved).toEqual([]);
    });

    it("knows which of them are vocabulary, which match as Hugging Face has it", () => {
      expect(tokenizer.addedTokens).toHaveLength(tokens);
      const free = tokenizer.addedTokens.filter(({ id }) => !isControl(id));
      expect(free).toHaveLength(vocabulary);
      for (const { content } of free) {
        const messages = benign.map((message) => ({ ...message, content: `a${content}b` }));
        expect(text.encode(messages)).toEqual(compat.encode(messages));
      }
    });
  },
);

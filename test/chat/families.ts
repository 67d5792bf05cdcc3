import { readFileSync } from "node:fs";
import type { ChatFiles } from "../../src/chat/chat-files.ts";

export const readFamilyFile = (name: string): string =>
  readFileSync(new URL(`../golden/families/${name}`, import.meta.url), "utf8");

/** The `[INST]` families and Phi-3: templates and tokenizers of their structure, with some hundred entries each. */
export const FAMILIES = [
  { family: "llama-2", tokenizer: "llama-2", eos: "</s>", ending: ["▁[", "/", "INST", "]"], bos: "template" },
  {
    family: "mistral-v1",
    tokenizer: "llama-2",
    eos: "</s>",
    ending: ["▁[", "/", "INST", "]"],
    bos: "template",
  },
  { family: "mistral-v3", tokenizer: "mistral-v3", eos: "</s>", ending: ["[/INST]"], bos: "template" },
  {
    family: "phi-3",
    tokenizer: "phi-3",
    eos: "<|endoftext|>",
    ending: ["<|end|>", "<|assistant|>"],
    bos: "template",
  },
  {
    family: "phi-3.5",
    tokenizer: "phi-3",
    eos: "<|endoftext|>",
    ending: ["<|end|>", "<|assistant|>"],
    bos: "add_bos_token",
  },
];

/** The files of a checkpoint of a family. */
export function familyFiles({ family, tokenizer, eos }: (typeof FAMILIES)[number]): ChatFiles {
  const tokenizerBytes = Buffer.from(readFamilyFile(`${tokenizer}.tokenizer.json`));
  return {
    tokenizerBytes,
    tokenizer: JSON.parse(tokenizerBytes.toString()),
    config: family === "phi-3.5" ? { add_bos_token: false } : { add_bos_token: true },
    specialTokens: { bos_token: "<s>", eos_token: eos, unk_token: "<unk>" },
    chatTemplate: readFamilyFile(`${family}.jinja`),
  };
}

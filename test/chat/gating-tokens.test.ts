import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type Chat, chatFromFiles, openChat } from "../../src/chat/chat.ts";
import { hasShared, sharedTokenizer, tinyDirectory, withShared } from "./checkpoints.ts";
import { FAMILIES, familyFiles } from "./families.ts";

// The table of docs/gating-tokens.md, row by row.

const page = readFileSync(new URL("../../docs/gating-tokens.md", import.meta.url), "utf8");
const rows = Array.from(
  page.matchAll(/^\| (?!family|-)([^|]+) \| `([\w.-]+)` \| (.+) \| ([–\d, ]+) \| ([\w-]+) \| (–|\d+) \|$/gm),
).map(([, family, name, tokens, ids, rule, maxId]) => ({
  family: family!,
  name: name!,
  tokens: Array.from(tokens!.replaceAll("\\|", "|").matchAll(/`([^`]+)`/g), ([, token]) =>
    token!.replaceAll("\\n", "\n"),
  ),
  ids: ids === "–" ? null : ids!.split(", ").map(Number),
  rule: rule!,
  maxId: maxId === "–" ? null : Number(maxId),
}));
const REAL = ["llama3_1", "qwen2_5", "gemma2"];
const golden: { templates: Record<string, string> } = JSON.parse(
  readFileSync(new URL("../golden/templates/cases.json", import.meta.url), "utf8"),
);

async function open(name: string): Promise<Chat> {
  if (name === "tiny") return openChat(tinyDirectory);
  const family = FAMILIES.find((each) => each.family === name);
  if (family) return chatFromFiles(familyFiles(family), name);
  const files = sharedTokenizer(name);
  return chatFromFiles({ ...files, chatTemplate: files.chatTemplate ?? golden.templates[name]! }, name);
}

async function expectRow({ name, tokens, ids, rule, maxId }: (typeof rows)[number]): Promise<void> {
  const chat = await open(name);
  for (const content of ["Hi", "Two words.\n", "(1)"]) {
    const encoded = chat.encode([
      { role: "user", content },
      { role: "assistant", content: "Ho" },
    ]);
    const ending = encoded.ids.slice(encoded.gatingPosition, encoded.promptLength);
    expect(chat.tokensOf(ending)).toEqual(tokens);
    if (ids !== null) expect(ending).toEqual(ids);
  }
  expect(chat.bosRule).toBe(rule);
  if (maxId !== null) expect(chat.maxId).toBe(maxId);
}

it("has a row for every family", () => {
  expect(rows.map(({ name }) => name)).toEqual([...REAL, "tiny", ...FAMILIES.map(({ family }) => family)]);
});

it.skipIf(!hasShared).each(rows.filter(({ name }) => REAL.includes(name)))(
  withShared("$family is as the published tokenizer has it"),
  expectRow,
  60_000,
);

it.each(rows.filter(({ name }) => !REAL.includes(name)))("$family is as the table says", expectRow);

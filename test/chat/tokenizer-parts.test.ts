import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { buildTokenizer } from "../../src/chat/tokenizer.ts";

// SentencePiece's subtleties: what Hugging Face's tokenizers make of every way to write them in tokenizer.json.

interface Variant {
  name: string;
  tokenizer: string;
  pre_tokenizer?: object;
  added_tokens?: object;
  ids: number[][];
}
interface TokenizerJson {
  pre_tokenizer: object;
  added_tokens: { id: number }[];
  model: { vocab: Record<string, number> };
}
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../golden/families/${name}.json`, import.meta.url), "utf8"));
const golden: { texts: string[]; variants: Variant[] } = read("variants");
const tokenizerJson = (name: string): TokenizerJson => read(`${name}.tokenizer`);

function build(name: string, preTokenizer?: object, flags?: object) {
  const json = tokenizerJson(name);
  if (preTokenizer) json.pre_tokenizer = preTokenizer;
  if (flags) json.added_tokens = json.added_tokens.map((token) => ({ ...token, ...flags }));
  return buildTokenizer(json, {});
}

it.each(golden.variants)("encodes as Hugging Face does: $name", ({ tokenizer, ids, ...variant }) => {
  const built = build(tokenizer, variant.pre_tokenizer, variant.added_tokens);
  const encode = (text: string) => built.encode(text).flatMap((stretch) => stretch.ids);
  expect(golden.texts.map(encode)).toEqual(ids);
});

describe("a pre-tokenizer that cannot be followed is refused:", () => {
  it.each<[string, object]>([
    [
      "a prefix at the beginning of the text alone, after another splitter",
      {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { String: "e" }, behavior: "Isolated", invert: false },
          { type: "Metaspace", replacement: "▁", prepend_scheme: "first" },
        ],
      },
    ],
    ["a prefix that is switched off and on", { type: "Metaspace", add_prefix_space: false }],
    [
      "a merging split at more than a character",
      { type: "Split", pattern: { Regex: "e+" }, behavior: "MergedWithNext" },
    ],
    ["a contiguous split", { type: "Split", pattern: { String: "e" }, behavior: "Contiguous" }],
    ["an inverted split", { type: "Split", pattern: { String: "e" }, behavior: "Isolated", invert: true }],
    ["an unknown one", { type: "Guess" }],
  ])("%s", (_, preTokenizer) => {
    expect(() => build("mistral-v3", preTokenizer)).toThrow(
      expect.objectContaining({ code: "bad-tokenizer", message: expect.stringMatching(/^tokenizer.json: /) }),
    );
  });
});

describe("the highest id", () => {
  it.each(["llama-2", "mistral-v3", "phi-3"])("counts the vocabulary and the added tokens of %s", (name) => {
    const { added_tokens: added, model } = tokenizerJson(name);
    const ids = [...Object.values(model.vocab), ...added.map(({ id }) => id)];
    expect(build(name).maxId).toBe(Math.max(...ids));
  });
});

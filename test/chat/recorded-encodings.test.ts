import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { buildTokenizer, type Tokenizer } from "../../src/chat/tokenizer.ts";
import { hasShared, shared, sharedTokenizer, withShared } from "./checkpoints.ts";

// Encodings that other people recorded with Hugging Face's tokenizers. Gemma 1 and 2 share their vocabulary, and so do
// Llama 3.1 and 3.2.

interface Recording {
  text: string;
  ids: number[];
}
const read = (name: string) => JSON.parse(readFileSync(`${shared}/tokenizers/golden/${name}.json`, "utf8"));
const article = (name: string): Recording => {
  const { text, token_ids: ids } = read(name);
  return { text, ids };
};
const sentences = (name: string): Recording[] =>
  read("tokenizer_tests")[name].map(
    ({ input, encoded }: { input: string; encoded: { input_ids: number[] } }) => ({
      text: input,
      ids: encoded.input_ids,
    }),
  );

const CHECKED = [
  { name: "llama3_1", article: "llama_3.2_encoded", sentences: "pcuenq/Llama-3.2-1B-Instruct-tokenizer" },
  { name: "gemma2", article: "gemma_encoded", sentences: "pcuenq/gemma-tokenizer" },
];
// Recorded with tokenizers that are not here; none of them belongs to a family that is supported but Llama 2's.
const UNCHECKED_ARTICLES = ["llama_encoded", "gpt2_encoded_tokens"];
const UNCHECKED_SENTENCES = [
  "bert-base-uncased",
  "coreml-projects/Llama-2-7b-chat-coreml",
  "distilbert/distilbert-base-multilingual-cased",
  "distilgpt2",
  "google-bert/bert-base-uncased",
  "openai/whisper-large-v2",
  "openai/whisper-tiny.en",
  "t5-base",
  "tiiuae/falcon-7b",
];

describe.skipIf(!hasShared).each(CHECKED)(withShared("recordings for $name"), (recorded) => {
  let tokenizer: Tokenizer;
  let bos: number;
  beforeAll(() => {
    const files = sharedTokenizer(recorded.name);
    tokenizer = buildTokenizer(files.tokenizer, files.config);
    bos = tokenizer.addedTokens.find(({ content }) => content === files.specialTokens.bos_token)!.id;
  }, 60_000);
  /** Recordings begin with the BOS token of the post-processor, which a chat leaves to the template. */
  const expectEncoding = ({ text, ids }: Recording) => {
    const encoded = tokenizer.encode(text);
    expect([bos, ...encoded.flatMap((stretch) => stretch.ids)]).toEqual(ids);
    expect(encoded.map(({ start, end }) => text.slice(start, end)).join("")).toBe(text);
  };

  it("give the ids of the whole article", () => {
    const { text, ids } = article(recorded.article);
    expect(ids.length).toBeGreaterThan(150);
    expectEncoding({ text, ids });
  });

  it("give the ids of every sentence", () => {
    const all = sentences(recorded.sentences);
    expect(all).toHaveLength(18);
    for (const each of all) expectEncoding(each);
  });
});

describe.skipIf(!hasShared)(withShared("recordings without a tokenizer here"), () => {
  it(`are those of ${[...UNCHECKED_ARTICLES, ...UNCHECKED_SENTENCES].join(", ")}`, () => {
    expect(Object.keys(read("tokenizer_tests")).sort()).toEqual(
      [...UNCHECKED_SENTENCES, ...CHECKED.map((each) => each.sentences)].sort(),
    );
  });
});

describe.skipIf(!hasShared)(withShared("Meta's own vocabulary of Llama 3"), () => {
  // Ranks of byte strings; Hugging Face spells every byte as one printable character.
  const spelled = Array.from({ length: 256 }, (_, byte) => byte).map((byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return printable ? String.fromCharCode(byte) : null;
  });
  let next = 256;
  const characters = spelled.map((character) => character ?? String.fromCharCode(next++));

  it("agrees with Llama 3.1's tokenizer.json rank by rank", () => {
    const ranks = readFileSync(`${shared}/tokenizers/llama3/tokenizer.model`, "latin1").trim().split("\n");
    const { vocab } = (sharedTokenizer("llama3_1").tokenizer as { model: { vocab: Record<string, number> } })
      .model;
    const entries = ranks.map((line): [string, number] => {
      const [base64, rank] = line.split(" ");
      return [Array.from(Buffer.from(base64!, "base64"), (byte) => characters[byte]).join(""), Number(rank)];
    });
    expect(entries).toHaveLength(128_000);
    expect(entries.filter(([token, rank]) => vocab[token] !== rank)).toEqual([]);
    expect(Object.keys(vocab)).toHaveLength(128_000);
  });
});

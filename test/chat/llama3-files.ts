// Tokenizer files as Llama-3 checkpoints have them, over a vocabulary of some 300 entries: bytes, the special tokens of a
// conversation, and the two words that its headers consist of.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Ids that the golden checkpoints use in their gating pattern: [9, 6, 191, 7, 271]. */
const IDS: Readonly<Record<string, number>> = {
  "<|begin_of_text|>": 1,
  "<|start_header_id|>": 6,
  "<|end_header_id|>": 7,
  "<|eot_id|>": 9,
  assistant: 191,
  ĊĊ: 271,
};
const SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const MERGES = ["a s", "as s", "ass i", "assi s", "assis t", "assist a", "assista n", "assistan t", "Ċ Ċ"];

export interface Llama3FilesOptions {
  readonly vocabSize: number;
  /** Whether the template writes BOS. The tokenizer itself adds none. */
  readonly bosInTemplate: boolean;
}

/** Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`; the last id is the added `[PAD]`. */
export function writeLlama3Files(directory: string, { vocabSize, bosInTemplate }: Llama3FilesOptions): void {
  const pad = vocabSize - 1;
  const free = Array.from({ length: pad }, (_, id) => id).filter((id) => !Object.values(IDS).includes(id));
  const vocab: Record<string, number> = {};
  const added: { id: number; content: string }[] = [{ id: pad, content: "[PAD]" }];
  for (const token of [...byteAlphabet(), ...MERGES.map((merge) => merge.replace(" ", ""))])
    vocab[token] = IDS[token] ?? free.shift()!;
  for (const [content, id] of Object.entries(IDS)) if (content.startsWith("<|")) added.push({ id, content });
  for (const [i, id] of free.entries()) added.push({ id, content: `<|reserved_special_token_${i}|>` });
  added.sort((a, b) => a.id - b.id);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const byteLevel = { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true };
  const write = (name: string, value: unknown) =>
    writeFileSync(join(directory, name), JSON.stringify(value, null, 2));
  write("tokenizer.json", {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added.map((token) => ({ ...token, ...flags })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: SPLIT }, behavior: "Isolated", invert: false },
        { ...byteLevel, add_prefix_space: false, use_regex: false },
      ],
    },
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: true,
      vocab,
      merges: MERGES,
    },
  });
  const named = { bos_token: "<|begin_of_text|>", eos_token: "<|eot_id|>", pad_token: "[PAD]" };
  const bos = "{% if loop.index0 == 0 %}{{ bos_token }}{% endif %}";
  write("tokenizer_config.json", {
    added_tokens_decoder: Object.fromEntries(added.map(({ id, content }) => [id, { content, ...flags }])),
    ...named,
    chat_template:
      `{% for message in messages %}${bosInTemplate ? bos : ""}` +
      "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}" +
      "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    clean_up_tokenization_spaces: true,
    model_input_names: ["input_ids", "attention_mask"],
    model_max_length: 1_000_000_000_000_000_000,
    tokenizer_class: "PreTrainedTokenizerFast",
  });
  write("special_tokens_map.json", named);
}

/** One printable character per byte, as byte-level tokenizers write them. */
function byteAlphabet(): string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

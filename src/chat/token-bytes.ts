// What vocabulary entries stand for: the bytes of text that a token spells.

interface Part {
  readonly type?: string;
  readonly [field: string]: unknown;
}

/** How a tokenizer writes text. */
export interface Spelling {
  /** The bytes that an entry of the model's vocabulary stands for; not for added tokens. */
  bytesOf(entry: string): Uint8Array;
  /** What the normalizer has written, as text. */
  textOf(normalized: string): string;
}

/**
 * How a `tokenizer.json` spells text in its vocabulary.
 *
 * Byte-level vocabularies write every byte as a character. SentencePiece-like ones write text, with a marker (`▁`) for spaces, and
 * single bytes as `<0x0A>` where the model falls back to them.
 */
export function spellingOf(json: unknown): Spelling {
  const { normalizer, pre_tokenizer: preTokenizer, model } = (json ?? {}) as Record<string, unknown>;
  const isByteLevel = ({ type }: Part): boolean => type === "ByteLevel";
  const decoder = new TextDecoder();
  if (partsOf(normalizer).some(isByteLevel)) {
    return {
      bytesOf: bytesOfCharacters,
      textOf: (normalized) => decoder.decode(bytesOfCharacters(normalized)),
    };
  }
  if (partsOf(preTokenizer).some(isByteLevel)) {
    return { bytesOf: bytesOfCharacters, textOf: (normalized) => normalized };
  }
  const byteFallback = (model as { byte_fallback?: unknown } | undefined)?.byte_fallback === true;
  const markers = [...partsOf(normalizer), ...partsOf(preTokenizer)].flatMap(markerOf);
  const textOf = (written: string): string =>
    markers.reduce((text, marker) => text.replaceAll(marker, " "), written);
  const encoder = new TextEncoder();
  return {
    textOf,
    bytesOf(entry) {
      const byte = byteFallback ? /^<0x([0-9A-F]{2})>$/.exec(entry) : null;
      return byte ? Uint8Array.of(Number.parseInt(byte[1]!, 16)) : encoder.encode(textOf(entry));
    },
  };
}

function partsOf(value: unknown): Part[] {
  if (typeof value !== "object" || value === null) return [];
  const { normalizers, pretokenizers } = value as Record<string, unknown>;
  return [
    value as Part,
    ...[normalizers, pretokenizers].flatMap((list) => (Array.isArray(list) ? list : []).flatMap(partsOf)),
  ];
}

/** What a part writes for a space. */
function markerOf({ type, pattern, content, replacement = "▁" }: Part): string[] {
  if (type === "Metaspace") return [String(replacement)];
  const { String: text } = (pattern ?? {}) as { String?: unknown };
  return type === "Replace" && text === " " && typeof content === "string" && content !== "" ? [content] : [];
}

// Bytes that print stand for themselves, the others for the characters from U+0100 on, in order. Source: GPT-2's bytes_to_unicode.
const BYTE_OF = new Map<string, number>();
let unprintable = 0;
for (let byte = 0; byte < 256; byte += 1) {
  const prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  BYTE_OF.set(String.fromCharCode(prints ? byte : 0x100 + unprintable++), byte);
}

/** Characters that stand for no byte stand for themselves. */
function bytesOfCharacters(entry: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of entry) {
    const byte = BYTE_OF.get(character);
    if (byte === undefined) bytes.push(...new TextEncoder().encode(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

// How much of a text has been read after each of the tokens that it became.

import { charactersOf } from "./segments.ts";
import { alignTexts } from "./text-alignment.ts";

/**
 * Follows tokens through the text that they spell.
 *
 * @param tokens Bytes of each token, in order.
 * @param normalize What the tokenizer does to text first, with spaces for its markers; null for nothing.
 * @returns Per token, never falling: UTF-16 units of `text` that have been read once it has. A token that ends inside a character
 *   leaves it to the one that completes it.
 */
export function tokenEnds(
  text: string,
  tokens: readonly Uint8Array[],
  normalize: ((text: string) => string) | null,
): number[] {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let spelt = "";
  const speltEnds = tokens.map((bytes) => {
    spelt += decoder.decode(bytes, { stream: true });
    return spelt.length;
  });
  if (spelt === text) return speltEnds;
  // SentencePiece puts a space in front.
  if (spelt.length === text.length + 1 && spelt === ` ${text}`)
    return speltEnds.map((end) => Math.max(0, end - 1));
  const normalized = normalize ? normalizeByCharacter(text, normalize) : null;
  const inNormalized = alignTexts(normalized?.text ?? text, spelt);
  const ends = speltEnds.map((end) => {
    const at = inNormalized[end]!;
    return normalized ? normalized.ends[at]! : at;
  });
  if (ends.length > 0) ends[ends.length - 1] = text.length;
  return ends;
}

/**
 * A text normalized one character, as a reader counts them, after the other, so that each is known to come from its own.
 *
 * @returns `ends[i]`: units of the text that the first i units of the normalized one stand for.
 */
function normalizeByCharacter(
  text: string,
  normalize: (text: string) => string,
): { readonly text: string; readonly ends: readonly number[] } {
  const known = new Map<string, string>();
  const ends = [0];
  let normalized = "";
  let read = 0;
  for (const segment of charactersOf(text)) {
    let made = known.get(segment);
    if (made === undefined) {
      made = normalize(segment);
      // A normalizer that begins every text with its marker does so here at every character.
      if (made.length > segment.length && made.startsWith(" ")) made = made.slice(1);
      known.set(segment, made);
    }
    const same = made === segment;
    for (let i = 1; i <= made.length; i += 1)
      ends.push(same ? read + i : i === made.length ? read + segment.length : read);
    read += segment.length;
    normalized += made;
  }
  ends[normalized.length] = text.length;
  return { text: normalized, ends };
}

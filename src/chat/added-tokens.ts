/** A token that `tokenizer.json` adds to its model's vocabulary; it is looked for in the text before anything else. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** White space before it belongs to it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Matches only where no word character touches it. */
  readonly singleWord: boolean;
  /** Looked for in the normalized text. */
  readonly normalized: boolean;
  readonly special: boolean;
}

/** A stretch `[start, end)` of text: one added token, or text between two of them. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly token: AddedToken | null;
}

// Unicode's white space, as Hugging Face has it: with U+0085 and without U+FEFF, unlike JavaScript's.
const SPACE = /\p{White_Space}/u;
const WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;

/**
 * Splits texts at added tokens, the leftmost first and the longest where several begin.
 *
 * @param tokens Pairs of what stands in the text and the token it means.
 * @returns A function that splits a text into stretches that cover it in order; none for the empty text.
 */
export function addedTokenSplitter(
  tokens: readonly (readonly [written: string, token: AddedToken])[],
): (text: string) => Stretch[] {
  const byText = new Map(tokens.filter(([written]) => written !== ""));
  const pattern = anyOf([...byText.keys()], "gu");
  return (text) => {
    const stretches: Stretch[] = [];
    let end = 0;
    for (const match of pattern === null ? [] : text.matchAll(pattern)) {
      const token = byText.get(match[0])!;
      let from = match.index;
      let to = from + match[0].length;
      if (token.singleWord && touchesWord(text, from, to)) continue;
      if (token.lstrip) while (from > end && SPACE.test(text[from - 1]!)) from -= 1;
      if (token.rstrip) while (to < text.length && SPACE.test(text[to]!)) to += 1;
      if (from > end) stretches.push({ start: end, end: from, token: null });
      stretches.push({ start: from, end: to, token });
      end = to;
    }
    if (end < text.length) stretches.push({ start: end, end: text.length, token: null });
    return stretches;
  };
}

/** A pattern for any of the literal texts, longest first, or null for none. */
export function anyOf(texts: readonly string[], flags: string, before = "", after = ""): RegExp | null {
  if (texts.length === 0) return null;
  const literals = [...texts]
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  return new RegExp(`${before}(?:${literals.join("|")})${after}`, flags);
}

function touchesWord(text: string, from: number, to: number): boolean {
  const before = Array.from(text.slice(Math.max(0, from - 2), from)).at(-1);
  const after = text.slice(to, to + 2);
  return (before !== undefined && WORD.test(before)) || (after !== "" && WORD.test(Array.from(after)[0]!));
}

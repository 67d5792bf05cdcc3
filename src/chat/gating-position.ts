import { InputError } from "../errors.ts";
import type { Disguise } from "./disguise.ts";
import type { Message } from "./messages.ts";
import { pythonRightStrip } from "./python-strip.ts";
import type { EncodedStretch, Tokenizer } from "./tokenizer.ts";

/**
 * The gating position by pattern: the first token of the last occurrence of `pattern` in `ids`.
 *
 * @param pattern Token ids of the end of the user's turn and the assistant's header, at least one.
 * @throws {InputError} `no-gating-token` when the pattern does not occur.
 *
 * Cost: at most one comparison per token and pattern element. Source: `find_token_for_gating` of the published model.
 */
export function findGatingPosition(ids: ArrayLike<number>, pattern: readonly number[]): number {
  if (pattern.length === 0) throw new RangeError("findGatingPosition: pattern must not be empty, got []");
  for (let start = ids.length - pattern.length; start >= 0; start -= 1) {
    if (pattern.every((id, offset) => ids[start + offset] === id)) return start;
  }
  throw new InputError(
    "no-gating-token",
    `gating token: expected the pattern [${pattern.join(", ")}] in the conversation, got ${ids.length} tokens without it`,
    "check that the pattern belongs to this tokenizer and chat template, or leave it out",
  );
}

/** Where a content ends: in the rendered text, and how much of the content stands before it. */
export interface ContentEnd {
  readonly rendered: number;
  readonly content: number;
}

/**
 * Where the content of the last message ends in a rendered text, or null when the template does not show it.
 *
 * The content is rendered again with a marker inside: where taking the marker out gives the same text, it stands at the
 * end. A template that trims drops white space at the end, so the marker moves left over it until nothing else changes.
 *
 * @param rendered What `render(prompt)` gives.
 */
export function contentEnd(
  render: (messages: readonly Message[]) => string,
  prompt: readonly Message[],
  rendered: string,
  marker: string,
): ContentEnd | null {
  const last = prompt[prompt.length - 1]!;
  for (const position of endsOf(last.content)) {
    const content = last.content.slice(0, position) + marker + last.content.slice(position);
    let marked: string;
    try {
      marked = render([...prompt.slice(0, -1), { ...last, content }]);
    } catch {
      continue;
    }
    // A template may write a content more than once; the gate follows the last.
    const parts = marked.split(marker);
    if (parts.length > 1 && parts.join("") === rendered) {
      return { rendered: rendered.length - parts.at(-1)!.length, content: position };
    }
  }
  return null;
}

const MAX_WHITE_SPACE_POSITIONS = 16;

/** The end of a content, and the positions before it back to where its white space at the end begins. */
function endsOf(content: string): number[] {
  const trimmed = pythonRightStrip(content).length;
  const ends: number[] = [];
  for (let end = content.length; end > trimmed && ends.length < MAX_WHITE_SPACE_POSITIONS; end -= 1)
    ends.push(end);
  return [...ends, trimmed];
}

/**
 * The first token that carries text from `position` on, or null when there is none.
 *
 * Where one token spans the position, as happens in templates without special tokens, it is that token.
 */
export function tokenAt(
  stretches: readonly EncodedStretch[],
  position: number,
  text: string,
  tokenizer: Tokenizer,
  disguise?: Disguise,
): number | null {
  let tokens = 0;
  for (const { start, end, token, ids } of stretches) {
    if (end > position && ids.length > 0) {
      if (token || start >= position) return tokens;
      const before = tokenizer.encodePlain(text.slice(start, position), start === 0, disguise);
      const shared = commonPrefix(before, ids);
      if (shared < ids.length) return tokens + shared;
    }
    tokens += ids.length;
  }
  return null;
}

/** Number of leading elements in which two sequences agree. */
export function commonPrefix<Element>(a: ArrayLike<Element>, b: ArrayLike<Element>): number {
  const length = Math.min(a.length, b.length);
  let shared = 0;
  while (shared < length && a[shared] === b[shared]) shared += 1;
  return shared;
}

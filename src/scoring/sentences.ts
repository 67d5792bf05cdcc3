// Where the sentences of a response end, code and lists included. No Node: pages use it too.

import { sentencesOf } from "../chat/segments.ts";

const HAS_CONTENT = /[\p{L}\p{N}]/u;
/** `1.`, `b)`: the sentence it numbers comes after it. */
const LIST_MARKER = /^\s*(?:\p{N}+|\p{L})[.)]\s*$/u;
const FENCE = /^\s*(```+|~~~+)/;

/**
 * The ends of a text's sentences, white space after them left out: ascending, none for white space alone.
 *
 * Sentences are those of Unicode (UAX #29), which line breaks end too. A block of code between fences is one. What has neither
 * letters nor digits (rules, closing quotes, emoji) belongs to the sentence before it, a list's marker to the one after it.
 */
export function sentenceEnds(text: string): number[] {
  const ends: number[] = [];
  let read = 0;
  /** Where the last character that is no white space ends. */
  let kept = 0;
  /** What was read since the last end. */
  let open: Open = NOTHING;
  const end = (): void => {
    if (kept > (ends.at(-1) ?? 0)) ends.push(kept);
  };
  for (const piece of pieces(text)) {
    const from = read;
    read += piece.length;
    const length = piece.trimEnd().length;
    if (length > 0) kept = from + length;
    open = withPiece(open, piece, length === 0);
    const continues = open.kind === "marker" || (ends.length === 0 && !open.hasContent);
    if (continues) continue;
    if (!HAS_CONTENT.test(piece) && from > 0) ends.pop();
    end();
    open = NOTHING;
  }
  if (open !== NOTHING) end();
  return ends;
}

/** Text as far as it decides whether a sentence ends: kept instead of it, because it may grow piece by piece. */
interface Open {
  /** `blank`: white space alone. */
  readonly kind: "blank" | "marker" | "other";
  readonly hasContent: boolean;
}

const NOTHING: Open = { kind: "blank", hasContent: false };

function withPiece({ kind, hasContent }: Open, piece: string, isBlank: boolean): Open {
  if (isBlank) return { kind, hasContent };
  return {
    kind: kind === "blank" && LIST_MARKER.test(piece) ? "marker" : "other",
    hasContent: hasContent || HAS_CONTENT.test(piece),
  };
}

/** Sentences of prose, and blocks of code whole. */
function* pieces(text: string): Generator<string> {
  let prose = "";
  let code = "";
  let fence = "";
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    const mark = FENCE.exec(line)?.[1] ?? "";
    if (fence !== "") {
      code += line;
      if (!mark.startsWith(fence)) continue;
      yield code;
      code = fence = "";
    } else if (mark !== "") {
      yield* sentencesOf(prose);
      prose = "";
      [code, fence] = [line, mark];
    } else prose += line;
  }
  yield* sentencesOf(prose);
  if (code !== "") yield code;
}

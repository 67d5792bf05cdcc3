// Where the sentences of a response end, code and lists included. No Node: pages use it too.

const SENTENCES = new Intl.Segmenter("en", { granularity: "sentence" });
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
  let open = "";
  const end = (at: number): void => {
    const kept = text.slice(0, at).trimEnd().length;
    if (kept > (ends.at(-1) ?? 0)) ends.push(kept);
  };
  for (const piece of pieces(text)) {
    const from = read;
    read += piece.length;
    open += piece;
    const continues = LIST_MARKER.test(open) || (ends.length === 0 && !HAS_CONTENT.test(open));
    if (continues) continue;
    if (!HAS_CONTENT.test(piece) && from > 0) ends.pop();
    end(read);
    open = "";
  }
  if (open !== "") end(read);
  return ends;
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
      for (const { segment } of SENTENCES.segment(prose)) yield segment;
      prose = "";
      [code, fence] = [line, mark];
    } else prose += line;
  }
  for (const { segment } of SENTENCES.segment(prose)) yield segment;
  if (code !== "") yield code;
}

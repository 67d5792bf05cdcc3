// Sentences and characters of Unicode, in time that grows with the text: `Intl.Segmenter` goes through the whole text for each of its
// segments, two minutes for half a megabyte. No Node: pages use it too.

const SENTENCES = new Intl.Segmenter("en", { granularity: "sentence" });
const CHARACTERS = new Intl.Segmenter("en", { granularity: "grapheme" });
const WINDOW = 2048;
/**
 * A sentence that ends before one of these ends there for good: UAX #29 looks no further ahead. The halfwidth voiced sound marks are
 * letters, and to it mere marks of the letter before.
 */
const DECIDES = /(?![\uff9e\uff9f])[\p{L}\p{Sentence_Terminal}\n\r\u0085\u2028\u2029]/u;
const PAIR = /^[\ud800-\udbff][\udc00-\udfff]$/;

/** The sentences of UAX #29 in order, white space behind them included: together the text. */
export const sentencesOf = (text: string): Generator<string> => segmentsOf(text, SENTENCES, lastDeciding);

/** The characters of a text, as a reader counts them, in order. The last unit of a window may be half of what belongs to the one before. */
export const charactersOf = (text: string): Generator<string> =>
  segmentsOf(text, CHARACTERS, (part) => part.length - 2);

/** @param decidedIn Up to where the segments of a text's beginning are those of the whole. */
function* segmentsOf(
  text: string,
  segmenter: Intl.Segmenter,
  decidedIn: (part: string) => number,
): Generator<string> {
  let from = 0;
  let size = WINDOW;
  while (from < text.length) {
    const part = text.slice(from, from + size);
    const decided = from + size < text.length ? decidedIn(part) : part.length;
    let read = 0;
    for (const { segment } of segmenter.segment(part)) {
      if (read + segment.length > decided) break;
      read += segment.length;
      yield segment;
    }
    from += read;
    size = read > 0 ? WINDOW : 2 * size;
  }
}

function lastDeciding(text: string): number {
  for (let end = text.length; end > 0; ) {
    const start = PAIR.test(text.slice(Math.max(0, end - 2), end)) ? end - 2 : end - 1;
    if (DECIDES.test(text.slice(start, end))) return start;
    end = start;
  }
  return -1;
}

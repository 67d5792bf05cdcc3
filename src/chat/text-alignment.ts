// Where the characters of one text are in another that was made from it: normalized, trimmed, or spelt by tokens.

/** How far apart the two may run before they agree again, in characters of both together. */
const MOST_SKIPPED = 96;
/** Characters that must agree for the two to be in step again. */
const AGREEING = 4;

/**
 * Follows `made` through the `source` it comes from.
 *
 * @returns `[made.length + 1]`, never falling: entry j is how much of `source` the first j characters of `made` stand for. What was
 *   left out of `made` goes with the character after it, or with the last one; what was put in stands for nothing. Where the two
 *   do not agree for too long, the rest stands for nothing until the end, which stands for everything.
 *
 * Cost: linear where they agree; at most about 5000 comparisons at a difference.
 */
export function alignTexts(source: string, made: string): Uint32Array {
  const ends = new Uint32Array(made.length + 1);
  let [s, m] = [0, 0];
  while (s < source.length && m < made.length) {
    if (source[s] === made[m]) {
      ends[++m] = ++s;
      continue;
    }
    const skipped = nextAgreement(source, s, made, m);
    if (skipped === null) break;
    ends.fill(s, m + 1, m + skipped.made + 1);
    s += skipped.source;
    m += skipped.made;
    // What was exchanged is read where its last character is; what was only left out, with the next character.
    if (skipped.made > 0) ends[m] = s;
  }
  ends.fill(s, m + 1);
  ends[made.length] = source.length;
  return ends;
}

function nextAgreement(
  source: string,
  s: number,
  made: string,
  m: number,
): { source: number; made: number } | null {
  for (let together = 1; together <= MOST_SKIPPED; together += 1) {
    for (let inMade = 0; inMade <= together; inMade += 1) {
      const inSource = together - inMade;
      if (agree(source, s + inSource, made, m + inMade)) return { source: inSource, made: inMade };
    }
  }
  return null;
}

function agree(source: string, s: number, made: string, m: number): boolean {
  const length = Math.min(AGREEING, Math.max(source.length - s, made.length - m));
  if (s > source.length || m > made.length) return false;
  for (let i = 0; i < length; i += 1) if (source[s + i] !== made[m + i]) return false;
  return true;
}

// Chat templates are written for Python, whose idea of white space is not JavaScript's: `str.strip` also removes the
// separators U+001C–U+001F and U+0085, and keeps U+FEFF.

const PYTHON_WHITE_SPACE = new Set(
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
);

/** Python's `text.strip(characters)`. `characters` is a set of code points; white space when absent. */
export function pythonStrip(text: string, characters?: string): string {
  return pythonRightStrip(pythonLeftStrip(text, characters), characters);
}

/** Python's `text.lstrip(characters)`. */
export function pythonLeftStrip(text: string, characters?: string): string {
  const removed = characters === undefined ? PYTHON_WHITE_SPACE : new Set(characters);
  let start = 0;
  while (start < text.length) {
    const character = String.fromCodePoint(text.codePointAt(start)!);
    if (!removed.has(character)) break;
    start += character.length;
  }
  return text.slice(start);
}

/** Python's `text.rstrip(characters)`. */
export function pythonRightStrip(text: string, characters?: string): string {
  const removed = characters === undefined ? PYTHON_WHITE_SPACE : new Set(characters);
  let end = text.length;
  while (end > 0) {
    const pair = end >= 2 ? text.codePointAt(end - 2)! : 0;
    const character = pair > 0xffff ? String.fromCodePoint(pair) : text[end - 1]!;
    if (!removed.has(character)) break;
    end -= character.length;
  }
  return text.slice(0, end);
}

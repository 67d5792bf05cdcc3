// The small part of JSON that a safetensors header may use: objects, arrays, strings and non-negative integers.
// `JSON.parse` would keep the last of two equal keys, turn 2.0 into 2 and round integers above 2^53.

export type HeaderValue = string | number | HeaderValue[] | Map<string, HeaderValue>;

const MAX_DEPTH = 4;
const WHITESPACE = /[ \t\n\r]*/y;
const INTEGER = /0|[1-9][0-9]*/y;

/**
 * Parses a header, objects becoming `Map`s, so that no key (`__proto__`) is special.
 *
 * @throws {SyntaxError} On anything but the subset above: duplicate keys, fractions, signs, exponents, `null`,
 * integers that a number cannot hold exactly, nesting deeper than four.
 */
export function parseHeaderJson(text: string): HeaderValue {
  let at = 0;

  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return null;
    at = pattern.lastIndex;
    return found[0];
  };
  const accept = (character: string): boolean => {
    match(WHITESPACE);
    if (text[at] !== character) return false;
    at += 1;
    return true;
  };
  const unexpected = (expected: string): SyntaxError => {
    const got = at < text.length ? JSON.stringify(text[at]) : "the end of the header";
    return new SyntaxError(`expected ${expected}, got ${got} at character ${at}`);
  };
  const expectCharacter = (character: string): void => {
    if (!accept(character)) throw unexpected(JSON.stringify(character));
  };

  const string = (): string => {
    if (!accept('"')) throw unexpected("a string");
    const start = at - 1;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    if (at >= text.length) throw unexpected("the end of a string");
    at += 1;
    // One literal alone: JSON.parse checks its escapes and refuses raw control characters.
    return JSON.parse(text.slice(start, at)) as string;
  };

  const integer = (): number => {
    const literal = match(INTEGER);
    if (literal === null) throw unexpected("an object, an array, a string or a non-negative integer");
    const value = Number(literal);
    if (!Number.isSafeInteger(value)) throw new SyntaxError(`integer ${literal} is too large`);
    return value;
  };

  const object = (depth: number): Map<string, HeaderValue> => {
    const entries = new Map<string, HeaderValue>();
    if (accept("}")) return entries;
    do {
      const key = string();
      if (entries.has(key)) throw new SyntaxError(`duplicate key ${JSON.stringify(key)}`);
      expectCharacter(":");
      entries.set(key, value(depth));
    } while (accept(","));
    expectCharacter("}");
    return entries;
  };

  const array = (depth: number): HeaderValue[] => {
    const items: HeaderValue[] = [];
    if (accept("]")) return items;
    do items.push(value(depth));
    while (accept(","));
    expectCharacter("]");
    return items;
  };

  const value = (depth: number): HeaderValue => {
    if (depth > MAX_DEPTH) throw new SyntaxError(`nested deeper than ${MAX_DEPTH}`);
    if (accept("{")) return object(depth + 1);
    if (accept("[")) return array(depth + 1);
    return text[at] === '"' ? string() : integer();
  };

  const parsed = value(1);
  match(WHITESPACE);
  if (at !== text.length) throw unexpected("nothing after the header");
  return parsed;
}

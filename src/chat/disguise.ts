import { InputError } from "../errors.ts";
import { anyOf } from "./added-tokens.ts";
import type { Message } from "./messages.ts";

// Private-use characters: no text needs them, and Python does not trim them.
const FIRST = 0xe000;
const LAST = 0xf8ff;
const PRIVATE_USE = /[\uE000-\uF8FF]/;

/**
 * Control tokens in messages, disguised while a template works on them.
 *
 * The first character of every occurrence is exchanged for a private-use character that stands for it, so lengths and
 * white space stay what they were and the text can be restored wherever the template put it.
 */
export interface Disguise {
  /** Ids of the control tokens; none of them may come out of disguised text. */
  readonly ids: ReadonlySet<number>;
  /** A private-use character that is neither in the messages nor used by the disguise. */
  readonly marker: string;
  apply(text: string): string;
  remove(text: string): string;
  isIn(text: string): boolean;
}

interface ControlToken {
  readonly id: number;
  readonly content: string;
}

/**
 * Prepares disguises for a checkpoint's control tokens.
 *
 * @param controlTokens What must not be recognised inside a message.
 * @param reserved Text whose private-use characters are taken: the template and the added tokens.
 * @returns A function that gives a disguise whose characters do not occur in `messages`. Its common case, no
 *   private-use character anywhere, costs one scan.
 */
export function disguiseFor(
  controlTokens: readonly ControlToken[],
  reserved: string,
): (messages: readonly Message[]) => Disguise {
  const written = [...new Set(controlTokens.map(({ content }) => content.trimStart()))].filter(
    (token) => token !== "",
  );
  // A lookahead, because occurrences may overlap and each must be broken.
  const occurrence = anyOf(written, "gu", "(?=", ")[^]");
  const firstCharacters = [...new Set(written.map((token) => String.fromCodePoint(token.codePointAt(0)!)))];
  const ids = new Set(controlTokens.map(({ id }) => id));
  const usual = build(ids, occurrence, firstCharacters, reserved);
  return (messages) => {
    if (!messages.some(({ content }) => PRIVATE_USE.test(content))) return usual;
    return build(
      ids,
      occurrence,
      firstCharacters,
      reserved + messages.map(({ content }) => content).join(""),
    );
  };
}

/** Why text that spells a control token cannot be kept apart from it. */
export function cannotStayText(problem: string): InputError {
  return new InputError(
    "special-tokens",
    `encode: special tokens inside a message cannot stay text, because ${problem}`,
    "remove them from the message, or let them act with --compat",
  );
}

function build(
  ids: ReadonlySet<number>,
  occurrence: RegExp | null,
  firstCharacters: readonly string[],
  taken: string,
): Disguise {
  const [marker, ...stand] = unusedCharacters(firstCharacters.length + 1, taken);
  const standIn = new Map(firstCharacters.map((character, index) => [character, stand[index]!]));
  const original = new Map(firstCharacters.map((character, index) => [stand[index]!, character]));
  const pattern = anyOf(stand, "g");
  return {
    ids,
    marker: marker!,
    apply(text) {
      return occurrence === null ? text : text.replace(occurrence, (character) => standIn.get(character)!);
    },
    remove(text) {
      return pattern === null ? text : text.replace(pattern, (character) => original.get(character)!);
    },
    isIn(text) {
      return stand.some((character) => text.includes(character));
    },
  };
}

function unusedCharacters(count: number, taken: string): string[] {
  const used = new Set(taken.match(/[\uE000-\uF8FF]/g));
  const found: string[] = [];
  for (let code = FIRST; code <= LAST && found.length < count; code += 1) {
    const character = String.fromCharCode(code);
    if (!used.has(character)) found.push(character);
  }
  if (found.length < count) {
    throw new InputError(
      "bad-messages",
      `encode: expected ${count} private-use characters that the messages leave free, got ${found.length}`,
      "remove the private-use characters (U+E000–U+F8FF) from the messages",
    );
  }
  return found;
}

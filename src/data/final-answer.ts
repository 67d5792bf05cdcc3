/**
 * The final answer that a worked solution ends with, normalised, so that equal answers are equal strings; null where
 * there is none.
 *
 * The first of these that gives one:
 *
 * 1. the last `\boxed{…}`, braces balanced;
 * 2. what follows the last `####`, on its line;
 * 3. what follows the last `A:` at the start of a line or sentence, `answer is`, `answers are` or `answer:`, to the end
 *    of the sentence or line;
 * 4. the last number.
 *
 * No answer is computed: `1/2` and `0.5` differ. See {@link normalizeAnswer}.
 *
 * @example
 * extractFinalAnswer("She has 9 left, so 9 * 2 = 18.\nA: $18.00") // "18"
 * extractFinalAnswer("Hence \\boxed{\\frac{1}{2}}.") // "\\frac{1}{2}"
 *
 * Cost: linear in the text.
 */
export function extractFinalAnswer(text: string): string | null {
  return (
    normalized(lastBoxed(text)) ??
    normalized(afterLast(text, /####[ \t]*/g, endOfLine)) ??
    normalized(afterLast(text, ANNOUNCEMENT, endOfSentence)) ??
    normalized(lastNumber(text))
  );
}

/**
 * An answer in one spelling; null if nothing is left.
 *
 * Taken off: dollar signs and other marks of mathematics or emphasis, units and percent signs beside a number,
 * thousands commas, a trailing period, white space that does not part two words. `18.0`, `+18` and `018` are `18`.
 * The value is taken of `x = 5`; the number is taken of prose that holds one number, as `18 dollars`. Fractions and
 * everything else stay text, letter for letter.
 */
export function normalizeAnswer(answer: string): string | null {
  const text = withoutMarks(answer);
  const equation = /^[^=<>≤≥≠]*=([^=<>≤≥≠]*)$/.exec(text);
  const value = equation ? plainNumber(equation[1]!) : null;
  if (value !== null) return value;
  const found = plainNumber(text) ?? numberInProse(text);
  if (found !== null) return found;
  const choice = /^\(([A-Za-z])\)$/.exec(text);
  return (choice?.[1] ?? text) || null;
}

const ANNOUNCEMENT =
  /(?:(?<=^|[\n.?!])[ \t>*_#]*A:|\b(?:[Aa]nswers?|ANSWERS?)(?:[*_]*:| is:?| are:?))[ \t*_]*\n?/g;

const normalized = (answer: string | null): string | null =>
  answer === null ? null : normalizeAnswer(answer);

/** What the last `\boxed{…}` that is closed holds, found in one pass over all braces. */
function lastBoxed(text: string): string | null {
  const open: { start: number; boxed: boolean }[] = [];
  let last: { start: number; end: number } | null = null;
  for (const { 0: brace, index } of text.matchAll(/\\boxed\{|\\[\s\S]|[{}]/g)) {
    if (brace === "}") {
      const closed = open.pop();
      if (closed?.boxed && closed.start > (last?.start ?? 0)) last = { start: closed.start, end: index };
    } else if (brace.endsWith("{") && brace !== "\\{") {
      open.push({ start: index + brace.length, boxed: brace !== "{" });
    }
  }
  return last && text.slice(last.start, last.end);
}

function afterLast(text: string, marker: RegExp, end: RegExp): string | null {
  const last = [...text.matchAll(marker)].at(-1);
  if (!last) return null;
  const rest = text.slice(last.index + last[0].length);
  return rest.slice(0, end.exec(rest)?.index ?? rest.length);
}

const endOfLine = /\r?\n/;
const endOfSentence = /[.?!](?=\s|$)|\r?\n/;

// Digits in groups of three or without groups; a minus that follows an operand is an operator.
const NUMBER =
  /(?<![\p{L}\p{N}_]|\d\.)(?:(?<![\p{L}\p{N})\]}]|[\p{N})\]}] )[-+])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:\/\d+)?/gu;

function lastNumber(text: string): string | null {
  return [...text.replaceAll("−", "-").matchAll(NUMBER)].at(-1)?.[0] ?? null;
}

/** LaTeX for spacing, size and style, none of which changes what is meant. */
const LAYOUT = /\\(?:(?:left|right|displaystyle)(?![A-Za-z])|[!,;:\s()[\]])|~/g;
const STYLED = /\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}/g;

function withoutMarks(answer: string): string {
  return answer
    .replaceAll("−", "-")
    .replace(STYLED, " $1 ")
    .replace(LAYOUT, " ")
    .replace(/\\[dt]frac/g, "\\frac")
    .replace(/\\?\$|\*\*|`|\\?%|\^\{?\\circ\}?|°/g, "")
    .replace(/\s+/g, " ")
    .replace(/(?<![\p{L}\p{N}]) | (?![\p{L}\p{N}])/gu, "")
    .replace(/^[:*_]+|(?<![.*_,;])[.*_,;]+$/g, "");
}

/** A decimal number in its one spelling, or null for anything else. Digits are kept, however many. */
function plainNumber(text: string): string | null {
  const grouped = /^[-+]?\d{1,3}(?:,\d{3})+(?:\.\d*)?$/.test(text);
  const parts = /^([-+]?)(\d*)(?:\.(\d*))?$/.exec(grouped ? text.replaceAll(",", "") : text);
  if (!parts || !/\d/.test(text)) return null;
  const [, sign, whole = "", decimals = ""] = parts;
  const digits = whole.replace(/^0+(?=\d)/, "") || "0";
  const rest = decimals.replace(/(?<!0)0+$/, "");
  const value = rest === "" ? digits : `${digits}.${rest}`;
  return sign === "-" && value !== "0" ? `-${value}` : value;
}

/** The one number of a text with words; null for formulas and for none or several numbers. */
function numberInProse(text: string): string | null {
  if (text.includes("\\") || !/\p{L}{2,}/u.test(text)) return null;
  const numbers = [...text.matchAll(NUMBER)];
  if (numbers.length !== 1) return null;
  return plainNumber(numbers[0]![0]) ?? numbers[0]![0];
}

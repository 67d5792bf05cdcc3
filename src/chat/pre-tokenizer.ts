import { InputError } from "../errors.ts";

interface Part {
  readonly type?: string;
  readonly [field: string]: unknown;
}

/**
 * Writes the `pre_tokenizer` of a `tokenizer.json` so that the tokenizer library does with it what Hugging Face does.
 *
 * The library takes every kind of `Split` at a text for an isolating one, never splits at `Metaspace`, and takes what begins
 * a piece for what begins the text. What it does right is to split at a pattern, which may be a position.
 *
 * @throws {InputError} `bad-tokenizer` for what cannot be written so.
 */
export function adjustPreTokenizer(value: unknown, isFirst = true): unknown {
  if (typeof value !== "object" || value === null) return value;
  const part = value as Part;
  if (part.type === "Sequence" && Array.isArray(part.pretokenizers)) {
    const pretokenizers = part.pretokenizers.map((each, index) =>
      adjustPreTokenizer(each, isFirst && index === 0),
    );
    return { ...part, pretokenizers };
  }
  if (part.type === "Metaspace") return adjustMetaspace(part, isFirst);
  if (part.type === "Split") return adjustSplit(part);
  return value;
}

function adjustMetaspace(part: Part, isFirst: boolean): unknown {
  const { replacement = "▁", prepend_scheme: scheme = "always", split = true } = part;
  if (part.add_prefix_space === false && scheme !== "never") {
    throw unsupported("Metaspace with add_prefix_space false", `prepend_scheme "never", got "${scheme}"`);
  }
  if (scheme === "first" && !isFirst) {
    throw unsupported('Metaspace with prepend_scheme "first"', "it at the beginning of a Sequence");
  }
  if (split !== true) return part;
  return { type: "Sequence", pretokenizers: [part, splitAt(`(?=${escaped(String(replacement))})`)] };
}

function adjustSplit(part: Part): unknown {
  const { behavior, invert = false, pattern } = part;
  const { String: text } = (pattern ?? {}) as { String?: unknown };
  if (typeof text === "string" && behavior === "Removed" && invert === false) return splitAt(escaped(text));
  if (behavior === "Removed" || (behavior === "Isolated" && invert === false)) return { ...part, invert };
  if (typeof text === "string" && Array.from(text).length === 1 && invert === false) {
    if (behavior === "MergedWithPrevious") return splitAt(`(?<=${escaped(text)})`);
    if (behavior === "MergedWithNext") return splitAt(`(?=${escaped(text)})`);
  }
  throw unsupported(`Split with behavior "${behavior}"`, `"Isolated" or "Removed", or a single character`);
}

/** A split that takes out what matches; nothing, where the pattern is a position. */
function splitAt(pattern: string): Part {
  return { type: "Split", pattern: { Regex: pattern }, behavior: "Removed", invert: false };
}

function escaped(text: string): string {
  return Array.from(text, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`).join("");
}

function unsupported(what: string, expected: string): InputError {
  return new InputError(
    "bad-tokenizer",
    `tokenizer.json: ${what}: expected ${expected}`,
    "this pre-tokenizer is not supported; use a checkpoint with another tokenizer",
  );
}

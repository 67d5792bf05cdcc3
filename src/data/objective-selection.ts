import { InputError } from "../errors.ts";

/** Objectives that are asked for, by name or by pattern. */
export interface ObjectiveSelection {
  readonly texts: readonly string[];
  has(objective: string): boolean;
}

/** Columns that are no ratings, whatever pattern they match; a plain name may still ask for one. */
const NO_RATINGS = new Set([
  ...[
    "messages",
    "prompt",
    "response",
    "responses",
    "chosen",
    "rejected",
    "instruction",
    "completions",
    "steps",
  ],
  ...["id", "ids", "subset", "family", "category", "source", "ratings", "attributes", "labels"],
]);

/**
 * Reads names of objectives, in which `*` stands for any text: `helpsteer-*`, `*-helpfulness`, `beavertails-is_safe`.
 */
export function selectObjectives(texts: readonly string[]): ObjectiveSelection {
  const names = new Set(texts);
  const patterns = texts.filter((text) => text.includes("*")).map(patternFrom);
  return {
    texts,
    has: (objective) => names.has(objective) || patterns.some((pattern) => pattern.test(objective)),
  };
}

/** Columns of a row that hold ratings asked for, as full names. */
export function ratedColumns(row: object, prefix: string, { texts, has }: ObjectiveSelection): string[] {
  return Object.keys(row)
    .filter((column) => has(prefix + column) && (!NO_RATINGS.has(column) || texts.includes(prefix + column)))
    .map((column) => prefix + column);
}

/**
 * The names that a selection stands for, in its order; those that a pattern matches, in the order in which they were found.
 *
 * @throws {InputError} `unknown-objective` for a name or pattern that stands for none of them.
 */
export function expandObjectives(texts: readonly string[], found: readonly string[]): string[] {
  const names = texts.map((text) => {
    const pattern = patternFrom(text);
    return found.filter((name) => (text.includes("*") ? pattern.test(name) : name === text));
  });
  const unknown = texts.filter((_, i) => names[i]!.length === 0);
  if (unknown.length > 0) {
    throw new InputError(
      "unknown-objective",
      `objectives: expected names that the data rates, got ${unknown.map((name) => `"${name}"`).join(", ")}`,
      `the rows read rate ${found.join(", ") || "none of them"}; leave a name out`,
    );
  }
  return [...new Set(names.flat())];
}

function patternFrom(text: string): RegExp {
  const parts = text.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s");
}

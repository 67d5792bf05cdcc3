// How the rows of a training run are divided, and which are left out: what statistics cannot change any more. H hidden size.

import { InputError } from "../errors.ts";

/** What decides on which side a row counts, and how often. */
export interface RowDivision {
  /** Share of prompts on which penalties are chosen. */
  readonly validationFraction: number;
  /** Share of prompts that are left out. */
  readonly testFraction: number;
  readonly seed: number;
  /** Folds of the training prompts; null without. */
  readonly folds: number | null;
  /** Runs of the evaluation sets whose prompts were left out, sorted. */
  readonly dropped: readonly string[];
  /** How often ratings of a source count; null: once. */
  readonly sourceWeights: Readonly<Record<string, number>> | null;
}

const FIELDS: readonly (readonly [name: string, value: (division: RowDivision) => unknown])[] = [
  ["validation fraction", ({ validationFraction }) => validationFraction],
  ["test fraction", ({ testFraction }) => testFraction],
  ["seed", ({ seed }) => seed],
  ["folds", ({ folds }) => folds ?? "none"],
  ["evaluation sets left out", ({ dropped }) => dropped.map((run) => run.slice(0, 12)).join(" ") || "none"],
  ["source weights", ({ sourceWeights }) => sourceWeights ?? "none"],
];

/** In words, what makes two divisions different ones, `seed: 0 there, 1 here`; null where nothing does. */
export function divisionDifferences(there: RowDivision, here: RowDivision): string | null {
  const found = FIELDS.flatMap(([name, value]) => {
    const [a, b] = [there, here].map((division) => JSON.stringify(sorted(value(division))));
    return a === b ? [] : [`${name}: ${a} there, ${b} here`];
  });
  return found.length === 0 ? null : found.join("; ").replaceAll('"', "");
}

const sorted = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** What a training run may ask of statistics; undefined: whatever they were collected with. */
export interface AskedDivision {
  readonly validationFraction?: number | undefined;
  readonly testFraction?: number | undefined;
  readonly seed?: number | undefined;
  readonly dropOverlaps?: boolean | undefined;
  readonly regression?:
    | {
        readonly folds?: number | null | undefined;
        readonly memory?: number | null | undefined;
        readonly sourceWeights?: Readonly<Record<string, number>> | null | undefined;
      }
    | undefined;
  readonly evaluation?: readonly { readonly manifest: { readonly run: string } }[] | undefined;
}

/**
 * Refuses options of a training run that its statistics were not collected with.
 *
 * @throws {InputError} `different-statistics`, with what to collect again or to leave out.
 */
export function requireDivision(division: RowDivision, asked: AskedDivision): void {
  const { regression = {}, dropOverlaps } = asked;
  if (regression.memory != null) {
    throw refuse(
      "no limit of memory, got one",
      "leave --memory out: statistics are there already, and are not collected in several passes",
    );
  }
  const wanted: RowDivision = {
    validationFraction: asked.validationFraction ?? division.validationFraction,
    testFraction: asked.testFraction ?? division.testFraction,
    seed: asked.seed ?? division.seed,
    folds: regression.folds ?? division.folds,
    dropped: division.dropped,
    sourceWeights: regression.sourceWeights ?? division.sourceWeights,
  };
  const differences = divisionDifferences(division, wanted);
  if (differences !== null) {
    throw refuse(
      `the options that they were collected with, got ${differences}`,
      "leave the option out to take theirs, or collect them again with the other: `armorm statistics collect`",
    );
  }
  const evaluated = new Set((asked.evaluation ?? []).map(({ manifest }) => manifest.run));
  if (
    division.dropped.length > 0 &&
    (dropOverlaps === false || !division.dropped.every((run) => evaluated.has(run)))
  ) {
    throw refuse(
      `the ${division.dropped.length} evaluation sets whose prompts they leave out, got others`,
      "name them with --evaluation: their prompts are left out of the pairs too",
    );
  }
}

const refuse = (what: string, remedy: string): InputError =>
  new InputError("different-statistics", `statistics: expected ${what}`, remedy);

import { InputError } from "../errors.ts";
import { expectedBest } from "./best-of-n.ts";
import type { ScoredPrompt } from "./best-of-n-scores.ts";
import { percentileInterval, resampleMean } from "./bootstrap.ts";
import type { CollectedRows } from "./collect-rows.ts";
import { type McNemar, mcnemar } from "./mcnemar.ts";
import type { ScoredPair } from "./pair-scores.ts";

/** Two models on the same rows: pairs, or prompts. */
export interface ModelComparison extends McNemar {
  readonly first: string;
  readonly second: string;
  /** Rows that both could score, each counting once. */
  readonly n: number;
  /** Rows that only one of them could score: left out. */
  readonly scoredByOne: number;
  /** Mean outcome of the second − that of the first, over the same rows. */
  readonly difference: number;
  /** 95 %, by bootstrap over prompts. */
  readonly interval: readonly [number, number];
}

/** What tells rows of two models apart. */
interface ComparableRow {
  readonly index: number;
  readonly id: string | number | null;
  readonly promptHash: string;
}

/** A model's results, and what to call it. */
export interface NamedResults<Row extends ComparableRow = ScoredPair> {
  readonly name: string;
  readonly collected: CollectedRows<Row>;
}

/** Whether a pair is right: 1 or 0. */
export const pairOutcome = ({ margin }: ScoredPair): number => (margin > 0 ? 1 : 0);

/** The label of the response that is picked from all of a prompt's. */
export const pickedLabel = ({ scores, labels }: ScoredPrompt): number => expectedBest(scores, labels).at(-1)!;

/**
 * How much better the second model is than the first, row by row.
 *
 * @param outcomeOf What a row is worth to a model. Default, for pairs: whether it is right.
 * @throws {InputError} `different-rows` if a row of one is not the row of the other.
 */
export function compareModels(first: NamedResults, second: NamedResults): ModelComparison;
export function compareModels<Row extends ComparableRow>(
  first: NamedResults<Row>,
  second: NamedResults<Row>,
  outcomeOf: (row: Row) => number,
): ModelComparison;
export function compareModels<Row extends ComparableRow>(
  first: NamedResults<Row>,
  second: NamedResults<Row>,
  outcomeOf: (row: Row) => number = pairOutcome as unknown as (row: Row) => number,
): ModelComparison {
  const byIndex = new Map(first.collected.kept.map((row) => [row.index, row]));
  const both = second.collected.kept.flatMap((b) => {
    const a = byIndex.get(b.index);
    if (!a) return [];
    if (a.id !== b.id || a.promptHash !== b.promptHash) {
      throw new InputError(
        "different-rows",
        `evaluate: expected the same rows for ${first.name} and ${second.name}, got others at row ${b.index + 1} (${a.id} and ${b.id})`,
        "evaluate both on the same data",
      );
    }
    return [{ promptHash: b.promptHash, a: outcomeOf(a), b: outcomeOf(b) }];
  });
  const resampled = resampleMean(
    both.map(({ promptHash, a, b }) => ({ promptHash, value: b - a })),
    "difference",
  );
  return {
    first: first.name,
    second: second.name,
    n: both.length,
    scoredByOne: first.collected.kept.length + second.collected.kept.length - 2 * both.length,
    difference: resampled.mean,
    interval: percentileInterval(resampled.resampled),
    ...mcnemar(
      both.map(({ a }) => a),
      both.map(({ b }) => b),
    ),
  };
}

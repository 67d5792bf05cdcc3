import { InputError } from "../errors.ts";
import { percentileInterval, resampleMean } from "./bootstrap.ts";
import type { CollectedPairs } from "./collect-pairs.ts";
import { type McNemar, mcnemar } from "./mcnemar.ts";

/** Two models on the same pairs. */
export interface ModelComparison extends McNemar {
  readonly first: string;
  readonly second: string;
  /** Pairs that both could score. */
  readonly n: number;
  /** Pairs that only one of them could score: left out. */
  readonly scoredByOne: number;
  /** accuracy(second) − accuracy(first), over the same pairs. */
  readonly difference: number;
  /** 95 %, by bootstrap over prompts. */
  readonly interval: readonly [number, number];
}

/** A model's results, and what to call it. */
export interface NamedResults {
  readonly name: string;
  readonly collected: CollectedPairs;
}

/**
 * How much better the second model is than the first, pair by pair.
 *
 * @throws {InputError} `different-rows` if a row of one is not the row of the other.
 */
export function compareModels(first: NamedResults, second: NamedResults): ModelComparison {
  const byIndex = new Map(first.collected.kept.map((pair) => [pair.index, pair]));
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
    return [{ promptHash: b.promptHash, a: a.margin > 0, b: b.margin > 0 }];
  });
  const resampled = resampleMean(
    both.map(({ promptHash, a, b }) => ({ promptHash, value: Number(b) - Number(a) })),
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

// The rows of a regression, added up part by part: training and validation side, or folds. H hidden size, K objectives.

import type { GramProduct } from "../engine/gram.ts";
import { type LabelStatistics, openLabelStatistics, type StatisticsLimits } from "./label-statistics.ts";
import { forEachRow, type RowSource } from "./rated-rows.ts";
import { foldOfRow, type Split, sideOfRow } from "./split.ts";
import type { StatisticsView } from "./statistics-view.ts";

/** How rows are divided. */
export interface Partition {
  /** Number of parts; the last holds the rows that are held out. */
  readonly parts: number;
  /** Part of each row, by its number in the stream; null for rows that are not used. */
  readonly partOf: (row: number) => number | null;
}

/** Two parts, training and validation; with folds, one part per fold and one of the rows that the split holds out. */
export function openPartition(split: Split, folds: number | undefined): Partition {
  if (folds !== undefined) return { parts: folds + 1, partOf: foldOfRow(split, folds) };
  const sideOf = sideOfRow(split);
  return {
    parts: 2,
    partOf: (row) => {
      const side = sideOf(row);
      return side === "unused" ? null : side === "train" ? 0 : 1;
    },
  };
}

/** What is known of the rows of every part. */
export interface RidgeSides {
  /** H. */
  readonly hiddenSize: number;
  /** K. */
  readonly numObjectives: number;
  readonly parts: readonly StatisticsView[];
}

/** Sufficient statistics of every part. They add up: those of two shards together are those of all rows. */
export interface RidgeStatistics extends RidgeSides {
  readonly parts: readonly LabelStatistics[];
}

export interface StatisticsOptions extends Partition {
  readonly gram: GramProduct;
  /** Objectives to add up; the labels of the others are not looked at. Default: all. */
  readonly objectives?: readonly number[];
  readonly limits?: StatisticsLimits;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Adds rows up, in one pass.
 *
 * @throws {TypeError}, {RangeError}, {InputError} as `forEachRow`, and `not-finite` where a value is not finite.
 *
 * Cost and memory: see `openGramProduct` and `openLabelStatistics`, the latter once for every part.
 */
export async function collectStatistics(
  rows: RowSource,
  { gram, parts, partOf, signal, objectives, limits }: StatisticsOptions,
): Promise<RidgeStatistics> {
  const opened: LabelStatistics[] = [];
  const options = { ...(objectives ? { objectives } : {}), ...(limits ? { limits } : {}) };
  const numObjectives = await forEachRow(
    rows,
    gram.size,
    async ({ row, name, embedding, labels, weight }, K) => {
      while (opened.length < parts) opened.push(openLabelStatistics(gram, K, options));
      const part = partOf(row);
      if (part === null) return;
      signal?.throwIfAborted();
      await opened[part]!.add(embedding, labels, name, weight);
    },
  );
  for (const part of opened) await part.finish();
  return { hiddenSize: gram.size, numObjectives, parts: opened };
}

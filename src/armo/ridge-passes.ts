/*
 * How many passes over the rows a limit of memory asks for.
 *
 *   H  hidden size      K  objectives
 *   A  penalties        pattern: the set of objectives that a row is rated on
 *
 * A pass looks at some objectives and takes the labels of all others for missing, so patterns shrink to what they have in
 * common with these objectives, and fewer of them differ.
 */

import type { GramProduct } from "../engine/gram.ts";
import { InputError } from "../errors.ts";
import { DEFAULT_LIMITS, type StatisticsLimits } from "./label-statistics.ts";
import { forEachRow, type RowSource } from "./rated-rows.ts";
import type { Partition } from "./ridge-statistics.ts";

/** One pass over the rows. */
export interface Pass {
  readonly objectives: readonly number[];
  readonly limits: StatisticsLimits;
}

export interface PassPlan {
  /** K. */
  readonly numObjectives: number;
  readonly passes: readonly Pass[];
}

export interface PassPlanOptions extends Partition {
  readonly gram: GramProduct;
  /** Bytes for statistics and equations. */
  readonly memory: number;
  /** A. */
  readonly numAlphas: number;
}

/** More patterns than this are not told apart: an objective is then taken to need sums of its own in addition. */
const MOST_PATTERNS = 4096;

const BATCH_ROWS = DEFAULT_LIMITS.batchRows;

/**
 * Plans the passes: as few as follow from taking objectives in order, those rated on the same rows together.
 *
 * Reads the labels of all rows once beforehand.
 *
 * @throws {InputError} `too-little-memory` where even one objective at a time does not fit.
 */
export async function planPasses(rows: RowSource, options: PassPlanOptions): Promise<PassPlan> {
  const { gram, memory, numAlphas } = options;
  const { patterns, numObjectives: K } = await collectPatterns(rows, options);
  const rareBytes = Math.min(DEFAULT_LIMITS.rareBytes, Math.floor(memory / (16 * options.parts)));
  const fixed = fixedBytes(gram, K, numAlphas);
  const need = (objectives: readonly number[]) => {
    const { cells, rare } = countCells(objectives, patterns);
    const columns = objectives.length + 1;
    const cell = gram.sumBytes(columns) + BATCH_ROWS * (4 * gram.size + 8 * (columns + 1));
    return { bytes: fixed + cells * cell + rare * rareBytes, rare };
  };

  const passes: number[][] = [];
  for (const group of groupObjectives(patterns, K)) {
    const last = passes.at(-1);
    if (last && need([...last, ...group]).bytes <= memory) {
      last.push(...group);
      continue;
    }
    const { bytes } = need(group);
    if (bytes > memory) {
      throw new InputError(
        "too-little-memory",
        `fitRidge: expected memory for one objective at a time, about ${megabytes(bytes)}, got ${megabytes(memory)}`,
        `give at least ${megabytes(bytes)}, or leave the limit out`,
      );
    }
    passes.push([...group]);
  }
  return {
    numObjectives: K,
    passes: passes.map((objectives) => ({
      objectives,
      // Where every pattern has room for its sums, its rows need not hurry out of the way.
      limits: {
        batchRows: BATCH_ROWS,
        rareBytes: need(objectives).rare ? rareBytes : Number.POSITIVE_INFINITY,
      },
    })),
  };
}

/** Patterns by part; null where there are too many to tell apart. */
type Patterns = readonly (ReadonlyMap<string, readonly number[]> | null)[];

async function collectPatterns(
  rows: RowSource,
  { gram, parts, partOf }: PassPlanOptions,
): Promise<{ patterns: Patterns; numObjectives: number }> {
  const patterns: (Map<string, readonly number[]> | null)[] = Array.from({ length: parts }, () => new Map());
  const numObjectives = await forEachRow(rows, gram.size, ({ row, labels }) => {
    const part = partOf(row);
    const found = part === null ? null : patterns[part]!;
    if (!found) return;
    const pattern: number[] = [];
    for (let k = 0; k < labels.length; k++) if (!Number.isNaN(labels[k]!)) pattern.push(k);
    found.set(pattern.join(), pattern);
    if (found.size > MOST_PATTERNS) patterns[part!] = null;
  });
  return { patterns, numObjectives };
}

/** Objectives rated on the same rows, in the order of the first of each group. */
function groupObjectives(patterns: Patterns, K: number): number[][] {
  const all = patterns.flatMap((found) => (found ? [...found.values()] : []));
  const alone = patterns.includes(null); // then nobody knows which go together
  const groups = new Map<string, number[]>();
  for (let k = 0; k < K; k++) {
    const signature = alone
      ? String(k)
      : all.flatMap((pattern, i) => (pattern.includes(k) ? [i] : [])).join();
    const group = groups.get(signature);
    if (group) group.push(k);
    else groups.set(signature, [k]);
  }
  return [...groups.values()];
}

/** Upper bound of the patterns that some objectives need sums for, all parts together; `rare` parts also keep rare rows. */
function countCells(objectives: readonly number[], patterns: Patterns): { cells: number; rare: number } {
  const S = objectives.length;
  const wanted = new Set(objectives);
  let [cells, rare] = [0, 0];
  for (const found of patterns) {
    const kept = new Map<string, number>();
    for (const pattern of found?.values() ?? []) {
      const common = pattern.filter((k) => wanted.has(k));
      if (common.length > 0) kept.set(common.join(), common.length);
    }
    const shared = [...kept.values()].filter((length) => length > 1).length;
    if (S === 1) cells++;
    else if (found && shared <= S) cells += kept.size;
    else {
      cells += 2 * S; // openLabelStatistics
      rare++;
    }
  }
  return { cells, rare };
}

/** What is there whatever the number of patterns: the equations, buffers of one batch, weights at every penalty. */
function fixedBytes(gram: GramProduct, K: number, A: number): number {
  const H = gram.size;
  const equations = 8 * (2 * (H + K) * H + (H * H) / 4);
  const batch = gram.sumBytes(K + 1) + 8 * 2 * BATCH_ROWS * H;
  const paths = 8 * 2 * K * (A + 1) * H;
  return equations + batch + paths;
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;

// Which rows a training run may see. The unit is the prompt: all rows of a prompt are used or none, on one side or the other.

import { basename, resolve } from "node:path";
import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import { InputError } from "../errors.ts";
import type { PromptName } from "./prompt-clusters.ts";
import { sideOfRow } from "./split.ts";
import type { RowCounts } from "./training-report.ts";

/** The first 64 bits of a prompt hash: one number per row, whatever the prompt's length. */
export const promptKey = (promptHash: string): bigint => BigInt(`0x${promptHash.slice(0, 16)}`);

/** What each row of several sets, numbered through, is used for. */
export interface RowUse {
  /** `[N]` prompt keys. */
  readonly keys: BigUint64Array;
  /** `[N]` 1 = used in training (both sides of the validation split), 0 = left out. */
  readonly used: Uint8Array;
  /** Rows left out because they belong to the test share. */
  readonly test: number;
  /** Rows whose prompt occurs in an evaluation set, how many of them were left out for it, and how many are still used. */
  readonly overlaps: number;
  readonly dropped: number;
  readonly remaining: number;
}

export interface RowRules {
  /** Prompts of the evaluation sets. */
  readonly evaluationKeys: ReadonlySet<bigint>;
  readonly dropOverlaps: boolean;
  /** Share of prompts kept away from both stages. */
  readonly testFraction: number;
  readonly seed: number;
}

/** Decides row by row, from the prompt alone. Memory: 9 bytes per row. */
export async function chooseRows(sets: readonly EmbeddingSet[], rules: RowRules): Promise<RowUse> {
  const keys = new BigUint64Array(sets.reduce((sum, set) => sum + set.rows, 0));
  const used = new Uint8Array(keys.length);
  // Another seed than the validation split's, or the test share would be cut out of it.
  const isTest = sideOfRow({ fraction: rules.testFraction, seed: rules.seed + 1, groups: keys });
  let row = 0;
  let [test, overlaps, dropped, remaining] = [0, 0, 0, 0];
  for (const set of sets) {
    for await (const infos of set.rowInfos()) {
      for (const { promptHash } of infos) {
        keys[row] = promptKey(promptHash);
        const overlap = rules.evaluationKeys.has(keys[row]!);
        if (overlap) overlaps++;
        if (overlap && rules.dropOverlaps) dropped++;
        else if (isTest(row) === "validation") test++;
        else {
          used[row] = 1;
          if (overlap) remaining++;
        }
        row++;
      }
    }
  }
  return { keys, used, test, overlaps, dropped, remaining };
}

/** The prompts of several sets. */
export async function promptKeys(sets: readonly EmbeddingSet[]): Promise<Set<bigint>> {
  const keys = new Set<bigint>();
  for (const set of sets) {
    for await (const infos of set.rowInfos())
      for (const { promptHash } of infos) keys.add(promptKey(promptHash));
  }
  return keys;
}

/** The numbers of the used rows, in order. */
export function usedRows({ used }: RowUse): Uint32Array {
  const rows = new Uint32Array(used.reduce((sum, flag) => sum + flag, 0));
  let at = 0;
  for (let row = 0; row < used.length; row++) if (used[row]) rows[at++] = row;
  return rows;
}

/** The prompt keys of the used rows, in order. */
export function usedKeys(use: RowUse): BigUint64Array {
  return BigUint64Array.from(usedRows(use), (row) => use.keys[row]!);
}

/** The groups of the used rows, in order: subset, or source where there is no subset. */
export async function groupNames(sets: readonly EmbeddingSet[], { used }: RowUse): Promise<string[]> {
  const names: string[] = [];
  // Names are parsed from the files anew for every row; one string per name is enough to keep.
  const kept = new Map<string, string>();
  let row = 0;
  for (const set of sets) {
    for await (const infos of set.rowInfos()) {
      for (const { subset, source } of infos) {
        if (!used[row++]) continue;
        const name = subset ?? source;
        if (!kept.has(name)) kept.set(name, name);
        names.push(kept.get(name)!);
      }
    }
  }
  return names;
}

/** Where the prompts of some used rows are to be found. @param rowOf The numbers of the used rows over all sets. */
export async function lookUpPrompts(
  sets: readonly EmbeddingSet[],
  rowOf: ArrayLike<number>,
  used: readonly number[],
): Promise<Map<number, PromptName>> {
  const wanted = new Map(used.map((n) => [rowOf[n]!, n]));
  const names = new Map<number, PromptName>();
  let at = 0;
  for (const set of sets) {
    for await (const infos of set.rowInfos()) {
      for (const { row, id, source, promptHash } of infos) {
        const n = wanted.get(at++);
        if (n !== undefined)
          names.set(n, { set: basename(resolve(set.directory)), row, id, source, promptHash });
      }
    }
  }
  return names;
}

/**
 * The margins of the used rows, in order.
 *
 * @throws {InputError} `missing-margin` if one of them has none: there is no margin that stands for "unknown".
 */
export async function pairMargins(sets: readonly EmbeddingSet[], { used }: RowUse): Promise<Float64Array> {
  const margins: number[] = [];
  const without: string[] = [];
  let row = 0;
  for (const set of sets) {
    for await (const infos of set.rowInfos()) {
      for (const info of infos) {
        if (!used[row++]) continue;
        if (info.margin === undefined) without.push(`row ${info.row} of ${set.directory}`);
        margins.push(info.margin ?? Number.NaN);
      }
    }
  }
  if (without.length === 0) return Float64Array.from(margins);
  throw new InputError(
    "missing-margin",
    `target margins: expected a margin for every pair, got none for ${without.length} of ${margins.length}, first for ${without[0]}`,
    "embed pairs with the field margin, as `armorm data binarize` writes it, or train without target margins",
  );
}

/** For the report. */
export function countRows(use: RowUse): RowCounts {
  const { test, overlaps, dropped, remaining } = use;
  return { used: usedRows(use).length, test, overlaps, dropped, remaining };
}

/** The prompts of all used rows, sorted, each once. */
export function sortedKeys(uses: readonly RowUse[]): BigUint64Array {
  const keys = new Set<bigint>();
  for (const use of uses) for (const row of usedRows(use)) keys.add(use.keys[row]!);
  return BigUint64Array.from(keys).sort();
}

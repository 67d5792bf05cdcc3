// Which requests share a run of the decoder: memory stays flat, sequences with a common prefix stay together, and
// sequences of like length do, because every path of a run is as wide as its longest.

import { compareIds, sharedPrefix } from "./packing.ts";

/** Limits of one run; a request that alone is beyond them gets a run of its own. */
export interface RunBudget {
  /** Packed tokens. */
  readonly tokens: number;
  /** Slots of attention: paths · longest path. */
  readonly slots: number;
}

/**
 * What a slot of attention costs, in units of a token's way through the linear layers, on paths of S slots. Fitted to prefills in
 * int8 in the widths of Llama-3.2-1B (bench/results/2026-11-24.md); f32 and wider models have cheaper slots.
 */
const slotCost = (slots: number): number => 0.02 + 0.0001 * slots;

/** Shares of the longer of two sequences from which on a common prefix makes them one family; above 1: every one is alone. */
const FAMILY_SHARES = [0, 1 / 4, 2];

/**
 * Groups sequences into runs, in the cheapest of a few ways: families with any common prefix together, families with a long one,
 * or like lengths alone (prefixes that happen to meet in a run are shared all the same).
 *
 * @returns Indices into `sequences`, each once, the longest families first: what is too big for memory fails at once.
 *
 * Cost: a few sorts of the sequences, nothing beside computing them.
 */
export function planRuns(sequences: readonly (readonly number[])[], budget: RunBudget): number[][] {
  let cheapest: number[][] = [];
  let lowest = Number.POSITIVE_INFINITY;
  for (const share of FAMILY_SHARES) {
    const runs = fillRuns(families(sequences, share), sequences, budget);
    const cost = runs.reduce((sum, run) => sum + runCost(run.map((index) => sequences[index]!)), 0);
    if (cost >= lowest) continue;
    cheapest = runs;
    lowest = cost;
  }
  return cheapest;
}

/** tokens + paths · S · slotCost(S) */
function runCost(sequences: readonly (readonly number[])[]): number {
  const { tokens, paths, longest } = [...sequences].sort(compareIds).reduce(extend, EMPTY);
  return tokens + paths * longest * slotCost(longest);
}

function fillRuns(
  grouped: readonly (readonly number[])[],
  sequences: readonly (readonly number[])[],
  budget: RunBudget,
): number[][] {
  const runs: number[][] = [];
  let size = EMPTY;
  for (const family of grouped) {
    const grow = (from: RunSize, index: number) => extend(from, sequences[index]!);
    // A family that fits one run is not torn apart to fill the run before it.
    if (!fits(family.reduce(grow, size), budget) && fits(family.reduce(grow, EMPTY), budget)) size = EMPTY;
    for (const index of family) {
      if (!fits(grow(size, index), budget)) size = EMPTY;
      if (size === EMPTY) runs.push([]);
      runs.at(-1)!.push(index);
      size = grow(size, index);
    }
  }
  return runs;
}

interface RunSize {
  readonly last: readonly number[];
  readonly tokens: number;
  readonly paths: number;
  readonly longest: number;
}

const EMPTY: RunSize = { last: [], tokens: 0, paths: 0, longest: 0 };

function extend(size: RunSize, ids: readonly number[]): RunSize {
  const shared = sharedPrefix(size.last, ids);
  const continuesLast = shared > 0 && shared === size.last.length;
  return {
    last: ids,
    tokens: size.tokens + ids.length - shared,
    paths: size.paths + (continuesLast ? 0 : 1),
    longest: Math.max(size.longest, ids.length),
  };
}

const fits = (size: RunSize, budget: RunBudget): boolean =>
  size.tokens <= budget.tokens && size.paths * size.longest <= budget.slots;

function families(sequences: readonly (readonly number[])[], share: number): number[][] {
  const order = sequences.map((_, i) => i).sort((a, b) => compareIds(sequences[a]!, sequences[b]!));
  const found: number[][] = [];
  let previous: readonly number[] = [];
  for (const index of order) {
    const ids = sequences[index]!;
    const shared = sharedPrefix(previous, ids);
    const related = shared > 0 && shared >= share * Math.max(previous.length, ids.length);
    if (related && found.length > 0) found.at(-1)!.push(index);
    else found.push([index]);
    previous = ids;
  }
  const longest = (family: number[]) => Math.max(...family.map((index) => sequences[index]!.length));
  return found
    .map((family) => ({ family, length: longest(family) }))
    .sort((a, b) => b.length - a.length)
    .map(({ family }) => family);
}

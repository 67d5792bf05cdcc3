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

// Below a quarter of the longer sequence (a system prompt, say), like lengths are worth more than the shared tokens.
const FAMILY_SHARE = 1 / 4;

/**
 * Groups sequences into runs.
 *
 * @returns Indices into `sequences`, each once, the longest families first: what is too big for memory fails at once.
 */
export function planRuns(sequences: readonly (readonly number[])[], budget: RunBudget): number[][] {
  const runs: number[][] = [];
  let size = EMPTY;
  for (const family of families(sequences)) {
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

function families(sequences: readonly (readonly number[])[]): number[][] {
  const order = sequences.map((_, i) => i).sort((a, b) => compareIds(sequences[a]!, sequences[b]!));
  const found: number[][] = [];
  let previous: readonly number[] = [];
  for (const index of order) {
    const ids = sequences[index]!;
    const related = sharedPrefix(previous, ids) >= FAMILY_SHARE * Math.max(previous.length, ids.length);
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

// Requests → the id lists that an engine is sent, and which of its rows are the answer.
//
// P requested positions of a sequence.

import { createHash } from "node:crypto";
import type { Pooling } from "../../checkpoint/remote-location.ts";
import { InputError } from "../../errors.ts";
import type { Sequence } from "../packing.ts";

/** One row of an engine's answer: the list it belongs to, and its number among the rows of that list. */
export interface WantedRow {
  readonly list: number;
  readonly row: number;
}

export interface RemotePlan {
  /** Distinct id lists, in the order in which requests ask for them: those that share a prompt are neighbours. */
  readonly lists: readonly (readonly number[])[];
  /** Per request and position. */
  readonly wanted: readonly (readonly WantedRow[])[];
}

/** Rows that an engine returns of a list. */
export function rowCount(ids: readonly number[], pooling: Pooling): number {
  if (pooling === "last") return 1;
  if (pooling === "all") return ids.length;
  const step = stepId(pooling);
  return ids.reduce((count, id) => count + (id === step ? 1 : 0), 0);
}

/** The token id of `step:ID`. */
export const stepId = (pooling: Pooling): number => Number(pooling.slice("step:".length));

/**
 * Plans what to send. Attention is causal: the state at a position is that of a list which ends there, so an engine that gives
 * the last row alone is sent one prefix per position, and the others one list up to the last position wanted.
 *
 * @throws {InputError} `remote-rows` where `step:ID` does not give a position.
 */
export function planLists(sequences: readonly Sequence[], pooling: Pooling): RemotePlan {
  const lists: (readonly number[])[] = [];
  const known = new Map<string, number>();
  const listOf = (ids: readonly number[]): number => {
    const key = createHash("sha256").update(Uint32Array.from(ids)).digest("base64");
    let list = known.get(key);
    if (list === undefined) {
      list = lists.push(ids) - 1;
      known.set(key, list);
    }
    return list;
  };
  const wanted = sequences.map(({ ids, positions }) => {
    if (positions.length === 0) return [];
    if (pooling === "last") {
      return positions.map((position) => ({ list: listOf(ids.slice(0, position + 1)), row: 0 }));
    }
    const end = positions.reduce((most, position) => Math.max(most, position), 0) + 1;
    const list = listOf(ids.slice(0, end));
    if (pooling === "all") return positions.map((row) => ({ list, row }));
    const stray = positions.find((position) => ids[position] !== stepId(pooling));
    if (stray !== undefined) {
      throw new InputError(
        "remote-rows",
        `remote backbone: expected token ${stepId(pooling)} at every position wanted (pooling=${pooling}), got token ${ids[stray]}`,
        "use pooling=last, which gives any position",
      );
    }
    return positions.map((position) => ({ list, row: rowCount(ids.slice(0, position), pooling) }));
  });
  return { lists, wanted };
}

/** Splits lists into stretches of at most so many tokens; a longer list is one by itself. */
export function planBatches(lists: RemotePlan["lists"], mostTokens: number): number[][] {
  const batches: number[][] = [];
  let tokens = Number.POSITIVE_INFINITY;
  for (const [list, ids] of lists.entries()) {
    if (tokens + ids.length > mostTokens) {
      batches.push([]);
      tokens = 0;
    }
    batches.at(-1)!.push(list);
    tokens += ids.length;
  }
  return batches;
}

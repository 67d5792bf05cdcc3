import { mixBits } from "../random.ts";

/** Which rows are held out. Row numbers count over the whole stream, from 0. */
export type Split = RowSplit | GroupSplit;

/** Named rows. Rows in neither list are left out. */
export interface RowSplit {
  readonly train: ArrayLike<number>;
  readonly validation: ArrayLike<number>;
}

/** A share of the groups, drawn by hash: rows of one group (one prompt) always fall on the same side. */
export interface GroupSplit {
  /** Share of groups held out, in [0, 1). */
  readonly fraction: number;
  /** Another seed draws another share. Default 0. */
  readonly seed?: number;
  /** The group of each row, for example a hash of its prompt. Default: every row is its own group. */
  readonly groups?: ArrayLike<string | number | bigint>;
}

/**
 * Turns a split into a function from row number to part: a fold in [0, folds) for training rows, `folds` for rows held out, null
 * for unused rows. Rows of one group are in one fold, by the same hash that decides the side.
 *
 * @throws {RangeError} as `sideOfRow`, and where rows are named one by one.
 */
export function foldOfRow(split: Split, folds: number): (row: number) => number | null {
  if (!(Number.isInteger(folds) && folds >= 2)) {
    throw new RangeError(`split: folds must be an integer ≥ 2, got ${folds}`);
  }
  if ("train" in split) throw new RangeError("split: folds are drawn by group, got rows named one by one");
  const { fraction } = split;
  const positionOf = groupPosition(split);
  return (row) => {
    const position = positionOf(row);
    return position < fraction ? folds : Math.floor(((position - fraction) / (1 - fraction)) * folds);
  };
}

export type Side = "train" | "validation" | "unused";

/**
 * Turns a split into a function from row number to side.
 *
 * A group's side depends on the seed and on the group alone, not on the other rows or on their order, so a stream
 * needs no second pass and more data never moves a prompt to the other side.
 *
 * @throws {RangeError} where the fraction is outside [0, 1), a row has no group, or a row is on both sides.
 */
export function sideOfRow(split: Split): (row: number) => Side {
  if ("train" in split) return sideOfNamedRow(split);
  const positionOf = groupPosition(split);
  return (row) => (positionOf(row) < split.fraction ? "validation" : "train");
}

/** Where the hash puts a row's group, in [0, 1). */
function groupPosition({ fraction, seed = 0, groups }: GroupSplit): (row: number) => number {
  if (!(fraction >= 0 && fraction < 1)) {
    throw new RangeError(`split: fraction must be in [0, 1), got ${fraction}`);
  }
  return (row) => {
    if (groups !== undefined && row >= groups.length) {
      throw new RangeError(`split: groups must name every row, got ${groups.length} groups and row ${row}`);
    }
    return hashGroup(seed, groups?.[row] ?? row);
  };
}

function sideOfNamedRow(split: RowSplit): (row: number) => Side {
  const sides = new Map<number, Side>();
  for (const side of ["train", "validation"] as const) {
    const rows = split[side];
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      if (sides.has(row) && sides.get(row) !== side) {
        throw new RangeError(`split: a row must be on one side, got row ${row} in train and in validation`);
      }
      sides.set(row, side);
    }
  }
  return (row) => sides.get(row) ?? "unused";
}

/** A number in [0, 1) from a seed and a group. FNV-1a over the group's text, then mixed. */
function hashGroup(seed: number, group: string | number | bigint): number {
  const text = String(group);
  let hash = mixBits((seed ^ 0x811c9dc5) >>> 0);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixBits(hash >>> 0) / 2 ** 32;
}

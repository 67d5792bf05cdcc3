/*
 * What ridge regression needs to know of its rows, added up in one pass.
 *
 *   N  rows          H  hidden size
 *   K  objectives    pattern: the set of objectives that a row is rated on
 */

import type { GramProduct, GramSums } from "../engine/gram.ts";
import { InputError } from "../errors.ts";

/** How much memory statistics may take. */
export interface StatisticsLimits {
  /** Rows that go into one matrix product. */
  readonly batchRows: number;
  /** Rows of rare patterns that are kept as they are, in bytes of embeddings. */
  readonly rareBytes: number;
}

const LIMITS: StatisticsLimits = { batchRows: 1024, rareBytes: 2 ** 26 };

/** Sums over the rows of one pattern on one side of the split. */
interface Cell {
  readonly id: number;
  readonly objectives: readonly number[];
  /** Rows not yet in the sums: `[filled, H]`, and their labels `[filled, objectives.length]`. */
  staged: { embeddings: Float32Array; labels: Float64Array; rows: number };
  sums: GramSums | null;
}

/** Σ over the rows of one objective that were rated. */
export interface LabelSums {
  readonly rows: number;
  /** Σ y. */
  readonly total: number;
  /** Σ y². */
  readonly squares: number;
}

/** Objectives that are rated on exactly the same rows, and so share XᵀX. */
export interface ObjectiveGroup {
  readonly objectives: readonly number[];
  /** Adds XᵀX over the group's rows to the lower triangle of `matrix [H, H]`, with `mirror` to all of it. */
  addGram(matrix: Float64Array, options?: { readonly mirror?: boolean }): Promise<void>;
}

/** Sufficient statistics of one side of the split. */
export interface LabelStatistics {
  /** Adds one row, the `row`-th of the stream; labels that are NaN are missing. */
  add(embedding: Float32Array, labels: Float32Array, row: number): Promise<void>;
  /** Completes the sums: no rows may be added afterwards, and the rest may be asked for. */
  finish(): Promise<void>;
  /** Σ over the rated rows of objective k. */
  sums(k: number): LabelSums;
  /** Xᵀy over the rated rows of objective k, `[H]`. */
  products(k: number): Float64Array;
  /** Objectives with rated rows among `candidates`, those with the same rows together. */
  groups(candidates: readonly number[]): ObjectiveGroup[];
}

/**
 * Opens empty statistics.
 *
 * Rows with the same pattern share one Gram matrix, in float64. A pattern gets one once it has filled a batch; rows of
 * rarer patterns are kept and join their objectives at the end. Where too many patterns are rare to be kept, or more
 * than K are frequent, a row counts for each of its objectives by itself: exact too, at the cost of a Gram matrix per
 * objective. So memory is at most 2K Gram matrices of 0.56·H² doubles, a batch for each, and 64 MiB of rows.
 */
export function openLabelStatistics(
  gram: GramProduct,
  numObjectives: number,
  { batchRows, rareBytes }: StatisticsLimits = LIMITS,
): LabelStatistics {
  const H = gram.size;
  const cells = new Map<string, Cell>();
  const totals = Array.from({ length: numObjectives }, () => ({ rows: 0, total: 0, squares: 0 }));
  let shared = 0; // cells with sums of more than one objective
  let rareRows = 0; // staged in cells without sums
  let nextId = 0;

  function cellOf(objectives: readonly number[]): Cell {
    const key = objectives.join();
    let cell = cells.get(key);
    if (!cell) {
      const staged = { embeddings: new Float32Array(0), labels: new Float64Array(0), rows: 0 };
      cell = { id: nextId++, objectives, staged, sums: null };
      cells.set(key, cell);
    }
    return cell;
  }

  function stage(cell: Cell, embedding: Float32Array, labels: ArrayLike<number>): void {
    const { staged } = cell;
    const width = cell.objectives.length;
    if (staged.rows * H === staged.embeddings.length) {
      const capacity = Math.min(batchRows, Math.max(16, 2 * staged.rows));
      staged.embeddings = grow(staged.embeddings, capacity * H);
      staged.labels = grow(staged.labels, capacity * width);
    }
    staged.embeddings.set(embedding, staged.rows * H);
    for (let i = 0; i < width; i++) staged.labels[staged.rows * width + i] = labels[i]!;
    staged.rows++;
    if (!cell.sums) rareRows++;
  }

  async function flush(cell: Cell): Promise<void> {
    const { staged } = cell;
    if (!cell.sums) {
      cell.sums = gram.createSums(cell.objectives.length);
      rareRows -= staged.rows;
      if (cell.objectives.length > 1) shared++;
    }
    const width = cell.objectives.length;
    await gram.add(
      cell.sums,
      staged.embeddings.subarray(0, staged.rows * H),
      staged.labels.subarray(0, staged.rows * width),
    );
    staged.rows = 0;
  }

  async function place(
    objectives: readonly number[],
    embedding: Float32Array,
    labels: ArrayLike<number>,
  ): Promise<void> {
    const known = cells.get(objectives.join());
    if (objectives.length > 1 && !known?.sums && shared >= numObjectives) {
      for (const [i, k] of objectives.entries()) await place([k], embedding, [labels[i]!]);
      return;
    }
    const cell = known ?? cellOf(objectives);
    stage(cell, embedding, labels);
    if (cell.staged.rows === batchRows) await flush(cell);
    if (rareRows * H * 4 > rareBytes) await dissolveRare();
  }

  // Rare rows move from their patterns to their objectives, one by one, where they fill batches sooner or later.
  async function dissolveRare(): Promise<void> {
    for (const [key, cell] of cells) {
      if (cell.sums) continue;
      if (cell.objectives.length === 1) {
        await flush(cell);
        continue;
      }
      cells.delete(key);
      const { staged, objectives } = cell;
      rareRows -= staged.rows;
      for (let row = 0; row < staged.rows; row++) {
        const embedding = staged.embeddings.subarray(row * H, (row + 1) * H);
        for (const [i, k] of objectives.entries()) {
          const single = cellOf([k]);
          stage(single, embedding, [staged.labels[row * objectives.length + i]!]);
          if (single.staged.rows === batchRows) await flush(single);
        }
      }
    }
  }

  const cellsWith = (k: number): Cell[] =>
    [...cells.values()].filter((cell) => cell.objectives.includes(k) && (cell.sums || cell.staged.rows > 0));

  // Rows of rare patterns join each group that has them through sums of its own, dropped again right away.
  async function addRareGram(
    members: readonly Cell[],
    matrix: Float64Array,
    options?: { mirror?: boolean },
  ): Promise<void> {
    const rare = members.filter((cell) => !cell.sums);
    if (rare.length === 0) return;
    const rows = rare.reduce((count, cell) => count + cell.staged.rows, 0);
    const all = new Float32Array(rows * H);
    let at = 0;
    for (const { staged } of rare) {
      all.set(staged.embeddings.subarray(0, staged.rows * H), at);
      at += staged.rows * H;
    }
    const sums = gram.createSums(1);
    await gram.add(sums, all, new Float64Array(rows));
    gram.addTo(matrix, sums, options);
  }

  return {
    async add(embedding, labels, row) {
      const objectives: number[] = [];
      for (let k = 0; k < numObjectives; k++) if (!Number.isNaN(labels[k]!)) objectives.push(k);
      if (objectives.length === 0) return;
      const present = objectives.map((k) => labels[k]!);
      requireFinite(embedding, "embeddings", row);
      requireFinite(present, "labels", row);
      for (const [i, k] of objectives.entries()) {
        const sum = totals[k]!;
        sum.rows++;
        sum.total += present[i]!;
        sum.squares += present[i]! ** 2;
      }
      await place(objectives, embedding, present);
    },
    async finish() {
      for (const cell of cells.values()) {
        if (!cell.sums) continue;
        await flush(cell);
        cell.staged = { embeddings: new Float32Array(0), labels: new Float64Array(0), rows: 0 };
      }
    },
    sums: (k) => totals[k]!,
    products(k) {
      const result = new Float64Array(H);
      for (const { objectives, staged, sums } of cellsWith(k)) {
        const width = objectives.length;
        const at = objectives.indexOf(k);
        if (sums) {
          for (let i = 0; i < H; i++) result[i]! += sums.products[i * width + at]!;
          continue;
        }
        for (let row = 0; row < staged.rows; row++) {
          const label = staged.labels[row * width + at]!;
          for (let i = 0; i < H; i++) result[i]! += staged.embeddings[row * H + i]! * label;
        }
      }
      return result;
    },
    groups(candidates) {
      const groups = new Map<string, { objectives: number[]; members: Cell[] }>();
      for (const k of candidates) {
        const members = cellsWith(k);
        if (members.length === 0) continue;
        const signature = members.map(({ id }) => id).join();
        const group = groups.get(signature);
        if (group) group.objectives.push(k);
        else groups.set(signature, { objectives: [k], members });
      }
      return [...groups.values()].map(({ objectives, members }) => ({
        objectives,
        async addGram(matrix, options) {
          for (const { sums } of members) if (sums) gram.addTo(matrix, sums, options);
          await addRareGram(members, matrix, options);
        },
      }));
    },
  };
}

function grow<T extends Float32Array | Float64Array>(values: T, length: number): T {
  const grown = new (values.constructor as new (length: number) => T)(length);
  grown.set(values);
  return grown;
}

function requireFinite(values: ArrayLike<number>, what: string, row: number): void {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0; // 0, or NaN where a value is not finite
  if (sum === 0) return;
  throw new InputError(
    "not-finite",
    `fitRidge: expected finite ${what}, got NaN or Infinity in row ${row}`,
    "leave the row out, or embed it again; a missing label is NaN",
  );
}

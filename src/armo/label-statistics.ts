/*
 * What ridge regression needs to know of its rows, added up in one pass.
 *
 *   N  rows          H  hidden size
 *   K  objectives    pattern: the set of objectives that a row is rated on
 */

import type { GramProduct, GramSums } from "../engine/gram.ts";
import { requireFinite } from "./finite-rows.ts";
import { addSums, type LabelSums, NO_ROWS, type StatisticsView } from "./statistics-view.ts";

/** How much memory statistics may take. */
export interface StatisticsLimits {
  /** Rows that go into one matrix product. */
  readonly batchRows: number;
  /** Rows of rare patterns that are kept as they are, in bytes of embeddings. */
  readonly rareBytes: number;
}

export const DEFAULT_LIMITS: StatisticsLimits = { batchRows: 1024, rareBytes: 2 ** 26 };

/** Rows not yet in the sums. */
export interface StagedRows {
  /** `[rows, H]`, with room for more. */
  readonly embeddings: Float32Array;
  /** `[rows, R + 1]`: the pattern's R labels, then 1, so that Xᵀ·labels ends with the sum of the embeddings. */
  readonly labels: Float64Array;
  /** `[rows]`. */
  readonly weights: Float64Array;
  readonly rows: number;
}

/** The rows of one pattern. */
export interface PatternCell {
  readonly objectives: readonly number[];
  readonly sums: GramSums | null;
  readonly staged: StagedRows;
}

interface Cell {
  readonly id: number;
  readonly objectives: readonly number[];
  staged: { -readonly [P in keyof StagedRows]: StagedRows[P] };
  sums: GramSums | null;
}

/** Everything that statistics consist of. */
export interface StatisticsContents {
  /** `[K]`. */
  readonly sums: readonly LabelSums[];
  readonly cells: readonly PatternCell[];
}

/** Statistics that rows can be added to. */
export interface LabelStatistics extends StatisticsView {
  /**
   * Adds one row.
   *
   * @param labels `[K]`, NaN = missing.
   * @param name What errors call the row.
   * @param weight How often the row counts, above 0. Default 1.
   * @throws {InputError} `not-finite`
   */
  add(embedding: Float32Array, labels: ArrayLike<number>, name: string, weight?: number): Promise<void>;
  /** Adds what other statistics of the same size hold, as if their rows had been added here. */
  absorb(contents: StatisticsContents): Promise<void>;
  /** Completes the sums; what a `StatisticsView` and `contents` give is then right. */
  finish(): Promise<void>;
  contents(): StatisticsContents;
}

/**
 * Opens empty statistics.
 *
 * Rows with the same pattern share one Gram matrix, in float64. A pattern gets one once it has filled a batch; rows of
 * rarer patterns are kept and join their objectives at the end. Where too many patterns are rare to be kept, or more
 * than K are frequent, a row counts for each of its objectives by itself: exact too, at the cost of a Gram matrix per
 * objective. So memory is at most 2K Gram matrices of 0.56·H² doubles, a batch for each, and 64 MiB of rows.
 *
 * @param options.objectives Labels of other objectives than these count as missing, and K in what is said above is their number.
 *   Default: all.
 */
export function openLabelStatistics(
  gram: GramProduct,
  numObjectives: number,
  options: { readonly limits?: StatisticsLimits; readonly objectives?: readonly number[] } = {},
): LabelStatistics {
  const { batchRows, rareBytes } = options.limits ?? DEFAULT_LIMITS;
  const wanted = options.objectives ?? Array.from({ length: numObjectives }, (_, k) => k);
  const H = gram.size;
  const cells = new Map<string, Cell>();
  const totals = Array.from({ length: numObjectives }, () => NO_ROWS);
  let shared = 0; // cells with sums of more than one objective
  let rareRows = 0; // staged in cells without sums
  let nextId = 0;

  function cellOf(objectives: readonly number[]): Cell {
    const key = objectives.join();
    let cell = cells.get(key);
    if (!cell) {
      cell = { id: nextId++, objectives, staged: noRows(), sums: null };
      cells.set(key, cell);
    }
    return cell;
  }

  function stage(cell: Cell, embedding: Float32Array, labels: ArrayLike<number>, weight: number): void {
    const { staged } = cell;
    const width = cell.objectives.length;
    if (staged.rows === staged.weights.length) {
      const capacity = Math.min(batchRows, Math.max(16, 4 * staged.rows));
      staged.embeddings = grow(staged.embeddings, capacity * H);
      staged.labels = grow(staged.labels, capacity * (width + 1));
      staged.weights = grow(staged.weights, capacity);
    }
    staged.embeddings.set(embedding, staged.rows * H);
    const at = staged.rows * (width + 1);
    for (let i = 0; i < width; i++) staged.labels[at + i] = labels[i]!;
    staged.labels[at + width] = 1;
    staged.weights[staged.rows] = weight;
    staged.rows++;
    if (!cell.sums) rareRows++;
  }

  function openSums(cell: Cell): GramSums {
    if (!cell.sums) {
      cell.sums = gram.createSums(cell.objectives.length + 1);
      rareRows -= cell.staged.rows;
      if (cell.objectives.length > 1) shared++;
    }
    return cell.sums;
  }

  async function flush(cell: Cell): Promise<void> {
    await addStaged(gram, openSums(cell), cell.staged, cell.objectives.length + 1);
    cell.staged.rows = 0;
  }

  /** Whether rows of a pattern have to count for each of its objectives by itself. */
  const mustSplit = (objectives: readonly number[]): boolean =>
    objectives.length > 1 && !cells.get(objectives.join())?.sums && shared >= wanted.length;

  async function place(
    objectives: readonly number[],
    embedding: Float32Array,
    labels: ArrayLike<number>,
    weight: number,
  ): Promise<void> {
    if (mustSplit(objectives)) {
      for (const [i, k] of objectives.entries()) await place([k], embedding, [labels[i]!], weight);
      return;
    }
    const cell = cellOf(objectives);
    stage(cell, embedding, labels, weight);
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
      rareRows -= cell.staged.rows;
      await eachStaged(cell, H, async (embedding, labels, weight) => {
        for (const [i, k] of cell.objectives.entries()) {
          const single = cellOf([k]);
          stage(single, embedding, [labels[i]!], weight);
          if (single.staged.rows === batchRows) await flush(single);
        }
      });
    }
  }

  async function absorbSums(objectives: readonly number[], sums: GramSums): Promise<void> {
    if (!mustSplit(objectives)) {
      gram.merge(openSums(cellOf(objectives)), sums);
      return;
    }
    const width = objectives.length + 1;
    for (const [i, k] of objectives.entries()) {
      const products = Float64Array.from({ length: 2 * H }, (_, j) => {
        return sums.products[(j >> 1) * width + (j % 2 === 0 ? i : width - 1)]!;
      });
      gram.merge(openSums(cellOf([k])), { ...sums, products });
    }
  }

  const cellsWith = (k: number): Cell[] =>
    [...cells.values()].filter((cell) => cell.objectives.includes(k) && (cell.sums || cell.staged.rows > 0));

  // Σ over the cells of objective k of one column of XᵀY; `columnOf` names it in a cell.
  function sumColumns(k: number, columnOf: (cell: Cell) => number): Float64Array {
    const result = new Float64Array(H);
    for (const cell of cellsWith(k)) {
      const { objectives, staged, sums } = cell;
      const width = objectives.length + 1;
      const at = columnOf(cell);
      if (sums) for (let i = 0; i < H; i++) result[i]! += sums.products[i * width + at]!;
      if (sums) continue;
      for (let row = 0; row < staged.rows; row++) {
        const label = staged.labels[row * width + at]! * staged.weights[row]!;
        for (let i = 0; i < H; i++) result[i]! += staged.embeddings[row * H + i]! * label;
      }
    }
    return result;
  }

  return {
    numObjectives,
    async add(embedding, labels, name, weight = 1) {
      const objectives = wanted.filter((k) => !Number.isNaN(labels[k]!));
      if (objectives.length === 0) return;
      const present = objectives.map((k) => labels[k]!);
      requireFinite("fitRidge", embedding, "embeddings", name);
      requireFinite("fitRidge", present, "labels", name);
      for (const [i, k] of objectives.entries()) {
        const y = present[i]!;
        totals[k] = addSums(totals[k]!, {
          rows: 1,
          weight,
          total: weight * y,
          squares: weight * y * y,
          minimum: y,
          maximum: y,
        });
      }
      await place(objectives, embedding, present, weight);
    },
    async absorb({ sums, cells }) {
      if (sums.length !== numObjectives) {
        throw new TypeError(`absorb: expected ${numObjectives} objectives, got ${sums.length}`);
      }
      for (const [k, sum] of sums.entries()) totals[k] = addSums(totals[k]!, sum);
      for (const cell of cells) {
        if (cell.sums) await absorbSums(cell.objectives, cell.sums);
        await eachStaged(cell, H, (embedding, labels, weight) =>
          place(cell.objectives, embedding, labels, weight),
        );
      }
    },
    async finish() {
      for (const cell of cells.values()) {
        if (!cell.sums) continue;
        await flush(cell);
        cell.staged = noRows();
      }
    },
    contents: () => ({ sums: totals, cells: [...cells.values()] }),
    sums: (k) => totals[k]!,
    products: (k) => sumColumns(k, (cell) => cell.objectives.indexOf(k)),
    embeddingSums: (k) => sumColumns(k, (cell) => cell.objectives.length),
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
          await addRareGram(gram, members, matrix, options);
        },
      }));
    },
  };
}

/** Rows of rare patterns join each group that has them through sums of its own, dropped again right away. */
async function addRareGram(
  gram: GramProduct,
  members: readonly Cell[],
  matrix: Float64Array,
  options?: { mirror?: boolean },
): Promise<void> {
  const H = gram.size;
  const rare = members.filter((cell) => !cell.sums);
  const rows = rare.reduce((count, cell) => count + cell.staged.rows, 0);
  if (rows === 0) return;
  const all = { embeddings: new Float32Array(rows * H), labels: new Float64Array(rows), rows };
  const weights = new Float64Array(rows);
  let at = 0;
  for (const { staged } of rare) {
    all.embeddings.set(staged.embeddings.subarray(0, staged.rows * H), at * H);
    weights.set(staged.weights.subarray(0, staged.rows), at);
    at += staged.rows;
  }
  const sums = gram.createSums(1);
  await addStaged(gram, sums, { ...all, weights }, 1);
  gram.addTo(matrix, sums, options);
}

async function addStaged(
  gram: GramProduct,
  sums: GramSums,
  { embeddings, labels, weights, rows }: StagedRows,
  width: number,
): Promise<void> {
  const counted = weights.subarray(0, rows);
  await gram.add(
    sums,
    embeddings.subarray(0, rows * gram.size),
    labels.subarray(0, rows * width),
    counted.every((weight) => weight === 1) ? undefined : counted,
  );
}

async function eachStaged(
  { objectives, staged }: PatternCell,
  H: number,
  use: (embedding: Float32Array, labels: Float64Array, weight: number) => Promise<void>,
): Promise<void> {
  const width = objectives.length + 1;
  for (let row = 0; row < staged.rows; row++) {
    await use(
      staged.embeddings.subarray(row * H, (row + 1) * H),
      staged.labels.subarray(row * width, row * width + width - 1),
      staged.weights[row]!,
    );
  }
}

const noRows = (): StagedRows => ({
  embeddings: new Float32Array(0),
  labels: new Float64Array(0),
  weights: new Float64Array(0),
  rows: 0,
});

function grow<T extends Float32Array | Float64Array>(values: T, length: number): T {
  const grown = new (values.constructor as new (length: number) => T)(length);
  grown.set(values);
  return grown;
}

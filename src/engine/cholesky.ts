/*
 * Blocked Cholesky factorization in float64: A = L·Lᵀ, and the solution of A·X = C.
 *
 *   H  size of the matrix
 *   R  right-hand sides
 *   B  width of a block column
 *
 * The right-hand sides ride below the matrix as R more rows, so the factorization leaves L⁻¹C there on the way, and only
 * the back substitution remains.
 */

import { float, Graph, type Value } from "./graph.ts";
import { gemm } from "./operators.ts";
import { openSession, type Session } from "./session.ts";

/** Narrow, because the squares on the diagonal are factorized in plain TypeScript: H·B²/3 multiply-adds in all. */
const BLOCK = 64;

export interface Cholesky {
  readonly size: number;
  /**
   * Factorizes A + shift·I = L·Lᵀ.
   *
   * @param matrix `[H + R, H]`, row-major: the lower triangle of A, then Cᵀ. Not changed, so that one matrix serves many shifts.
   * @param factor The same size: L, then (L⁻¹C)ᵀ. May be `matrix` itself. Of both, what lies above the diagonal is
   *   neither read nor written.
   * @returns (largest / smallest entry on the diagonal of L)², which the condition number is never below; null where A + shift·I is
   *   not positive definite to working precision, and the factor half done.
   */
  factorize(matrix: Float64Array, factor: Float64Array, shift?: number): Promise<number | null>;
  /**
   * Solves Lᵀ·X = L⁻¹C after `factorize`.
   *
   * @returns Xᵀ `[R, H]`: row r solves (A + shift·I)·x = c_r.
   */
  backSubstitute(factor: Float64Array): Promise<Float64Array>;
  close(): Promise<void>;
}

/**
 * Opens a Cholesky factorization for matrices of one size.
 *
 * Left-looking: each block column is brought up to date by one matrix product with everything to its left.
 * Cost: H³/6 multiply-adds plus R·H²/2, and R·H²/2 to substitute back. Memory: some H·B doubles beside matrix and factor, and H² / 4 while products run.
 */
export async function openCholesky(
  size: number,
  { threads }: { readonly threads?: number } = {},
): Promise<Cholesky> {
  const options = threads === undefined ? {} : { threads };
  const update = await openSession(updateGraph(size), options);
  const divide = await openSession(divideGraph(), options);
  const eliminate = await openSession(eliminateGraph(size), options);
  return {
    size,
    async factorize(matrix, factor, shift = 0) {
      if (matrix.length < size * size || matrix.length % size !== 0 || factor.length !== matrix.length) {
        throw new TypeError(
          `factorize: matrix and factor must be [${size} + R, ${size}], got ${matrix.length} and ${factor.length} values`,
        );
      }
      let smallest = Number.POSITIVE_INFINITY;
      let largest = 0;
      for (let start = 0; start < size; start += BLOCK) {
        const width = Math.min(BLOCK, size - start);
        const column = await updatedColumn(update, { matrix, factor, shift, size, start, width });
        if (!factorizeBlock(column, width)) return null;
        for (let i = 0; i < width; i++) {
          smallest = Math.min(smallest, column[i * width + i]!);
          largest = Math.max(largest, column[i * width + i]!);
        }
        if (column.length > width * width) await divideBelow(divide, column, width);
        storeColumn(factor, size, start, column, width);
      }
      return (largest / smallest) ** 2;
    },
    async backSubstitute(factor) {
      const solutions = factor.slice(size * size); // [R, H]
      const R = solutions.length / size;
      for (let start = Math.floor((size - 1) / BLOCK) * BLOCK; start >= 0 && R > 0; start -= BLOCK) {
        const width = Math.min(BLOCK, size - start);
        const solved = new Float64Array(R * width);
        for (let r = 0; r < R; r++) {
          solved.set(solutions.subarray(r * size + start, r * size + start + width), r * width);
        }
        substituteBlock(solved, factor, size, start);
        for (let r = 0; r < R; r++) {
          solutions.set(solved.subarray(r * width, (r + 1) * width), r * size + start);
        }
        if (start === 0) continue;
        const { rest } = await eliminate.run({
          solved: { data: solved, shape: [R, width] },
          rows: { data: factor.subarray(start * size, (start + width) * size), shape: [width, size] },
          right: { data: solutions, shape: [R, size] },
          start: { data: BigInt64Array.of(BigInt(start)), shape: [1] },
        });
        const left = rest!.data as Float64Array; // [R, start]
        for (let r = 0; r < R; r++) {
          solutions.set(left.subarray(r * start, (r + 1) * start), r * size);
        }
      }
      return solutions;
    },
    async close() {
      await Promise.all([update.close(), divide.close(), eliminate.close()]);
    },
  };
}

/** Solves Xᵀ·L = C for the columns of one block on the diagonal, in place: `solutions [R, W]`. */
function substituteBlock(solutions: Float64Array, factor: Float64Array, size: number, start: number): void {
  const width = Math.min(BLOCK, size - start);
  for (let i = width - 1; i >= 0; i--) {
    const row = (start + i) * size + start;
    const pivot = factor[row + i]!;
    for (let r = 0; r < solutions.length; r += width) {
      const x = solutions[r + i]! / pivot;
      solutions[r + i] = x;
      for (let j = 0; j < i; j++) solutions[r + j]! -= x * factor[row + j]!;
    }
  }
}

// matrix, factor [M, H] → matrix[:, start : start+W] − factor[:, :start] · factor[:W, :start]ᵀ
function updateGraph(size: number): Graph {
  const graph = new Graph();
  const matrix = graph.input("matrix", "f64", ["M", size]);
  const factor = graph.input("factor", "f64", ["M", size]);
  const start = graph.input("start", "i64", [1]);
  const end = graph.input("end", "i64", [1]);
  const integer = (value: number) => graph.constant([value], [1], "i64");
  const slice = (value: Value, from: Value, to: Value, axis: number, shape: (string | number)[]) =>
    graph.node("Slice", [value, from, to, integer(axis)], [{ dtype: "f64", shape }])[0]!;
  const left = slice(factor, integer(0), start, 1, ["M", "S"]);
  const block = slice(matrix, start, end, 1, ["M", "W"]);
  const width = graph.node("Sub", [end, start], [{ dtype: "i64", shape: [1] }])[0]!;
  const top = slice(left, integer(0), width, 0, ["W", "S"]);
  const updated = graph.node("Gemm", [left, top, block], [{ dtype: "f64", shape: ["M", "W"] }], {
    alpha: float(-1),
    transB: 1,
  });
  graph.output("column", updated[0]!);
  return graph;
}

// solved [R, W], rows [W, H], right [R, H] → right[:, :start] − solved · rows[:, :start]
function eliminateGraph(size: number): Graph {
  const graph = new Graph();
  const solved = graph.input("solved", "f64", ["R", "W"]);
  const rows = graph.input("rows", "f64", ["W", size]);
  const right = graph.input("right", "f64", ["R", size]);
  const start = graph.input("start", "i64", [1]);
  const integer = (value: number) => graph.constant([value], [1], "i64");
  const before = (value: Value, height: string) =>
    graph.node("Slice", [value, integer(0), start, integer(1)], [{ dtype: "f64", shape: [height, "S"] }])[0]!;
  const rest = graph.node(
    "Gemm",
    [solved, before(rows, "W"), before(right, "R")],
    [{ dtype: "f64", shape: ["R", "S"] }],
    { alpha: float(-1) },
  );
  graph.output("rest", rest[0]!);
  return graph;
}

// below [M, W], inverse [W, W] → below · inverseᵀ
function divideGraph(): Graph {
  const graph = new Graph();
  const below = graph.input("below", "f64", ["M", "W"]);
  const inverse = graph.input("inverse", "f64", ["W", "W"]);
  graph.output("quotient", gemm(below, inverse, { transB: true }));
  return graph;
}

interface BlockColumn {
  readonly matrix: Float64Array;
  readonly factor: Float64Array;
  readonly shift: number;
  readonly size: number;
  readonly start: number;
  readonly width: number;
}

/** Block column at `start`, from the diagonal down `[M, width]`, less what the columns to its left take from it. */
async function updatedColumn(
  update: Session,
  { matrix, factor, shift, size, start, width }: BlockColumn,
): Promise<Float64Array> {
  const rows = matrix.length / size - start;
  const column = new Float64Array(rows * width);
  if (start === 0) {
    for (let row = 0; row < rows; row++) {
      column.set(matrix.subarray(row * size, row * size + width), row * width);
    }
  } else {
    await update.run(
      {
        matrix: { data: matrix.subarray(start * size), shape: [rows, size] },
        factor: { data: factor.subarray(start * size), shape: [rows, size] },
        start: { data: BigInt64Array.of(BigInt(start)), shape: [1] },
        end: { data: BigInt64Array.of(BigInt(start + width)), shape: [1] },
      },
      { column: { data: column, shape: [rows, width] } },
    );
  }
  for (let i = 0; i < width; i++) column[i * width + i]! += shift;
  return column;
}

/** Cholesky of the square at the top of a block column, in place, its upper triangle set to zero. */
function factorizeBlock(block: Float64Array, width: number): boolean {
  for (let i = 0; i < width; i++) {
    const row = i * width;
    for (let j = 0; j <= i; j++) {
      const other = j * width;
      // Two sums, because one alone waits for its own last subtraction.
      let even = block[row + j]!;
      let odd = 0;
      let k = 0;
      for (; k + 1 < j; k += 2) {
        even -= block[row + k]! * block[other + k]!;
        odd -= block[row + k + 1]! * block[other + k + 1]!;
      }
      if (k < j) even -= block[row + k]! * block[other + k]!;
      const rest = even + odd;
      if (j < i) {
        block[row + j] = rest / block[other + j]!;
      } else {
        if (!(rest > 0)) return false;
        block[row + i] = Math.sqrt(rest);
      }
    }
    block.fill(0, row + i + 1, row + width);
  }
  return true;
}

/** Replaces what lies below the square by itself times L⁻ᵀ of the square. */
async function divideBelow(divide: Session, column: Float64Array, width: number): Promise<void> {
  const below = column.subarray(width * width);
  const { quotient } = await divide.run({
    below: { data: below, shape: [below.length / width, width] },
    inverse: { data: invertLower(column, width), shape: [width, width] },
  });
  below.set(quotient!.data as Float64Array);
}

/** The inverse of a lower triangular matrix, row by row: row i is what solving for the unit vector i leaves. */
function invertLower(lower: Float64Array, width: number): Float64Array {
  const inverse = new Float64Array(width * width);
  const solved = new Float64Array(width);
  for (let i = 0; i < width; i++) {
    const row = i * width;
    solved.fill(0);
    for (let k = 0; k < i; k++) {
      const factor = lower[row + k]!;
      const from = k * width;
      for (let j = 0; j <= k; j++) solved[j]! -= factor * inverse[from + j]!;
    }
    const pivot = lower[row + i]!;
    for (let j = 0; j < i; j++) inverse[row + j] = solved[j]! / pivot;
    inverse[row + i] = 1 / pivot;
  }
  return inverse;
}

/** Writes a finished block column into the factor, the lower triangle alone. */
function storeColumn(
  factor: Float64Array,
  size: number,
  start: number,
  column: Float64Array,
  width: number,
): void {
  const rows = column.length / width;
  for (let row = 0; row < rows; row++) {
    const to = (start + row) * size + start;
    const end = Math.min(width, row + 1);
    for (let j = 0; j < end; j++) factor[to + j] = column[row * width + j]!;
  }
}

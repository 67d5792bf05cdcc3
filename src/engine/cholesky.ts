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

import { float, Graph } from "./graph.ts";
import { gemm } from "./operators.ts";
import { openSession, type Session } from "./session.ts";

const BLOCK = 128;

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
  close(): Promise<void>;
}

/**
 * Opens a Cholesky factorization for matrices of one size.
 *
 * Left-looking: each block column is brought up to date by one matrix product with everything to its left.
 * Cost: H³/6 multiply-adds plus R·H²/2. Memory: some H·B doubles beside matrix and factor, and H² / 4 while products run.
 */
export async function openCholesky(
  size: number,
  { threads }: { readonly threads?: number } = {},
): Promise<Cholesky> {
  const options = threads === undefined ? {} : { threads };
  const update = await openSession(updateGraph(size), options);
  const divide = await openSession(divideGraph(), options);
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
    async close() {
      await update.close();
      await divide.close();
    },
  };
}

/**
 * Solves Lᵀ·X = L⁻¹C after `factorize`.
 *
 * @returns Xᵀ `[R, H]`: row r solves A·x = c_r.
 *
 * Cost: R·H²/2 multiply-adds.
 */
export function backSubstitute(matrix: Float64Array, size: number): Float64Array {
  const solutions = matrix.slice(size * size); // [R, H]
  for (let row = size - 1; row >= 0; row--) {
    const start = row * size;
    const left = matrix.subarray(start, start + row);
    const pivot = matrix[start + row]!;
    for (let r = 0; r < solutions.length; r += size) {
      const x = solutions[r + row]! / pivot;
      solutions[r + row] = x;
      for (let j = 0; j < row; j++) solutions[r + j]! -= x * left[j]!;
    }
  }
  return solutions;
}

// rows [M, H], block [M, W] → block − rows[:, :start] · rows[:W, :start]ᵀ
function updateGraph(size: number): Graph {
  const graph = new Graph();
  const rows = graph.input("rows", "f64", ["M", size]);
  const block = graph.input("block", "f64", ["M", "W"]);
  const start = graph.input("start", "i64", [1]);
  const width = graph.input("width", "i64", [1]);
  const integer = (value: number) => graph.constant([value], [1], "i64");
  const left = graph.node(
    "Slice",
    [rows, integer(0), start, integer(1)],
    [{ dtype: "f64", shape: ["M", "S"] }],
  )[0]!;
  const top = graph.node(
    "Slice",
    [left, integer(0), width, integer(0)],
    [{ dtype: "f64", shape: ["W", "S"] }],
  )[0]!;
  const updated = graph.node("Gemm", [left, top, block], [{ dtype: "f64", shape: ["M", "W"] }], {
    alpha: float(-1),
    transB: 1,
  });
  graph.output("column", updated[0]!);
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
  const block = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const from = (start + row) * size + start;
    const end = Math.min(width, row + 1); // what lies above the diagonal stays 0
    for (let j = 0; j < end; j++) block[row * width + j] = matrix[from + j]!;
    if (row < width) block[row * width + row]! += shift;
  }
  if (start === 0) return block;
  const column = new Float64Array(rows * width);
  await update.run(
    {
      rows: { data: factor.subarray(start * size), shape: [rows, size] },
      block: { data: block, shape: [rows, width] },
      start: { data: BigInt64Array.of(BigInt(start)), shape: [1] },
      width: { data: BigInt64Array.of(BigInt(width)), shape: [1] },
    },
    { column: { data: column, shape: [rows, width] } },
  );
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

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
   * Factorizes in place.
   *
   * @param matrix `[H + R, H]`, row-major: the lower triangle of A, then Cᵀ. Afterwards L, then (L⁻¹C)ᵀ; the upper
   *   triangle is neither read nor written.
   * @returns False where A is not positive definite to working precision; the matrix is then half done.
   */
  factorize(matrix: Float64Array): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Opens a Cholesky factorization for matrices of one size.
 *
 * Left-looking: each block column is brought up to date by one matrix product with everything to its left.
 * Cost: H³/6 multiply-adds plus R·H²/2. Memory: H·B doubles beside the matrix, and H² while the last products run.
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
    async factorize(matrix) {
      if (matrix.length < size * size || matrix.length % size !== 0) {
        throw new TypeError(`factorize: matrix must be [${size} + R, ${size}], got ${matrix.length} values`);
      }
      for (let start = 0; start < size; start += BLOCK) {
        const column = await updatedColumn(update, matrix, size, start);
        const width = Math.min(BLOCK, size - start);
        if (!factorizeBlock(column, width)) return false;
        if (column.length > width * width) await divideBelow(divide, column, width);
        storeColumn(matrix, size, start, column, width);
      }
      return true;
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

// rows [M, H] → rows[:, start : start+B] − rows[:, :start] · rows[:B, :start]ᵀ
function updateGraph(size: number): Graph {
  const graph = new Graph();
  const rows = graph.input("rows", "f64", ["M", size]);
  const start = graph.input("start", "i64", [1]);
  const end = graph.input("end", "i64", [1]);
  const integer = (value: number) => graph.constant([value], [1], "i64");
  const left = graph.node(
    "Slice",
    [rows, integer(0), start, integer(1)],
    [{ dtype: "f64", shape: ["M", "S"] }],
  )[0]!;
  const block = graph.node(
    "Slice",
    [rows, start, end, integer(1)],
    [{ dtype: "f64", shape: ["M", "W"] }],
  )[0]!;
  const height = graph.node("Sub", [end, start], [{ dtype: "i64", shape: [1] }])[0]!;
  const top = graph.node(
    "Slice",
    [left, integer(0), height, integer(0)],
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

/** Block column at `start`, from the diagonal down `[M, width]`, less what the columns to its left take from it. */
async function updatedColumn(
  update: Session,
  matrix: Float64Array,
  size: number,
  start: number,
): Promise<Float64Array> {
  const end = Math.min(start + BLOCK, size);
  const rows = matrix.length / size - start;
  if (start > 0) {
    const { column } = await update.run({
      rows: { data: matrix.subarray(start * size), shape: [rows, size] },
      start: { data: BigInt64Array.of(BigInt(start)), shape: [1] },
      end: { data: BigInt64Array.of(BigInt(end)), shape: [1] },
    });
    return column!.data as Float64Array;
  }
  const column = new Float64Array(rows * end);
  for (let row = 0; row < rows; row++) column.set(matrix.subarray(row * size, row * size + end), row * end);
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

/** Writes a finished block column back, the lower triangle alone. */
function storeColumn(
  matrix: Float64Array,
  size: number,
  start: number,
  column: Float64Array,
  width: number,
): void {
  const rows = column.length / width;
  for (let row = 0; row < rows; row++) {
    const end = Math.min(width, row + 1);
    matrix.set(column.subarray(row * width, row * width + end), (start + row) * size + start);
  }
}

/*
 * Gram products in float64, added up over any number of rows.
 *
 *   N  rows of one call
 *   H  columns
 *   L  label columns
 *
 * XᵀX is symmetric: of its square blocks of B columns only those on and below the diagonal are computed and stored.
 */

import { Graph } from "./graph.ts";
import { cast, gemm, split } from "./operators.ts";
import { openSession } from "./session.ts";

/** Σ XᵀX and Σ XᵀY over the rows added so far. */
export interface GramSums {
  /** Number of rows. */
  rows: number;
  /** Blocks of XᵀX on and below the diagonal, row by row of blocks, each row-major. */
  readonly blocks: readonly Float64Array[];
  /** XᵀY `[H, L]`, row-major. */
  readonly products: Float64Array;
}

export interface GramProduct {
  readonly size: number;
  /** Zeros to add to, with room for L label columns. */
  createSums(labelColumns: number): GramSums;
  /**
   * Adds N rows to the sums.
   *
   * @param x `[N, H]` float32; products and sums are taken in float64.
   * @param y `[N, L]`.
   */
  add(sums: GramSums, x: Float32Array, y: Float64Array): Promise<void>;
  /** Adds XᵀX to `matrix [H, H]`, row-major: its blocks on and below the diagonal, with `mirror` all of it. */
  addTo(matrix: Float64Array, sums: GramSums, options?: { readonly mirror?: boolean }): void;
  close(): Promise<void>;
}

/**
 * Opens a Gram product for rows of one width.
 *
 * Cost per call: about 0.56 · N·H² multiply-adds in float64 for large H, plus one pass over the sums, so calls of 1,000
 * rows and more are at the speed of the matrix product. Memory: two sums.
 */
export async function openGramProduct(
  size: number,
  { threads }: { readonly threads?: number } = {},
): Promise<GramProduct> {
  const width = blockWidth(size);
  const widths = Array.from({ length: Math.ceil(size / width) }, (_, i) => Math.min(width, size - i * width));
  const places = widths.flatMap((height, i) =>
    widths
      .slice(0, i + 1)
      .map((across, j) => ({ name: `block${i},${j}`, row: i * width, column: j * width, height, across })),
  );
  const graph = new Graph();
  const x = cast(graph.input("x", "f32", ["N", size]), "f64");
  const y = graph.input("y", "f64", ["N", "L"]);
  graph.output("products", gemm(x, y, { transA: true }));
  const columns = widths.length === 1 ? [x] : split(x, widths, 1);
  for (const { name, row, column } of places) {
    graph.output(name, gemm(columns[row / width]!, columns[column / width]!, { transA: true }));
  }
  const session = await openSession(graph, threads === undefined ? {} : { threads });
  const createBlocks = () => places.map(({ height, across }) => new Float64Array(height * across));
  const scratch = createBlocks();
  const into = Object.fromEntries(
    places.map(({ name, height, across }, i) => [name, { data: scratch[i]!, shape: [height, across] }]),
  );

  return {
    size,
    createSums: (labelColumns) => ({
      rows: 0,
      blocks: createBlocks(),
      products: new Float64Array(size * labelColumns),
    }),
    async add(sums, x, y) {
      const rows = x.length / size;
      const labels = sums.products.length / size;
      if (!Number.isInteger(rows) || y.length !== rows * labels) {
        throw new TypeError(
          `add: expected x [N, ${size}] and y [N, ${labels}], got ${x.length} and ${y.length} values`,
        );
      }
      if (rows === 0) return;
      const feeds = { x: { data: x, shape: [rows, size] }, y: { data: y, shape: [rows, labels] } };
      const { products } = await session.run(feeds, into);
      addElements(sums.products, products!.data as Float64Array);
      for (const [i, block] of sums.blocks.entries()) addElements(block, scratch[i]!);
      sums.rows += rows;
    },
    addTo(matrix, sums, { mirror = false } = {}) {
      if (matrix.length < size * size) {
        throw new TypeError(`addTo: matrix must be [${size}, ${size}], got ${matrix.length} values`);
      }
      for (const [i, place] of places.entries()) {
        addBlock(matrix, size, sums.blocks[i]!, place);
        if (mirror && place.row !== place.column) addTransposedBlock(matrix, size, sums.blocks[i]!, place);
      }
    },
    close: () => session.close(),
  };
}

interface Place {
  readonly row: number;
  readonly column: number;
  readonly height: number;
  readonly across: number;
}

/** Eight rows of blocks waste a sixteenth of a large matrix above the diagonal. */
function blockWidth(size: number): number {
  return size <= 256 ? size : Math.ceil(size / 8 / 64) * 64;
}

function addElements(sums: Float64Array, values: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += values[i]!;
}

function addBlock(matrix: Float64Array, size: number, block: Float64Array, place: Place): void {
  const { row, column, height, across } = place;
  for (let i = 0; i < height; i++) {
    const start = (row + i) * size + column;
    for (let j = 0; j < across; j++) matrix[start + j]! += block[i * across + j]!;
  }
}

function addTransposedBlock(matrix: Float64Array, size: number, block: Float64Array, place: Place): void {
  const { row, column, height, across } = place;
  for (let j = 0; j < across; j++) {
    const start = (column + j) * size + row;
    for (let i = 0; i < height; i++) matrix[start + i]! += block[i * across + j]!;
  }
}

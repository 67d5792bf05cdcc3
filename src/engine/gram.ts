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
import { cast, gemm, mul, split } from "./operators.ts";
import { openSession, type Session } from "./session.ts";

/** Σ XᵀDX and Σ XᵀDY over the rows added so far, D the diagonal of their weights. */
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
  /** Size of such sums in bytes. */
  sumBytes(labelColumns: number): number;
  /** Zeros to add to, with room for L label columns. */
  createSums(labelColumns: number): GramSums;
  /** Adds what another Gram product of the same size has summed up. */
  merge(sums: GramSums, other: GramSums): void;
  /**
   * Adds N rows to the sums.
   *
   * @param x `[N, H]` float32; products and sums are taken in float64.
   * @param y `[N, L]`.
   * @param weights `[N]`: row n counts as often. Default: once.
   */
  add(sums: GramSums, x: Float32Array, y: Float64Array, weights?: Float64Array): Promise<void>;
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
  const options = threads === undefined ? {} : { threads };
  const plain = await openSession(gramGraph(size, widths, places, false), options);
  let weighted: Session | null = null; // opened where weights are given
  const createBlocks = () => places.map(({ height, across }) => new Float64Array(height * across));
  const scratch = createBlocks();
  const into = Object.fromEntries(
    places.map(({ name, height, across }, i) => [name, { data: scratch[i]!, shape: [height, across] }]),
  );

  return {
    size,
    sumBytes: (labelColumns) =>
      8 * (scratch.reduce((count, block) => count + block.length, 0) + size * labelColumns),
    createSums: (labelColumns) => ({
      rows: 0,
      blocks: createBlocks(),
      products: new Float64Array(size * labelColumns),
    }),
    async add(sums, x, y, weights) {
      const rows = x.length / size;
      const labels = sums.products.length / size;
      if (
        !Number.isInteger(rows) ||
        y.length !== rows * labels ||
        (weights !== undefined && weights.length !== rows)
      ) {
        throw new TypeError(
          `add: expected x [N, ${size}] and y [N, ${labels}], got ${x.length} and ${y.length} values`,
        );
      }
      if (rows === 0) return;
      const feeds = { x: { data: x, shape: [rows, size] }, y: { data: y, shape: [rows, labels] } };
      if (weights) weighted ??= await openSession(gramGraph(size, widths, places, true), options);
      const { products } = await (weights
        ? weighted!.run({ ...feeds, weights: { data: weights, shape: [rows, 1] } }, into)
        : plain.run(feeds, into));
      addElements(sums.products, products!.data as Float64Array);
      for (const [i, block] of sums.blocks.entries()) addElements(block, scratch[i]!);
      sums.rows += rows;
    },
    merge(sums, other) {
      addElements(sums.products, other.products);
      for (const [i, block] of sums.blocks.entries()) addElements(block, other.blocks[i]!);
      sums.rows += other.rows;
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
    async close() {
      await plain.close();
      await weighted?.close();
    },
  };
}

function gramGraph(
  size: number,
  widths: readonly number[],
  places: readonly Place[],
  weighted: boolean,
): Graph {
  const graph = new Graph();
  const x = cast(graph.input("x", "f32", ["N", size]), "f64");
  const y = graph.input("y", "f64", ["N", "L"]);
  const counted = weighted ? mul(x, graph.input("weights", "f64", ["N", 1])) : x;
  graph.output("products", gemm(counted, y, { transA: true }));
  const columnsOf = (value: typeof x) => (widths.length === 1 ? [value] : split(value, widths, 1));
  const right = columnsOf(x);
  const left = weighted ? columnsOf(counted) : right;
  const width = widths[0]!;
  for (const { name, row, column } of places) {
    graph.output(name, gemm(left[row / width]!, right[column / width]!, { transA: true }));
  }
  return graph;
}

interface Place {
  readonly name: string;
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

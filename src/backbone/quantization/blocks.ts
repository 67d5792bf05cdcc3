// Matrices as blocks of small integers: along each row, `blockSize` values share one scale.
//
// N rows (outputs), K columns (inputs), B blocks per row = ⌈K / blockSize⌉.

/** How a matrix is stored: value = scale of its block · (integer − 2^(bits − 1)). */
export interface BlockScheme {
  readonly bits: 8 | 4;
  /** A power of two, at least 16. */
  readonly blockSize: number;
}

/** By the name of the arithmetic. Sizes: docs/experiments.md, error against speed. */
export const BLOCK_SCHEMES = {
  int8: { bits: 8, blockSize: 128 },
  int4: { bits: 4, blockSize: 32 },
} as const satisfies Record<string, BlockScheme>;

export type QuantizedDtype = keyof typeof BLOCK_SCHEMES;

/** B, blocks in a row of `columns` values; the last may be shorter and is filled up with zeros. */
export const blocksPerRow = (columns: number, { blockSize }: BlockScheme): number =>
  Math.ceil(columns / blockSize);

/** Bytes of one block's integers. */
export const blockBytes = ({ bits, blockSize }: BlockScheme): number => (blockSize * bits) / 8;

/**
 * Quantizes rows of a matrix, symmetrically around zero.
 *
 * Per block: int8 maps the largest magnitude to ±127. int4 has an odd range, −8 … 7, and maps the value of largest
 * magnitude to −8, sign included, which leaves a smaller mean error than ±7.
 *
 * @param values `[N, K]` row-major, finite.
 * @param weights Receives `[N, B, blockBytes]`; int4 holds two values a byte, the first in the low half.
 * @param scales Receives `[N, B]`.
 * @throws {RangeError} For NaN or infinity: no scale could hold them.
 *
 * Cost: two passes over the values. Layout: the `MatMulNBits` operator of ONNX Runtime.
 */
export function quantizeRows(
  values: Float32Array,
  columns: number,
  scheme: BlockScheme,
  weights: Uint8Array,
  scales: Float32Array,
): void {
  const { bits, blockSize } = scheme;
  const B = blocksPerRow(columns, scheme);
  const bytes = blockBytes(scheme);
  const rows = values.length / columns;
  for (let n = 0; n < rows; n++) {
    for (let b = 0; b < B; b++) {
      const start = n * columns + b * blockSize;
      const length = Math.min(blockSize, columns - b * blockSize);
      const scale = blockScale(values, start, length, bits);
      const inverse = 1 / scale;
      scales[n * B + b] = scale;
      const at = (n * B + b) * bytes;
      // The shifted values are positive, so cutting off the fraction rounds to nearest.
      if (bits === 8) {
        for (let i = 0; i < length; i++) weights[at + i] = values[start + i]! * inverse + 128.5;
        weights.fill(128, at + length, at + blockSize);
      } else {
        for (let i = 0; i < blockSize; i += 2) {
          const low = i < length ? Math.min(15, (values[start + i]! * inverse + 8.5) | 0) : 8;
          const high = i + 1 < length ? Math.min(15, (values[start + i + 1]! * inverse + 8.5) | 0) : 8;
          weights[at + i / 2] = low | (high << 4);
        }
      }
    }
  }
}

/** The scale of one block, in f32 as it will be used; 1 for a block of zeros. */
function blockScale(values: Float32Array, start: number, length: number, bits: 8 | 4): number {
  let low = 0;
  let high = 0;
  let poison = 0; // 0 · x is NaN for infinity and NaN
  for (let i = start; i < start + length; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
    poison += 0 * value;
  }
  if (poison !== 0) throw new RangeError("quantizeRows: values must be finite, got NaN or infinity");
  const largest = Math.max(high, -low);
  return Math.fround(bits === 8 ? largest / 127 : (high > -low ? high : low) / -8) || 1;
}

/** The values that quantized rows stand for, `[N, K]`. */
export function dequantizeRows(
  weights: Uint8Array,
  scales: Float32Array,
  columns: number,
  scheme: BlockScheme,
): Float32Array {
  const { bits, blockSize } = scheme;
  const B = blocksPerRow(columns, scheme);
  const zero = bits === 8 ? 128 : 8;
  const bytes = blockBytes(scheme);
  const rows = scales.length / B;
  const values = new Float32Array(rows * columns);
  for (let n = 0; n < rows; n++) {
    for (let k = 0; k < columns; k++) {
      const block = n * B + Math.floor(k / blockSize);
      const i = k % blockSize;
      const byte = weights[block * bytes + (bits === 8 ? i : i >> 1)]!;
      const integer = bits === 8 ? byte : i % 2 === 0 ? byte & 15 : byte >> 4;
      values[n * columns + k] = scales[block]! * (integer - zero);
    }
  }
  return values;
}

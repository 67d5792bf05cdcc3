/**
 * Pearson's correlation.
 *
 * @param a Values `[N]`.
 * @param b Values `[N]`.
 * @returns A number in [−1, 1]; NaN where a side does not vary, or holds a value that is not finite.
 * @throws {TypeError} where the lengths differ.
 *
 * Cost: two passes. Means are taken first, so that an offset common to all values costs no digits.
 *
 * @example
 * pearson([1, 2, 3], [2, 4, 6]); // 1
 */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) {
    throw new TypeError(`pearson: both sides must have one length, got ${a.length} and ${b.length}`);
  }
  const [x, y] = [centre(a), centre(b)];
  const correlation = dot(x, y) / Math.sqrt(dot(x, x)) / Math.sqrt(dot(y, y));
  return Math.min(1, Math.max(-1, correlation)); // rounding may pass 1 by a last bit; NaN stays NaN
}

/** Values less their mean; all zero where they are equal. */
export function centre(values: ArrayLike<number>): Float64Array {
  const first = values[0] ?? 0;
  let sum = 0;
  for (let n = 0; n < values.length; n++) sum += values[n]! - first;
  const mean = first + sum / values.length;
  const varies = sum !== 0 || Array.prototype.some.call(values, (value: number) => value !== first);
  return Float64Array.from({ length: values.length }, (_, n) => (varies ? values[n]! - mean : 0));
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

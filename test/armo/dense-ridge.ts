// An exact solution to compare with: normal equations by elimination with pivoting, in plain double precision.

/** Solves A·x = b, A `[n, n]` row-major. */
function solveDense(matrix: Float64Array, right: Float64Array): Float64Array {
  const n = right.length;
  const a = Array.from({ length: n }, (_, i) => [...matrix.subarray(i * n, (i + 1) * n), right[i]!]);
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let i = column; i < n; i++) if (Math.abs(a[i]![column]!) > Math.abs(a[pivot]![column]!)) pivot = i;
    [a[column], a[pivot]] = [a[pivot]!, a[column]!];
    for (let i = column + 1; i < n; i++) {
      const factor = a[i]![column]! / a[column]![column]!;
      for (let j = column; j <= n; j++) a[i]![j]! -= factor * a[column]![j]!;
    }
  }
  const x = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    let rest = a[i]![n]!;
    for (let j = i + 1; j < n; j++) rest -= a[i]![j]! * x[j]!;
    x[i] = rest / a[i]![i]!;
  }
  return x;
}

/** Weighted ridge regression with a column of ones beside the embeddings, which alone carries no penalty. */
export function denseRidgeWithIntercept(
  rows: readonly { readonly x: ArrayLike<number>; readonly y: number; readonly weight: number }[],
  alpha: number,
): { weights: Float64Array; intercept: number } {
  const H = rows[0]!.x.length;
  const n = H + 1;
  const matrix = new Float64Array(n * n);
  const right = new Float64Array(n);
  for (const { x, y, weight } of rows) {
    const augmented = [...Array.from(x), 1];
    for (let i = 0; i < n; i++) {
      right[i]! += weight * augmented[i]! * y;
      for (let j = 0; j < n; j++) matrix[i * n + j]! += weight * augmented[i]! * augmented[j]!;
    }
  }
  for (let i = 0; i < H; i++) matrix[i * n + i]! += alpha;
  const solution = solveDense(matrix, right);
  return { weights: solution.subarray(0, H), intercept: solution[H]! };
}

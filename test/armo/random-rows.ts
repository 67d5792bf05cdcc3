import { createRandom } from "../../src/random.ts";

/** Rows whose labels follow their embeddings, on an offset, with noise: embeddings `[n, H]`, labels `[n, K]`. */
export function randomRows(n: number, H: number, K: number, seed = 1) {
  const random = createRandom(seed);
  const noise = () => 2 * random.uniform() - 1;
  const truth = Float64Array.from({ length: K * H }, noise);
  const embeddings = Float32Array.from({ length: n * H }, (_, i) => noise() + ((i % H) % 3) * 0.3);
  const labels = new Float32Array(n * K);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < K; k++) {
      let y = 0.7 + 0.3 * noise();
      for (let j = 0; j < H; j++) y += truth[k * H + j]! * embeddings[i * H + j]!;
      labels[i * K + k] = y;
    }
  }
  return { embeddings, labels };
}

/** Leaves out labels: objective k is rated on rows of the patterns that name it. */
export function withPatterns(
  labels: Float32Array,
  K: number,
  patterns: readonly (readonly number[])[],
): Float32Array {
  return labels.map((value, i) =>
    patterns[Math.floor(i / K) % patterns.length]!.includes(i % K) ? value : Number.NaN,
  );
}

/** Largest difference relative to the largest expected value. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    if (Number.isNaN(actual[i]) !== Number.isNaN(expected[i])) return Number.POSITIVE_INFINITY;
    if (Number.isNaN(expected[i])) continue;
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
    size = Math.max(size, Math.abs(expected[i]!));
  }
  return size === 0 ? difference : difference / size;
}

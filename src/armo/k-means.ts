/*
 * k-means over typed arrays.
 *
 *   N  rows      H  width of a row      C  clusters
 */

import { createRandom, type Random } from "../random.ts";

export interface KMeansOptions {
  /** C, at most; fewer where there are fewer distinct rows. ≥ 1. */
  readonly clusters: number;
  /** Decides the first centres. */
  readonly seed: number;
  /** Starts, of which the best is kept. Default 5. */
  readonly starts?: number;
  /** Rounds of one start, at most. Default 100. */
  readonly rounds?: number;
}

export interface KMeans {
  /** `[C, H]`, one array each. */
  readonly centres: readonly Float64Array[];
  /** Σ of squared distances of rows from their centres. */
  readonly inertia: number;
}

/**
 * Centres that lie as near as possible to the rows.
 *
 * Minimises Σ_n min_c ‖x_n − μ_c‖² by Lloyd's rounds, from centres that are drawn with probability proportional to the squared
 * distance from those drawn before (k-means++, Arthur and Vassilvitskii 2007). Of several starts the one with the least sum is kept.
 * A cluster that loses all its rows takes the row that lies farthest from its centre.
 *
 * @param rows `[N, H]`, N ≥ 1. @throws {RangeError} `fitKMeans: clusters must be a whole number ≥ 1, got 0`
 *
 * Cost: N·C·H multiply-adds per round. Equal rows and seed give equal centres. Differs from ml-kmeans, skmeans: flat arrays, no dependencies.
 */
export function fitKMeans(rows: Float32Array, width: number, options: KMeansOptions): KMeans {
  const { clusters, seed, starts = 5, rounds = 100 } = options;
  if (!(Number.isInteger(clusters) && clusters >= 1)) {
    throw new RangeError(`fitKMeans: clusters must be a whole number ≥ 1, got ${clusters}`);
  }
  if (!(rows.length >= width && rows.length % width === 0)) {
    throw new TypeError(`fitKMeans: rows must be [N, ${width}], N ≥ 1, got ${rows.length} numbers`);
  }
  const random = createRandom(seed, "k-means");
  let best: KMeans | undefined;
  for (let start = 0; start < starts; start++) {
    const centres = drawCentres(rows, width, clusters, random);
    const inertia = settle(rows, width, centres, rounds);
    if (!best || inertia < best.inertia) best = { centres, inertia };
  }
  return best!;
}

/** The centre nearest to row `n`, of equally near ones the first. */
export function nearestCentre(
  rows: Float32Array,
  n: number,
  centres: readonly Float64Array[],
): { readonly cluster: number; readonly distance: number } {
  let [cluster, squares] = [0, Number.POSITIVE_INFINITY];
  for (const [c, centre] of centres.entries()) {
    const d = squaredDistance(rows, n, centre);
    if (d < squares) [cluster, squares] = [c, d];
  }
  return { cluster, distance: Math.sqrt(squares) };
}

/** ‖x_n − μ‖² */
function squaredDistance(rows: Float32Array, n: number, centre: Float64Array): number {
  const from = n * centre.length;
  let sum = 0;
  for (let h = 0; h < centre.length; h++) {
    const difference = rows[from + h]! - centre[h]!;
    sum += difference * difference;
  }
  return sum;
}

function drawCentres(rows: Float32Array, H: number, clusters: number, random: Random): Float64Array[] {
  const N = rows.length / H;
  const row = (n: number) => Float64Array.from(rows.subarray(n * H, (n + 1) * H));
  const centres = [row(random.integer(0, N - 1))];
  const nearest = new Float64Array(N).fill(Number.POSITIVE_INFINITY);
  while (centres.length < clusters) {
    let total = 0;
    for (let n = 0; n < N; n++) {
      nearest[n] = Math.min(nearest[n]!, squaredDistance(rows, n, centres.at(-1)!));
      total += nearest[n]!;
    }
    if (total === 0) break; // No row differs from all centres.
    let left = random.uniform() * total;
    let drawn = nearest.findLastIndex((distance) => distance > 0);
    for (let n = 0; n < drawn; n++) {
      left -= nearest[n]!;
      if (left < 0) drawn = n;
    }
    centres.push(row(drawn));
  }
  return centres;
}

/** Lloyd's rounds, until no row changes its cluster. Moves the centres. @returns The inertia. */
function settle(rows: Float32Array, H: number, centres: Float64Array[], rounds: number): number {
  const N = rows.length / H;
  const clusters = new Int32Array(N).fill(-1);
  const distances = new Float64Array(N);
  const assign = (): boolean => {
    let moved = false;
    for (let n = 0; n < N; n++) {
      const { cluster, distance } = nearestCentre(rows, n, centres);
      if (cluster !== clusters[n]) moved = true;
      clusters[n] = cluster;
      distances[n] = distance;
    }
    return moved;
  };
  for (let round = 0; assign() && round < rounds; round++) moveCentres(rows, H, centres, clusters, distances);
  return distances.reduce((sum, distance) => sum + distance ** 2, 0);
}

function moveCentres(
  rows: Float32Array,
  H: number,
  centres: Float64Array[],
  clusters: Int32Array,
  distances: Float64Array,
): void {
  const sizes = new Uint32Array(centres.length);
  for (const cluster of clusters) sizes[cluster]!++;
  for (const [c, size] of sizes.entries()) {
    if (size > 0) continue;
    let farthest = -1; // Of the clusters that have a row to spare.
    for (const [n, distance] of distances.entries()) {
      if (sizes[clusters[n]!]! > 1 && !(distance <= (distances[farthest] ?? -1))) farthest = n;
    }
    sizes[clusters[farthest]!]!--;
    sizes[c] = 1;
    clusters[farthest] = c;
    distances[farthest] = 0;
  }
  for (const centre of centres) centre.fill(0);
  for (const [n, cluster] of clusters.entries()) {
    const centre = centres[cluster]!;
    for (let h = 0; h < H; h++) centre[h]! += rows[n * H + h]!;
  }
  for (const [c, centre] of centres.entries()) for (let h = 0; h < H; h++) centre[h]! /= sizes[c]!;
}

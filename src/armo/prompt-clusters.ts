// Kinds of prompts that nobody has named: clusters of prompt embeddings, and how the gate mixes objectives for each.
// V pairs, K objectives, H hidden size.

import { createRandom } from "../random.ts";
import type { ByObjective } from "../reward-model.ts";
import { entropyOf, meanOfRows } from "./gate-entropy.ts";
import type { PromptSource } from "./gating-batches.ts";
import { fitKMeans, nearestCentre } from "./k-means.ts";

/** Where to look a prompt up. */
export interface PromptName {
  /** The name of the embedding set's folder, and the number of the row in its data. */
  readonly set: string;
  readonly row: number;
  readonly id: string | number | null;
  readonly source: string;
  readonly promptHash: string;
}

/** Prompts that lie near each other. */
export interface PromptCluster {
  /** Pairs, and how many different prompts they have. */
  readonly n: number;
  readonly prompts: number;
  /** Mean gating output by objective. */
  readonly gatingOutput: ByObjective;
  /** Mean entropy of the gate's softmax over ln K, as for all pairs together. */
  readonly entropy: number;
  /** The three most frequent subsets, or sources where there is no subset, with their shares of the cluster's pairs. */
  readonly sources: readonly { readonly name: string; readonly share: number }[];
  /** Root mean squared distance of prompts from the centre; unit vectors are at most 2 apart. */
  readonly radius: number;
  /** The prompts nearest to the centre, at most five, nearest first. */
  readonly nearest: readonly PromptName[];
}

export interface PromptClusters {
  /** 1 − Σ squared distances from centres / Σ squared distances from the mean: 0, no clusters; 1, all prompts of one are equal. */
  readonly explained: number;
  /** Largest first. */
  readonly clusters: readonly PromptCluster[];
}

export interface ClusterOptions {
  /** Clusters, at most. Default 8. */
  readonly clusters?: number;
  /** Different prompts that centres are fitted to; the others join the nearest. Default 2,048. */
  readonly sample?: number;
  /** Decides sample and first centres. */
  readonly seed: number;
}

/** The cluster of every pair, and what it is made of. */
export interface ClusterAssignment {
  readonly centres: readonly Float64Array[];
  /** Takes prompt embeddings `[n, H]` in the order of the pairs; scales them to unit length in place. */
  add(prompts: Float32Array): void;
  /** `[V]` */
  readonly clusterOf: Int32Array;
  /** `[V]` distance from the centre. */
  readonly distances: Float64Array;
  explained(): number;
}

/**
 * Fits centres to prompt embeddings of unit length, and then takes all of them in chunks.
 *
 * @param named Row numbers of the V pairs, at least one. @param keyOf Equal for equal prompts, of which one is drawn.
 * Memory: `sample` · H floats. Cost: `sample` · clusters · H multiply-adds per round, V · clusters · H at last.
 */
export async function openClusters(
  prompts: PromptSource,
  named: readonly number[],
  keyOf: (row: number) => bigint,
  hiddenSize: number,
  { clusters = 8, sample = 2048, seed }: ClusterOptions,
): Promise<ClusterAssignment> {
  const H = hiddenSize;
  const different = new Map(named.map((row) => [keyOf(row), row]));
  const drawn = createRandom(seed, "prompts")
    .shuffled([...different.values()])
    .slice(0, sample);
  const rows = new Float32Array(drawn.length * H);
  await prompts.gather(drawn, rows);
  scaleToUnit(rows, H);
  const { centres } = fitKMeans(rows, H, { clusters, seed });

  const clusterOf = new Int32Array(named.length);
  const distances = new Float64Array(named.length);
  const sums = new Float64Array(H);
  let [at, within, squares] = [0, 0, 0];
  return {
    centres,
    clusterOf,
    distances,
    add(chunk) {
      scaleToUnit(chunk, H);
      for (let n = 0; n < chunk.length / H; n++, at++) {
        const { cluster, distance } = nearestCentre(chunk, n, centres);
        clusterOf[at] = cluster;
        distances[at] = distance;
        within += distance ** 2;
        for (let h = 0; h < H; h++) {
          const value = chunk[n * H + h]!;
          sums[h]! += value;
          squares += value * value;
        }
      }
    },
    explained() {
      const total = squares - sums.reduce((sum, value) => sum + value * value, 0) / named.length;
      return total > 0 ? 1 - within / total : Number.NaN;
    },
  };
}

/** Rows of zeros stay as they are. */
function scaleToUnit(rows: Float32Array, H: number): void {
  for (let from = 0; from < rows.length; from += H) {
    let squares = 0;
    for (let h = 0; h < H; h++) squares += rows[from + h]! ** 2;
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let h = 0; h < H; h++) rows[from + h]! *= scale;
  }
}

export interface ClusteredPairs {
  /** Of the K objectives. */
  readonly names: readonly string[];
  readonly assignment: ClusterAssignment;
  /** The gate's softmax `[V, K]`, and what the gating output is of it. */
  readonly weights: Float32Array;
  readonly logitScale: number;
  /** Row numbers of the V pairs. */
  readonly named: readonly number[];
  readonly keyOf: (row: number) => bigint;
  readonly groupOf: (row: number) => string;
  readonly lookUp: (rows: readonly number[]) => Promise<ReadonlyMap<number, PromptName>>;
}

const NEAREST = 5;
const SOURCES = 3;

/** @returns The clusters, and the mean weights `[K]` of each. */
export async function describeClusters(
  pairs: ClusteredPairs,
): Promise<{ readonly clusters: PromptClusters; readonly meanWeights: readonly Float64Array[] }> {
  const { assignment, named } = pairs;
  const members = assignment.centres.map((): number[] => []);
  for (const [i, cluster] of assignment.clusterOf.entries()) members[cluster]!.push(i);
  const filled = members
    .filter((places) => places.length > 0)
    .sort((a, b) => b.length - a.length || a[0]! - b[0]!);
  const nearest = filled.map((places) => nearestPrompts(places, pairs));
  const known = await pairs.lookUp(nearest.flat().map((place) => named[place]!));
  const meanWeights = filled.map((places) => meanWeightsOf(places, pairs));
  return {
    meanWeights,
    clusters: {
      explained: assignment.explained(),
      clusters: filled.map((places, c) => ({
        ...figuresOf(places, pairs),
        gatingOutput: Object.fromEntries(
          pairs.names.map((name, k) => [name, meanWeights[c]![k]! * pairs.logitScale]),
        ),
        nearest: nearest[c]!.map((place) => known.get(named[place]!)!),
      })),
    },
  };
}

/** Places of the pairs nearest to the centre, one per prompt; of equally near ones the first. */
function nearestPrompts(places: readonly number[], { assignment, named, keyOf }: ClusteredPairs): number[] {
  const { distances } = assignment;
  const sorted = [...places].sort((a, b) => distances[a]! - distances[b]! || a - b);
  const seen = new Set<bigint>();
  const nearest: number[] = [];
  for (const place of sorted) {
    const key = keyOf(named[place]!);
    if (!seen.has(key)) nearest.push(place);
    seen.add(key);
    if (nearest.length === NEAREST) break;
  }
  return nearest;
}

function meanWeightsOf(places: readonly number[], { weights, names }: ClusteredPairs): Float64Array {
  const K = names.length;
  return meanOfRows(
    places.flatMap((place) => Array.from(weights.subarray(place * K, (place + 1) * K))),
    K,
  );
}

function figuresOf(
  places: readonly number[],
  { assignment, weights, names, named, keyOf, groupOf }: ClusteredPairs,
): Omit<PromptCluster, "gatingOutput" | "nearest"> {
  const [n, K] = [places.length, names.length];
  let [entropy, squares] = [0, 0];
  const counts = new Map<string, number>();
  for (const place of places) {
    entropy += entropyOf(weights, place * K, K);
    squares += assignment.distances[place]! ** 2;
    const group = groupOf(named[place]!);
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const sources = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, SOURCES);
  return {
    n,
    prompts: new Set(places.map((place) => keyOf(named[place]!))).size,
    entropy: entropy / n / Math.log(K),
    sources: sources.map(([name, count]) => ({ name, share: count / n })),
    radius: Math.sqrt(squares / n),
  };
}

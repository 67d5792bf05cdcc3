// What an embedding set holds, beyond its manifest: from rows, labels and lengths, without reading the embeddings.

import type { EmbeddingSet } from "./embedding-set.ts";
import type { Rejection } from "./manifest.ts";

/** How values lie between the least and the greatest. */
export interface Distribution {
  readonly count: number;
  readonly minimum: number;
  readonly mean: number;
  readonly median: number;
  readonly maximum: number;
  /** Counts in ten equal bins from the least to the greatest value. */
  readonly histogram: readonly number[];
}

export interface EmbeddingSetDescription {
  readonly rows: number;
  /** By reason's kind, with the first few. */
  readonly rejections: Readonly<
    Record<Rejection["kind"], { readonly count: number; readonly examples: readonly Rejection[] }>
  >;
  /** Rows by source, and by subset where rows name one. */
  readonly sources: Readonly<Record<string, number>>;
  readonly subsets: Readonly<Record<string, number>>;
  /** Of ratings: each objective's, on the source's scale. Empty for other kinds. */
  readonly objectives: Readonly<Record<string, Distribution>>;
  /** Tokens of responses: `response`, or `chosen` and `rejected`. Empty where they are not known. */
  readonly responseTokens: Readonly<Record<string, Distribution>>;
  readonly prompts: {
    /** By hash. */
    readonly distinct: number;
    /** Rows whose prompt an earlier row has. */
    readonly repeated: number;
    /** Rows of the prompt that has most. */
    readonly mostRows: number;
  };
  /** What the set shares with each of `against`. */
  readonly overlaps: readonly SetOverlap[];
}

/** Prompts to compare with, and what to call them. */
export interface NamedPrompts {
  readonly name: string;
  readonly hashes: ReadonlySet<string>;
}

export interface SetOverlap {
  readonly against: string;
  /** Distinct prompts that both hold, and the set's rows with them. */
  readonly prompts: number;
  readonly rows: number;
}

const EXAMPLES = 3;

/**
 * Describes a complete set.
 *
 * @param against Benchmarks, say, whose prompts the set should not hold.
 *
 * Cost: one pass over labels, lengths and row infos; 8 bytes per rating and length, one hash per prompt.
 */
export async function describeEmbeddingSet(
  set: EmbeddingSet,
  against: readonly NamedPrompts[] = [],
): Promise<EmbeddingSetDescription> {
  const { kind, objectives: names } = set.manifest;
  const [sources, subsets] = [new Map<string, number>(), new Map<string, number>()];
  const rowsOfPrompt = new Map<string, number>();
  const ratings = names.map((): number[] => []);
  const sides = kind === "pairs" ? ["chosen", "rejected"] : ["response"];
  const lengths = sides.map((): number[] => []);
  for await (const { rows, labels, responseTokens } of set.annotations()) {
    for (const { source, subset, promptHash } of rows) {
      count(sources, source);
      if (subset !== null) count(subsets, subset);
      count(rowsOfPrompt, promptHash);
    }
    if (kind === "ratings") {
      for (const [i, label] of (labels ?? new Float32Array(0)).entries()) {
        if (!Number.isNaN(label)) ratings[i % names.length]!.push(label);
      }
    }
    for (const [i, tokens] of (responseTokens ?? new Int32Array(0)).entries()) {
      lengths[i % sides.length]!.push(tokens);
    }
  }
  const distributions = (keys: readonly string[], values: readonly (readonly number[])[]) =>
    Object.fromEntries(
      keys.flatMap((key, i) => (values[i]!.length > 0 ? [[key, distributionOf(values[i]!)]] : [])),
    );
  const distinct = rowsOfPrompt.size;
  return {
    rows: set.rows,
    rejections: {
      invalid: rejectionsOf(set.manifest.rejections, "invalid"),
      "too-long": rejectionsOf(set.manifest.rejections, "too-long"),
    },
    sources: Object.fromEntries(sources),
    subsets: Object.fromEntries(subsets),
    objectives: distributions(
      names.map(({ name }) => name),
      ratings,
    ),
    responseTokens: distributions(sides, lengths),
    prompts: {
      distinct,
      repeated: set.rows - distinct,
      mostRows: [...rowsOfPrompt.values()].reduce((a, b) => Math.max(a, b), 0),
    },
    overlaps: against.map(({ name, hashes }) => {
      const shared = [...rowsOfPrompt].filter(([hash]) => hashes.has(hash));
      return {
        against: name,
        prompts: shared.length,
        rows: shared.reduce((sum, [, rows]) => sum + rows, 0),
      };
    }),
  };
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function rejectionsOf(rejections: readonly Rejection[], kind: Rejection["kind"]) {
  const some = rejections.filter((rejection) => rejection.kind === kind);
  return { count: some.length, examples: some.slice(0, EXAMPLES) };
}

const BINS = 10;

/** @param values At least one. */
function distributionOf(values: readonly number[]): Distribution {
  const sorted = Float64Array.from(values).sort();
  const [minimum, maximum] = [sorted[0]!, sorted.at(-1)!];
  const half = (sorted.length - 1) / 2;
  const histogram = Array<number>(BINS).fill(0);
  const width = (maximum - minimum) / BINS || 1;
  for (const value of sorted) histogram[Math.min(BINS - 1, Math.floor((value - minimum) / width))]!++;
  return {
    count: sorted.length,
    minimum,
    mean: sorted.reduce((sum, value) => sum + value, 0) / sorted.length,
    median: (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2,
    maximum,
    histogram,
  };
}

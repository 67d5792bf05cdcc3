// The statistics of stage 1, of a set or of the parts of one shard, in a file. N rows, K objectives, H hidden size.

import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import type { EmbeddingManifest } from "../embedding/manifest.ts";
import { prepareOutputFile } from "../embedding/output-directory.ts";
import { openStretch, type SetStretch } from "../embedding/set-stretch.ts";
import { type Shard, WHOLE } from "../embedding/shard.ts";
import { type GramProduct, openGramProduct } from "../engine/gram.ts";
import { InputError } from "../errors.ts";
import { type BlockSums, openBlockSums, type StatisticsBlock } from "./block-sums.ts";
import { collectStatistics, openPartition } from "./ridge-statistics.ts";
import { type StoredSums, writeStatistics } from "./ridge-statistics-file.ts";
import type { RowDivision } from "./row-division.ts";
import { NO_ROWS } from "./statistics-view.ts";
import { type LabelPlan, LENGTH } from "./training-labels.ts";
import { labelledRows } from "./training-regression.ts";
import { chooseRows, promptKeys, type RowUse, usedKeys } from "./training-rows.ts";
import { requireOneBackbone, requireSamePrompts } from "./training-sets.ts";

export interface CollectStatisticsOptions {
  /** Folders of embedded ratings: complete sets, or folders that hold the shard's parts. */
  readonly ratings: readonly string[];
  /** The file to write; one that is there is replaced. */
  readonly out: string;
  /** Only the parts of this shard. Default: all. */
  readonly shard?: Shard;
  /** Share of prompts on which α is to be chosen. Default 0.2. */
  readonly validationFraction?: number;
  /** Share of prompts to leave out. Default 0. */
  readonly testFraction?: number;
  /** Decides both. Default 0. */
  readonly seed?: number;
  /** Choose α by so many folds of the training prompts. Default: by the validation prompts. */
  readonly folds?: number;
  /** Sets that the model will be evaluated on: rows that share a prompt with them are left out. Default: none. */
  readonly dropOverlapsWith?: readonly EmbeddingSet[];
  /** How often each rating of a source counts, above 0, by the source's name. Default: once. */
  readonly sourceWeights?: Readonly<Record<string, number>>;
  /** Threads of the matrix products. Default: ONNX Runtime's choice. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What statistics are of: the same for all shards but for the parts. Stored in the file. */
export interface StatisticsDescription {
  readonly division: RowDivision;
  readonly sets: readonly DescribedSums[];
}

/** The sums of one set, or of some of its parts. */
export interface DescribedSums {
  /** The folder's name as it was given. */
  readonly directory: string;
  /** Of the whole set, without its parts and rejections. */
  readonly manifest: Omit<EmbeddingManifest, "parts" | "rejections" | "rowsOut">;
  readonly partCount: number;
  /** Stretches of parts, `[start, end)`, that have sums of their own; in order. */
  readonly blocks: readonly (readonly [start: number, end: number])[];
  /** Of the parts that are there. */
  readonly rows: Readonly<Record<"all" | "used" | "test" | "dropped", number>>;
  /** The shortest and the longest response, in tokens; null where lengths are not known, or there is no row. */
  readonly tokens: { readonly minimum: number; readonly maximum: number } | null;
}

/**
 * Adds up what the regression needs to know of rated conversations, and writes it to a file: H² doubles per side of the split and
 * set of objectives that are rated together, however many rows there are.
 *
 * Ratings are added as they were given: scales are a matter of training, as are penalties, intercepts, which objectives are fitted, and a
 * second fit to all rows. The split, folds, what is left out and the weights of sources are decided here, row by row, from the prompt alone.
 * So the files of all shards together say the same, to the last bit, as one file of everything: sums are taken along one tree over the parts.
 *
 * @returns What was written. @throws {InputError} what `openStretch` and `fitRidge` refuse; `unknown-source`, `bad-option`, `bad-output`, `disk-full`.
 *
 * Cost: 0.56·N·H² multiply-adds in float64. Memory: the file's sums, and those of a few blocks more.
 */
export async function collectTrainingStatistics(
  options: CollectStatisticsOptions,
): Promise<StatisticsDescription> {
  const { shard = WHOLE, dropOverlapsWith = [], threads } = options;
  const division = divisionOf(options);
  await prepareOutputFile(options.out);
  const stretches: SetStretch[] = [];
  for (const directory of options.ratings) stretches.push(await openStretch(directory, shard));
  requireRatings(stretches, dropOverlapsWith);
  requireSources(stretches, Object.keys(options.sourceWeights ?? {}));
  const evaluationKeys = await promptKeys(dropOverlapsWith);
  const total = stretches.flatMap(({ parts }) => parts).reduce((sum, { rows }) => sum + rows, 0);
  let done = 0;
  const H = stretches[0]!.manifest.backbone.hiddenSize;
  const gram = await openGramProduct(H, threads === undefined ? {} : { threads });
  try {
    const found: { readonly sums: StoredSums; readonly about: DescribedSums }[] = [];
    for (const stretch of stretches) {
      found.push(
        await collectStretch(stretch, gram, {
          ...{ options, division, evaluationKeys },
          onPart(rows) {
            done += rows;
            options.onProgress?.(done, total);
          },
        }),
      );
    }
    const description = { division, sets: found.map(({ about }) => about) };
    await writeStatistics(
      options.out,
      H,
      found.map(({ sums }) => sums),
      description,
    );
    return description;
  } finally {
    await gram.close();
  }
}

interface Collecting {
  readonly options: CollectStatisticsOptions;
  readonly division: RowDivision;
  readonly evaluationKeys: ReadonlySet<bigint>;
  readonly onPart: (rows: number) => void;
}

async function collectStretch(
  { directory, manifest, partCount, first, parts }: SetStretch,
  gram: GramProduct,
  { options, division, evaluationKeys, onPart }: Collecting,
): Promise<{ sums: StoredSums; about: DescribedSums }> {
  const plan = rawPlan(manifest);
  const sums = openBlockSums(gram, plan.objectives.length);
  const keys: bigint[] = [];
  const rows = { all: 0, used: 0, test: 0, dropped: 0 };
  let tokens: DescribedSums["tokens"] = null;
  for (const [i, set] of parts.entries()) {
    options.signal?.throwIfAborted();
    const { testFraction, seed } = division;
    const use = await chooseRows([set], { evaluationKeys, dropOverlaps: true, testFraction, seed });
    const used = usedKeys(use);
    const sides = await collectPart(set, plan, use, used, gram, division, options.signal);
    await sums.add({ start: first + i, end: first + i + 1, sides });
    for (const key of used) keys.push(key);
    rows.all += set.rows;
    rows.used += used.length;
    rows.test += use.test;
    rows.dropped += use.dropped;
    tokens = await widen(tokens, set);
    onPart(set.rows);
  }
  const { parts: _parts, rejections: _rejections, rowsOut: _rows, ...identity } = manifest;
  const blocks = await storedBlocks(sums, partCount);
  return {
    sums: { keys: BigUint64Array.from(keys), blocks },
    about: {
      directory,
      manifest: { ...identity, complete: true },
      partCount,
      blocks: blocks.map(({ start, end }) => [start, end] as const),
      rows,
      tokens,
    },
  };
}

/** As few blocks as can still be added to; one, where nothing is to come. */
export async function storedBlocks(sums: BlockSums, partCount: number): Promise<readonly StatisticsBlock[]> {
  const blocks = sums.blocks();
  if (blocks[0]?.start !== 0 || blocks.at(-1)!.end !== partCount) return blocks;
  return [(await sums.total())!];
}

async function collectPart(
  set: EmbeddingSet,
  plan: LabelPlan,
  use: RowUse,
  groups: BigUint64Array,
  gram: GramProduct,
  { validationFraction, seed, folds, sourceWeights }: RowDivision,
  signal: AbortSignal | undefined,
): Promise<StatisticsBlock["sides"]> {
  const partition = openPartition({ fraction: validationFraction, seed, groups }, folds ?? undefined);
  if (groups.length === 0) {
    const sums = plan.objectives.map(() => NO_ROWS);
    return Array.from({ length: partition.parts }, () => ({ sums, cells: [] }));
  }
  const regression = sourceWeights ? { sourceWeights } : {};
  const rows = labelledRows({ ratings: [set], plan, use, regression, signal });
  const { parts } = await collectStatistics(rows, { ...partition, gram, signal });
  return parts.map((part) => part.contents());
}

/** The objectives of a set as they were rated, and the length beside them where it is known. */
function rawPlan(manifest: EmbeddingManifest): LabelPlan {
  const names = manifest.objectives.map(({ name }) => name);
  const measured = manifest.imported === undefined;
  return {
    objectives: [...names, ...(measured ? [LENGTH] : [])].map((name) => ({
      name,
      scale: { multiply: 1, add: 0 },
    })),
    lengthColumn: measured ? names.length : null,
  };
}

async function widen(tokens: DescribedSums["tokens"], set: EmbeddingSet): Promise<DescribedSums["tokens"]> {
  let found = tokens;
  for await (const { responseTokens } of set.annotations()) {
    for (const count of responseTokens ?? []) {
      found = {
        minimum: Math.min(count, found?.minimum ?? count),
        maximum: Math.max(count, found?.maximum ?? count),
      };
    }
  }
  return found;
}

function divisionOf(options: CollectStatisticsOptions): RowDivision {
  const { validationFraction = 0.2, testFraction = 0, seed = 0, folds = null } = options;
  if (!(validationFraction > 0)) {
    throw new InputError(
      "bad-option",
      `statistics: expected a validation fraction above 0, got ${validationFraction}`,
      "keep some prompts to choose penalties: 0.2",
    );
  }
  return {
    ...{ validationFraction, testFraction, seed, folds },
    dropped: (options.dropOverlapsWith ?? []).map(({ manifest }) => manifest.run).sort(),
    sourceWeights: options.sourceWeights ?? null,
  };
}

function requireRatings(stretches: readonly SetStretch[], evaluation: readonly EmbeddingSet[]): void {
  if (stretches.length === 0) {
    throw new InputError(
      "missing-data",
      "statistics: expected at least one set of ratings, got none",
      "embed ratings first",
    );
  }
  for (const { directory, manifest } of stretches) {
    if (manifest.kind === "ratings") continue;
    throw new InputError(
      "wrong-embedding-kind",
      `${directory}: expected embedded ratings, got ${manifest.kind}`,
      "embed the data with --kind ratings",
    );
  }
  const runs = stretches.map(({ manifest }) => manifest.run);
  const twice = stretches.find(({ manifest }, i) => runs.indexOf(manifest.run) !== i);
  if (twice !== undefined) {
    throw new InputError(
      "doubled-statistics",
      `${twice.directory}: expected each set once, got one that is there already`,
      "name it once",
    );
  }
  requireOneBackbone(stretches);
  requireSamePrompts(stretches, evaluation);
}

/** Checked against what sets say of their data: a shard need not have rows of every source. */
function requireSources(stretches: readonly SetStretch[], names: readonly string[]): void {
  const known = new Set(stretches.flatMap(({ manifest }) => manifest.data.map(({ source }) => source)));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new InputError(
    "unknown-source",
    `sourceWeights: expected sources of the ratings, got ${unknown.join(", ")}`,
    `there are ${[...known].join(", ")}`,
  );
}

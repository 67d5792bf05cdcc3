// Statistics of all shards together: what training takes in the place of ratings. H hidden size, K objectives.

import type { EmbeddingManifest } from "../embedding/manifest.ts";
import { prepareOutputFile } from "../embedding/output-directory.ts";
import { describeDifferences } from "../embedding/set-differences.ts";
import { type GramProduct, openGramProduct } from "../engine/gram.ts";
import { InputError } from "../errors.ts";
import { openBlockSums, type StatisticsBlock } from "./block-sums.ts";
import { type DescribedSums, type StatisticsDescription, storedBlocks } from "./collect-statistics.ts";
import { openLabelStatistics } from "./label-statistics.ts";
import { rescaleView } from "./rescaled-view.ts";
import type { RidgeSides } from "./ridge-statistics.ts";
import {
  openStatistics,
  type StatisticsFile,
  type StoredSums,
  writeStatistics,
} from "./ridge-statistics-file.ts";
import { divisionDifferences, type RowDivision } from "./row-division.ts";
import { combineViews } from "./statistics-view.ts";
import type { LabelPlan } from "./training-labels.ts";
import { requireOneBackbone } from "./training-sets.ts";

/** A set whose statistics are complete. */
export interface SummedSet extends Omit<DescribedSums, "manifest" | "blocks"> {
  /** As the set's own, but for its parts and rejections, which statistics do not keep. */
  readonly manifest: EmbeddingManifest;
}

/** Statistics of complete sets, of which nothing is in memory. */
export interface TrainingStatistics {
  readonly paths: readonly string[];
  readonly division: RowDivision;
  /** In the order of their data's names, whatever the order of the files. */
  readonly sets: readonly SummedSet[];
  readonly hiddenSize: number;
  /** Prompt keys of the rows in the sums. */
  readKeys(): Promise<BigUint64Array>;
  /** The sides of the split, or the folds, with the objectives of the plan on its scales. */
  sum(gram: GramProduct, plan: LabelPlan, options?: SumOptions): Promise<RidgeSides>;
}

export interface SumOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((blocks: number, total: number) => void) | undefined;
}

interface Piece {
  readonly file: StatisticsFile;
  /** The set's number in the file. */
  readonly number: number;
  readonly sums: DescribedSums;
}

/** The pieces of one set, in the order of its parts. */
interface Collected {
  readonly pieces: readonly Piece[];
  readonly first: DescribedSums;
}

/**
 * Opens the statistics that shards have written, in any order, and checks that they go together.
 *
 * @throws {InputError} `not-statistics`; `different-statistics` where options, backbones or data differ, with what differs;
 *   `doubled-statistics` and `missing-statistics` where parts are there twice or not at all, with which.
 * Cost: the header of each file.
 */
export async function openTrainingStatistics(paths: readonly string[]): Promise<TrainingStatistics> {
  const { collected, ...about } = await openPieces(paths);
  const { sets, hiddenSize } = about;
  const sides = sidesOf(about.division);
  return {
    ...about,
    paths,
    async readKeys() {
      const keys: BigUint64Array[] = [];
      for (const { pieces } of collected) keys.push(await keysOf(pieces));
      return joinKeys(keys);
    },
    async sum(gram, plan, { signal, onProgress } = {}) {
      const parts: RidgeSides["parts"][number][][] = Array.from({ length: sides }, () => []);
      const total = collected.reduce((sum, { pieces }) => sum + countBlocks(pieces), 0);
      let done = 0;
      for (const [i, { pieces }] of collected.entries()) {
        const columns = columnsOf(plan, sets[i]!.manifest);
        const K = sumsWidth(sets[i]!.manifest);
        const sums = openBlockSums(gram, K);
        for await (const block of blocksOf(pieces, sides, gram)) {
          signal?.throwIfAborted();
          await sums.add(block);
          onProgress?.(++done, total);
        }
        const { sides: found } = (await sums.total())!;
        for (const [side, contents] of found.entries()) {
          const statistics = openLabelStatistics(gram, K);
          await statistics.absorb(contents);
          await statistics.finish();
          parts[side]!.push(rescaleView(statistics, columns, hiddenSize));
        }
      }
      return { hiddenSize, numObjectives: plan.objectives.length, parts: parts.map(combineViews) };
    },
  };
}

/**
 * Adds up the statistics of all shards of one or more sets, in the order of their parts, into one file: to the last bit the one
 * that `collectTrainingStatistics` writes of everything at once.
 *
 * @param paths In any order. @param out A file that is there is replaced. @throws {InputError} as `openTrainingStatistics`; `bad-output`, `disk-full`.
 * Memory: the statistics of at most 2·log2(parts) + 1 blocks of the largest set, and the total of every set.
 */
export async function mergeTrainingStatistics(
  paths: readonly string[],
  out: string,
  options: SumOptions & { readonly threads?: number } = {},
): Promise<TrainingStatistics> {
  const { signal, onProgress, threads } = options;
  await prepareOutputFile(out);
  const { collected, division, sets: summed, hiddenSize } = await openPieces(paths);
  const total = collected.reduce((sum, { pieces }) => sum + countBlocks(pieces), 0);
  let done = 0;
  const gram = await openGramProduct(hiddenSize, threads === undefined ? {} : { threads });
  try {
    const found: StoredSums[] = [];
    const sets: DescribedSums[] = [];
    for (const [i, { pieces, first }] of collected.entries()) {
      const { tokens, rows, manifest, partCount } = summed[i]!;
      const sums = openBlockSums(gram, sumsWidth(manifest));
      for await (const block of blocksOf(pieces, sidesOf(division), gram)) {
        signal?.throwIfAborted();
        await sums.add(block);
        onProgress?.(++done, total);
      }
      const blocks = await storedBlocks(sums, partCount);
      found.push({ keys: await keysOf(pieces), blocks });
      sets.push({ ...first, blocks: blocks.map(({ start, end }) => [start, end] as const), rows, tokens });
    }
    const description: StatisticsDescription = { division, sets };
    await writeStatistics(out, hiddenSize, found, description);
    return await openTrainingStatistics([out]);
  } finally {
    await gram.close();
  }
}

async function openPieces(paths: readonly string[]) {
  const files: StatisticsFile[] = [];
  for (const path of paths) files.push(await openStatistics(path));
  const [first] = files;
  if (!first) throw new TypeError("openTrainingStatistics: expected at least one file, got none");
  for (const file of files) requireSameDivision(first, file);
  const collected = collectPieces(files);
  for (const set of collected) requireEveryPart(set);
  const sets = collected.map(summedSet);
  requireOneBackbone(sets);
  const { hiddenSize } = sets[0]!.manifest.backbone;
  return { collected, sets, hiddenSize, division: descriptionOf(first).division };
}

const descriptionOf = (file: StatisticsFile): StatisticsDescription => file.about as StatisticsDescription;

const sidesOf = ({ folds }: RowDivision): number => (folds === null ? 2 : folds + 1);

/** Objectives of the set, and the length beside them where it is known. */
const sumsWidth = ({ objectives, imported }: EmbeddingManifest): number =>
  objectives.length + (imported === undefined ? 1 : 0);

function columnsOf(plan: LabelPlan, { objectives, imported }: EmbeddingManifest) {
  return plan.objectives.map(({ name, scale }, k) => {
    const rated = objectives.findIndex((objective) => objective.name === name);
    const length = imported === undefined ? objectives.length : null;
    return { column: k === plan.lengthColumn ? length : rated < 0 ? null : rated, scale: scale! };
  });
}

function requireSameDivision(first: StatisticsFile, file: StatisticsFile): void {
  const differences = divisionDifferences(descriptionOf(first).division, descriptionOf(file).division);
  if (differences === null) return;
  throw new InputError(
    "different-statistics",
    `${file.path}: expected statistics collected with the options of ${first.path}, got others: ${differences}`,
    "collect all shards with one command, but for --shard and --out",
  );
}

/** Sets by their data's names, then by what decided them; of each set the pieces in the order of its parts. */
function collectPieces(files: readonly StatisticsFile[]): Collected[] {
  const byRun = new Map<string, Piece[]>();
  for (const file of files) {
    for (const [number, sums] of descriptionOf(file).sets.entries()) {
      const { run } = sums.manifest;
      byRun.set(run, [...(byRun.get(run) ?? []), { file, number, sums }]);
    }
  }
  const sets = [...byRun.values()].map((pieces) => {
    const ordered = pieces
      .filter(({ sums }) => sums.blocks.length > 0)
      .sort((a, b) => a.sums.blocks[0]![0] - b.sums.blocks[0]![0]);
    return { pieces: ordered, first: (ordered[0] ?? pieces[0]!).sums };
  });
  const nameOf = ({ manifest }: DescribedSums) =>
    [...manifest.data.map(({ source }) => source), manifest.run].join("\n");
  sets.sort((a, b) => (nameOf(a.first) < nameOf(b.first) ? -1 : 1));
  for (const [i, one] of sets.entries()) {
    for (const other of sets.slice(i + 1)) requireOtherData(one.first, other.first);
  }
  return sets;
}

/** The same data embedded in two ways are shards that do not go together. */
function requireOtherData(one: DescribedSums, other: DescribedSums): void {
  const hashes = ({ manifest }: DescribedSums) => manifest.data.map(({ sha256 }) => sha256).join();
  if (hashes(one) !== hashes(other)) return;
  const [there, here] = [one, other].map(({ manifest }) => manifest as EmbeddingManifest);
  throw new InputError(
    "different-statistics",
    `${other.directory}: expected the embeddings that ${one.directory} is of, got others of the same data: ${describeDifferences(there!, here!)}`,
    "embed all shards with the same options, and collect their statistics again",
  );
}

function requireEveryPart({ pieces, first }: Collected): void {
  let next = 0;
  let before: Piece | null = null;
  for (const piece of pieces) {
    for (const [start, end] of piece.sums.blocks) {
      if (start < next) {
        throw new InputError(
          "doubled-statistics",
          `${piece.file.path}: expected parts of ${first.directory} from ${next + 1} on, got part ${start + 1}, which ${before!.file.path} has too`,
          "name the statistics of each shard once, all of one number of shards",
        );
      }
      if (start > next) throw missing(first, next, start);
      next = end;
      before = piece;
    }
  }
  if (next < first.partCount) throw missing(first, next, first.partCount);
}

function missing({ directory, partCount }: DescribedSums, start: number, end: number): InputError {
  const which = end - start === 1 ? `part ${end}` : `parts ${start + 1} to ${end}`;
  return new InputError(
    "missing-statistics",
    `statistics: expected all ${partCount} parts of ${directory}, got none of ${which}`,
    "name the files of all shards, or collect those that are missing: `armorm statistics collect … --shard i/n`",
  );
}

function summedSet({ pieces, first }: Collected): SummedSet {
  const { blocks: _blocks, ...about } = first;
  const sum = (name: keyof DescribedSums["rows"]) =>
    pieces.reduce((total, { sums }) => total + sums.rows[name], 0);
  const lengths = pieces.flatMap(({ sums }) => sums.tokens ?? []);
  const rows = { all: sum("all"), used: sum("used"), test: sum("test"), dropped: sum("dropped") };
  return {
    ...about,
    manifest: { ...about.manifest, rowsOut: rows.all, rejections: [], parts: [] },
    rows,
    tokens:
      lengths.length === 0
        ? null
        : {
            minimum: Math.min(...lengths.map(({ minimum }) => minimum)),
            maximum: Math.max(...lengths.map(({ maximum }) => maximum)),
          },
  };
}

const countBlocks = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, { sums }) => sum + sums.blocks.length, 0);

async function* blocksOf(
  pieces: readonly Piece[],
  sides: number,
  gram: GramProduct,
): AsyncGenerator<StatisticsBlock> {
  for (const { file, number, sums } of pieces) {
    for (const [start, end] of sums.blocks) yield await file.readBlock(number, start, end, sides, gram);
  }
}

async function keysOf(pieces: readonly Piece[]): Promise<BigUint64Array> {
  const keys: BigUint64Array[] = [];
  for (const { file, number } of pieces) keys.push(await file.readKeys(number));
  return joinKeys(keys);
}

function joinKeys(parts: readonly BigUint64Array[]): BigUint64Array {
  const keys = new BigUint64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    keys.set(part, at);
    at += part.length;
  }
  return keys;
}

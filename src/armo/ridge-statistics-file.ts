/*
 * Blocks of statistics as a safetensors file, so that shards of the data can be added up apart and summed.
 *
 *   set<s>.keys                        [n]        prompt keys of the used rows
 *   set<s>.<start>-<end>.side<p>       what follows, per set, block of parts, and side of the split or fold
 *     .sums                            [K, 6]     rows, weight, total, squares, minimum, maximum, per objective
 *     .cell<c>.objectives              [R]        the pattern
 *     .cell<c>.gram.<i>                [B²]       blocks of XᵀX; absent where the pattern is rare
 *     .cell<c>.products                [H, R + 1] XᵀY, then Σ x
 *     .cell<c>.rows                    [1]        rows in these sums
 *     .cell<c>.embeddings              [n, H]     rows that are not in sums; absent without any
 *     .cell<c>.labels                  [n, R + 1] their labels, then 1
 *     .cell<c>.weights                 [n]
 *
 *   H hidden size, K objectives of the set, R objectives of a pattern
 */

import { dirname } from "node:path";
import { readTensor, type Tensor, type TensorData, writeSafetensors } from "../checkpoint/safetensors.ts";
import { readSafetensorsHeader, type TensorRange } from "../checkpoint/safetensors-header.ts";
import { explainOutput } from "../embedding/output-directory.ts";
import type { GramProduct, GramSums } from "../engine/gram.ts";
import { InputError } from "../errors.ts";
import type { StatisticsBlock } from "./block-sums.ts";
import type { PatternCell, StatisticsContents } from "./label-statistics.ts";
import type { LabelSums } from "./statistics-view.ts";

const FORMAT = "armorm-statistics-1";

/** What a file holds of one set. */
export interface StoredSums {
  readonly keys: BigUint64Array;
  readonly blocks: readonly StatisticsBlock[];
}

/** Writes statistics; a file that was there is replaced. @param about What they are of, as JSON. @throws {InputError} `disk-full`, `bad-output`. */
export async function writeStatistics(
  path: string,
  hiddenSize: number,
  sets: readonly StoredSums[],
  about: unknown,
): Promise<void> {
  const tensors = new Map<string, Tensor>();
  for (const [s, { keys, blocks }] of sets.entries()) {
    tensors.set(`set${s}.keys`, { dtype: "U64", shape: [keys.length], data: keys });
    for (const { start, end, sides } of blocks) {
      for (const [p, side] of sides.entries()) {
        addSide(tensors, `set${s}.${start}-${end}.side${p}`, side, hiddenSize);
      }
    }
  }
  await explainOutput(dirname(path), "statistics", () =>
    writeSafetensors(path, tensors, { format: FORMAT, about: JSON.stringify(about) }),
  );
}

function addSide(tensors: Map<string, Tensor>, prefix: string, side: StatisticsContents, H: number): void {
  tensors.set(`${prefix}.sums`, f64(side.sums.flatMap(sumsToNumbers), [side.sums.length, SUM_NAMES.length]));
  for (const [c, { objectives, sums, staged }] of side.cells.entries()) {
    const name = (what: string) => `${prefix}.cell${c}.${what}`;
    const R = objectives.length;
    tensors.set(name("objectives"), f64(objectives, [R]));
    if (sums) {
      tensors.set(name("rows"), f64([sums.rows], [1]));
      tensors.set(name("products"), f64(sums.products, [H, R + 1]));
      for (const [i, block] of sums.blocks.entries()) {
        tensors.set(name(`gram.${i}`), f64(block, [block.length]));
      }
    }
    const n = staged.rows;
    if (n === 0) continue;
    const embeddings = staged.embeddings.slice(0, n * H);
    tensors.set(name("embeddings"), { dtype: "F32", shape: [n, H], data: embeddings });
    tensors.set(name("labels"), f64(staged.labels.slice(0, n * (R + 1)), [n, R + 1]));
    tensors.set(name("weights"), f64(staged.weights.slice(0, n), [n]));
  }
}

/** A file of statistics, of which nothing but the header is in memory. */
export interface StatisticsFile {
  readonly path: string;
  /** As it was written. */
  readonly about: unknown;
  readKeys(set: number): Promise<BigUint64Array>;
  readBlock(
    set: number,
    start: number,
    end: number,
    sides: number,
    gram: GramProduct,
  ): Promise<StatisticsBlock>;
}

/** @throws {InputError} `not-statistics`, or what is wrong with the file. */
export async function openStatistics(path: string): Promise<StatisticsFile> {
  const { tensors, metadata } = await readSafetensorsHeader(path);
  if (metadata.get("format") !== FORMAT) {
    throw new InputError(
      "not-statistics",
      `${path}: expected statistics of a regression (${FORMAT}), got ${metadata.get("format") ?? "another file"}`,
      "name files that `armorm statistics` has written",
    );
  }
  return {
    path,
    about: JSON.parse(metadata.get("about")!),
    readKeys: async (set) => (await readTensor(tensors.get(`set${set}.keys`)!)).data as BigUint64Array,
    async readBlock(set, start, end, sides, gram) {
      const read: StatisticsContents[] = [];
      for (let p = 0; p < sides; p++)
        read.push(await readSide(tensors, `set${set}.${start}-${end}.side${p}`, gram));
      return { start, end, sides: read };
    },
  };
}

async function readSide(
  tensors: ReadonlyMap<string, TensorRange>,
  prefix: string,
  gram: GramProduct,
): Promise<StatisticsContents> {
  const { data, shape } = await readTensor(tensors.get(`${prefix}.sums`)!);
  const [K, width] = shape as [number, number];
  const sums = Array.from({ length: K }, (_, k) =>
    numbersToSums((data as Float64Array).subarray(k * width, (k + 1) * width)),
  );
  const cells: PatternCell[] = [];
  for (let c = 0; ; c++) {
    const read = async <T extends TensorData>(what: string): Promise<T | undefined> => {
      const range = tensors.get(`${prefix}.cell${c}.${what}`);
      return range && ((await readTensor(range)).data as T);
    };
    const objectives = await read<Float64Array>("objectives");
    if (!objectives) return { sums, cells };
    const weights = (await read<Float64Array>("weights")) ?? new Float64Array(0);
    cells.push({
      objectives: [...objectives],
      sums: await readSums(read, objectives.length, gram),
      staged: {
        embeddings: (await read<Float32Array>("embeddings")) ?? new Float32Array(0),
        labels: (await read<Float64Array>("labels")) ?? new Float64Array(0),
        weights,
        rows: weights.length,
      },
    });
  }
}

async function readSums(
  read: (what: string) => Promise<Float64Array | undefined>,
  width: number,
  gram: GramProduct,
): Promise<GramSums | null> {
  const rows = await read("rows");
  if (!rows) return null;
  const sums = gram.createSums(width + 1);
  sums.rows = rows[0]!;
  sums.products.set((await read("products"))!);
  for (const [i, block] of sums.blocks.entries()) block.set((await read(`gram.${i}`))!);
  return sums;
}

const SUM_NAMES = ["rows", "weight", "total", "squares", "minimum", "maximum"] as const;

const sumsToNumbers = (sums: LabelSums): number[] => SUM_NAMES.map((name) => sums[name]);

const numbersToSums = (values: Float64Array): LabelSums =>
  Object.fromEntries(SUM_NAMES.map((name, i) => [name, values[i]!])) as Record<
    (typeof SUM_NAMES)[number],
    number
  >;

const f64 = (values: ArrayLike<number>, shape: readonly number[]): Tensor => ({
  dtype: "F64",
  shape: [...shape],
  data: values instanceof Float64Array ? values : Float64Array.from(values),
});

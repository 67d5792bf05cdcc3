/*
 * Statistics of a regression as a safetensors file, so that shards of the data can be added up apart and summed.
 *
 *   sums                           [P, K, 6]  rows, weight, total, squares, minimum, maximum, per part and objective
 *   part<p>.cell<c>.objectives     [R]        the pattern
 *   part<p>.cell<c>.gram.<i>       [B²]       blocks of XᵀX; absent where the pattern is rare
 *   part<p>.cell<c>.products       [H, R + 1] XᵀY, then Σ x
 *   part<p>.cell<c>.rows           [1]        rows in these sums
 *   part<p>.cell<c>.embeddings     [n, H]     rows that are not in sums; absent without any
 *   part<p>.cell<c>.labels         [n, R + 1] their labels, then 1
 *   part<p>.cell<c>.weights        [n]
 *
 *   H hidden size, K objectives, P parts, R objectives of a pattern
 */

import {
  readSafetensors,
  readSafetensorsHeader,
  type Tensor,
  type TensorData,
  writeSafetensors,
} from "../checkpoint/safetensors.ts";
import type { GramProduct, GramSums } from "../engine/gram.ts";
import { InputError } from "../errors.ts";
import { openLabelStatistics, type PatternCell, type StatisticsContents } from "./label-statistics.ts";
import type { RidgeStatistics } from "./ridge-statistics.ts";
import type { LabelSums } from "./statistics-view.ts";

const FORMAT = "armorm-ridge-statistics-1";

/** Writes finished statistics; a file that was there is replaced. */
export async function writeStatistics(path: string, statistics: RidgeStatistics): Promise<void> {
  const { hiddenSize: H, numObjectives: K, parts } = statistics;
  const tensors = new Map<string, Tensor>();
  const sums = parts.flatMap((part) => part.contents().sums.flatMap(sumsToNumbers));
  tensors.set("sums", f64(sums, [parts.length, K, SUM_NAMES.length]));
  for (const [p, part] of parts.entries()) {
    for (const [c, { objectives, sums, staged }] of part.contents().cells.entries()) {
      const name = (what: string) => `part${p}.cell${c}.${what}`;
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
  await writeSafetensors(path, tensors, { format: FORMAT, hidden_size: String(H) });
}

/**
 * Reads the statistics of one or more files, those of shards, and adds them up in the order given.
 *
 * One order of the same files gives the same bits; another order, or one pass over all rows, the same up to rounding.
 *
 * @param gram A Gram product of the files' hidden size.
 * @throws {InputError} `not-statistics`; `wrong-statistics` where hidden size, objectives or parts differ.
 */
export async function readStatistics(paths: readonly string[], gram: GramProduct): Promise<RidgeStatistics> {
  let total: RidgeStatistics | null = null;
  for (const path of paths) {
    const { metadata } = await readSafetensorsHeader(path);
    if (metadata.get("format") !== FORMAT) {
      throw new InputError(
        "not-statistics",
        `${path}: expected statistics of a regression (${FORMAT}), got ${metadata.get("format") ?? "another file"}`,
        "name files that statistics were written to",
      );
    }
    const tensors = await readSafetensors(path);
    const [parts, K] = tensors.get("sums")!.shape as [number, number, number];
    total ??= {
      hiddenSize: gram.size,
      numObjectives: K,
      parts: Array.from({ length: parts }, () => openLabelStatistics(gram, K)),
    };
    const expected = `${gram.size} values a row, ${total.numObjectives} objectives in ${total.parts.length} parts`;
    const got = `${metadata.get("hidden_size")} values a row, ${K} objectives in ${parts} parts`;
    if (got !== expected) {
      throw new InputError(
        "wrong-statistics",
        `${path}: expected ${expected}, got ${got}`,
        "add up shards of one data set, divided alike",
      );
    }
    for (const [p, part] of total.parts.entries()) await part.absorb(contentsOf(tensors, p, gram));
  }
  if (!total) throw new TypeError("readStatistics: expected at least one file, got none");
  for (const part of total.parts) await part.finish();
  return total;
}

function contentsOf(tensors: ReadonlyMap<string, Tensor>, p: number, gram: GramProduct): StatisticsContents {
  const { data, shape } = tensors.get("sums")!;
  const [, K, width] = shape as [number, number, number];
  const sums = Array.from({ length: K }, (_, k) => {
    const at = (p * K + k) * width;
    return numbersToSums((data as Float64Array).subarray(at, at + width));
  });
  const cells: PatternCell[] = [];
  for (let c = 0; ; c++) {
    const read = <T extends TensorData>(what: string) =>
      tensors.get(`part${p}.cell${c}.${what}`)?.data as T | undefined;
    const objectives = read<Float64Array>("objectives");
    if (!objectives) return { sums, cells };
    const weights = read<Float64Array>("weights") ?? new Float64Array(0);
    cells.push({
      objectives: [...objectives],
      sums: readSums(read, objectives.length, gram),
      staged: {
        embeddings: read<Float32Array>("embeddings") ?? new Float32Array(0),
        labels: read<Float64Array>("labels") ?? new Float64Array(0),
        weights,
        rows: weights.length,
      },
    });
  }
}

function readSums(
  read: (what: string) => Float64Array | undefined,
  width: number,
  gram: GramProduct,
): GramSums | null {
  const rows = read("rows");
  if (!rows) return null;
  const sums = gram.createSums(width + 1);
  sums.rows = rows[0]!;
  sums.products.set(read("products")!);
  for (const [i, block] of sums.blocks.entries()) block.set(read(`gram.${i}`)!);
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

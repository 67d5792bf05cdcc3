// Embeddings as the reference's preparation scripts keep them: safetensors files, one or a series, without ids or texts.
// N rows, H hidden size, K objectives. Source: RLHFlow/RLHF-Reward-Modeling, armo-rm/stage-1_prepare.py and stage-2_prepare.py.

import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { isFloatDtype } from "../checkpoint/dtypes.ts";
import { readSafetensorsHeader, type TensorRange } from "../checkpoint/safetensors-header.ts";
import { InputError } from "../errors.ts";
import { MANIFEST } from "./manifest.ts";

/** One file, its tensors not read. */
export interface ReferenceFile {
  readonly path: string;
  readonly rows: number;
  /** `[N, H]` of rated conversations, `[N, 2, H]` of pairs. */
  readonly embeddings: TensorRange;
  /** `[N, K]`, or null for pairs. */
  readonly labels: TensorRange | null;
  /** `[N, 2, H]`, or null for ratings. */
  readonly promptEmbeddings: TensorRange | null;
}

/** Files that belong together. */
export interface ReferenceFiles {
  readonly kind: "ratings" | "pairs";
  /** What the files are called, without number and ending. */
  readonly name: string;
  readonly files: readonly ReferenceFile[];
  readonly rows: number;
  readonly hiddenSize: number;
  /** Columns of labels; 0 for pairs. */
  readonly labels: number;
  /** The type of the hidden states: as the files' metadata say, else as they are stored. */
  readonly dtype: string;
}

const SERIES = /^(.+)-(\d{5})-of-(\d{5})$/;
const PICKLED = /\.(?:pt|pth|bin|pkl|ckpt)$/i;
const ENDING = ".safetensors";

/**
 * Finds out what files of embeddings hold, without reading them.
 *
 * @param paths One file, a whole series `NAME-00001-of-00008.safetensors` in any order, or the one folder that holds nothing else.
 * @throws {InputError} `pickled-embeddings`, `missing-file`, `incomplete-series`, `mixed-files`, `not-embeddings`.
 * @throws {RangeError} Without a path.
 */
export async function openReferenceFiles(paths: readonly string[]): Promise<ReferenceFiles> {
  if (paths.length === 0) throw new RangeError("openReferenceFiles: expected at least one path, got none");
  const found = await expandFolder(paths);
  const pickled = found.find((path) => PICKLED.test(path));
  if (pickled !== undefined) {
    throw new InputError(
      "pickled-embeddings",
      `${pickled}: expected safetensors, got a pickle`,
      "pickles run code when they are read: write the tensors with safetensors.torch.save_file where they were made",
    );
  }
  const { name, ordered } = orderSeries(found);
  const files: ReferenceFile[] = [];
  const dtypes = new Set<string>();
  for (const path of ordered) {
    const { file, dtype } = await describeReferenceFile(path);
    files.push(file);
    dtypes.add(dtype);
  }
  const [first] = files as [ReferenceFile, ...ReferenceFile[]];
  for (const file of files) requireAlike(first, file);
  if (dtypes.size > 1) throw mixed(first.path, "embeddings of one type", [...dtypes].join(" and "));
  return {
    kind: first.labels === null ? "pairs" : "ratings",
    name,
    files,
    rows: files.reduce((sum, { rows }) => sum + rows, 0),
    hiddenSize: first.embeddings.shape.at(-1)!,
    labels: first.labels?.shape[1] ?? 0,
    dtype: [...dtypes][0]!,
  };
}

/** The name of one of `count` files. One file of pairs has no number, as the reference writes it. */
export function referenceFile(kind: "ratings" | "pairs", name: string, index: number, count: number): string {
  if (kind === "pairs" && count === 1) return name + ENDING;
  const number = (n: number) => String(n).padStart(5, "0");
  return `${name}-${number(index + 1)}-of-${number(count)}${ENDING}`;
}

/** Whether a file is called as one of this name. */
export function isReferenceFile(file: string, name: string): boolean {
  const stem = file.endsWith(ENDING) ? file.slice(0, -ENDING.length) : null;
  return stem === name || (stem !== null && SERIES.exec(stem)?.[1] === name);
}

async function expandFolder(paths: readonly string[]): Promise<readonly string[]> {
  const [only] = paths;
  if (only === undefined || paths.length > 1 || !(await stat(only).catch(() => null))?.isDirectory())
    return paths;
  if (existsSync(join(only, MANIFEST))) {
    throw new InputError(
      "not-embeddings",
      `${only}: expected files of the reference, got an embedding set of armorm`,
      "it needs no import: give it to train, score or evaluate as it is",
    );
  }
  const names = (await readdir(only)).filter((name) => name.endsWith(ENDING) || PICKLED.test(name)).sort();
  if (names.length > 0) return names.map((name) => join(only, name));
  throw new InputError("missing-file", `${only}: expected safetensors files, got none`, "check the folder");
}

/** All files of one series in order, or the one file that is there. */
function orderSeries(paths: readonly string[]): { name: string; ordered: readonly string[] } {
  const entries = paths.map((path) => {
    const stem = basename(path).replace(/\.safetensors$/, "");
    const [, name = stem, number, count] = SERIES.exec(stem) ?? [];
    return { path, name, number: Number(number ?? 1), count: Number(count ?? 1) };
  });
  const [first] = entries as [(typeof entries)[number]];
  const other = entries.find(({ name, count }) => name !== first.name || count !== first.count);
  if (other !== undefined)
    throw mixed(other.path, `a file of the series ${first.name}, of ${first.count}`, "another");
  for (let number = 1; number <= first.count; number++) {
    const here = entries.filter((entry) => entry.number === number).length;
    if (here === 1) continue;
    throw new InputError(
      "incomplete-series",
      `${first.name}: expected each of its ${first.count} files once, got number ${number} ${here === 0 ? "not at all" : `${here} times`}`,
      "give all files of the series: what is missing would be missing from training",
    );
  }
  return { name: first.name, ordered: entries.sort((a, b) => a.number - b.number).map(({ path }) => path) };
}

async function describeReferenceFile(path: string): Promise<{ file: ReferenceFile; dtype: string }> {
  const { tensors, metadata } = await readSafetensorsHeader(path);
  const refuse = (expected: string, got: string) =>
    new InputError(
      "not-embeddings",
      `${path}: expected ${expected}, got ${got}`,
      "give files that the reference's stage-1_prepare.py or stage-2_prepare.py has written",
    );
  const embeddings = tensors.get("embeddings");
  const labels = tensors.get("labels") ?? null;
  const promptEmbeddings = tensors.get("prompt_embeddings") ?? null;
  if (embeddings === undefined || (labels === null) === (promptEmbeddings === null)) {
    throw refuse(
      "embeddings with either labels or prompt_embeddings",
      [...tensors.keys()].join(", ") || "none",
    );
  }
  const [rows = 0] = embeddings.shape;
  const H = embeddings.shape.at(-1)!;
  const show = ({ name, shape }: TensorRange) => `${name} [${shape.join(", ")}]`;
  const fits = ({ shape }: TensorRange, ...wanted: (number | null)[]) =>
    shape.length === wanted.length && wanted.every((size, axis) => size === null || size === shape[axis]);
  if (labels !== null && !(fits(embeddings, null, null) && fits(labels, rows, null))) {
    throw refuse("embeddings [N, H] and labels [N, K]", `${show(embeddings)} and ${show(labels)}`);
  }
  if (promptEmbeddings !== null && !(fits(embeddings, null, 2, null) && fits(promptEmbeddings, rows, 2, H))) {
    const got = `${show(embeddings)} and ${show(promptEmbeddings)}`;
    throw refuse("embeddings and prompt_embeddings [N, 2, H]", got);
  }
  const other = [embeddings, labels, promptEmbeddings].find(
    (tensor) => tensor && !isFloatDtype(tensor.dtype),
  );
  if (other) throw refuse(`${other.name} in a float type`, other.dtype);
  const dtype = metadata.get("dtype") ?? embeddings.dtype.toLowerCase();
  return { file: { path, rows, embeddings, labels, promptEmbeddings }, dtype };
}

function requireAlike(first: ReferenceFile, file: ReferenceFile): void {
  const about = ({ embeddings, labels }: ReferenceFile) =>
    `${labels === null ? "pairs" : `ratings of ${labels.shape[1]} objectives`}, ${embeddings.shape.at(-1)} wide`;
  if (about(first) !== about(file)) throw mixed(file.path, about(first), about(file));
}

const mixed = (path: string, expected: string, got: string): InputError =>
  new InputError(
    "mixed-files",
    `${path}: expected ${expected}, got ${got}`,
    "import files that were made together, one series at a time",
  );

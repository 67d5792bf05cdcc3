import { createHash } from "node:crypto";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import type { FormatOptions } from "./formats/formats.ts";
import type { DataLocation } from "./location.ts";
import { readRowsWithPrompt } from "./prompt-of-row.ts";
import { type RejectedRows, RejectionCount } from "./rejections.ts";
import { asLine, createRowsFile, type RowsFile } from "./rows-file.ts";

export interface SplitOptions {
  /** Shares by name, in order, each above 0, together 1. */
  readonly fractions: ReadonlyMap<string, number>;
  /** Another seed draws other prompts. Default 0. */
  readonly seed?: number;
  /** Replace files that are there. Default false. */
  readonly overwrite?: boolean;
  /** Stop at the first row whose prompt cannot be read. Default false: such rows are counted and go nowhere. */
  readonly strict?: boolean;
  readonly onFormat?: FormatOptions["onFormat"];
  readonly signal?: AbortSignal;
  readonly onProgress?: (rows: number) => void;
}

export interface SplitReport {
  readonly seed: number;
  readonly splits: readonly {
    readonly name: string;
    readonly fraction: number;
    readonly prompts: number;
    readonly rows: number;
    readonly files: readonly string[];
  }[];
  readonly rejected: RejectedRows;
}

/**
 * Splits the rows of files by prompt: rows with one prompt stay together, in whatever file they stand.
 *
 * A prompt's side depends on the seed and on its hash alone, so more data never moves a prompt and files that are split
 * apart agree. The shares are met on average over prompts, not exactly. Rows are written as they are, one per line, to
 * `DIR/<name>.jsonl`, or to `DIR/<source>.<name>.jsonl` where there are several files.
 *
 * @throws {InputError} Those of `readRows` and `createRowsFile`; `same-source` when two files would be written as one.
 *
 * Cost: one pass; memory is one hash per prompt.
 */
export async function splitByPrompt(
  locations: readonly DataLocation[],
  directory: string,
  options: SplitOptions,
): Promise<SplitReport> {
  const { fractions, seed = 0, overwrite = false, signal, onProgress } = options;
  refuseEqualSources(locations);
  const rejections = new RejectionCount(options.strict);
  const splits = [...fractions].map(([name, fraction]) => ({
    name,
    fraction,
    prompts: new Set<string>(),
    files: [] as RowsFile[],
  }));
  let rows = 0;
  const distribute = async (location: DataLocation): Promise<void> => {
    for await (const row of readRowsWithPrompt(location, options)) {
      signal?.throwIfAborted();
      rows++;
      onProgress?.(rows);
      if (row.kind === "error") {
        rejections.add(row);
        continue;
      }
      const split = splits[sideOf(row.promptHash, [...fractions.values()], seed)]!;
      split.prompts.add(row.promptHash);
      await split.files.at(-1)!.write(asLine(row.bytes));
    }
  };
  try {
    for (const location of locations) {
      for (const split of splits) {
        const name = locations.length === 1 ? split.name : `${location.source}.${split.name}`;
        split.files.push(await createRowsFile(join(directory, `${name}.jsonl`), { overwrite }));
      }
      await distribute(location);
    }
    for (const { files } of splits) for (const file of files) await file.finish();
  } finally {
    for (const { files } of splits) for (const file of files) await file[Symbol.asyncDispose]();
  }
  return {
    seed,
    splits: splits.map(({ name, fraction, prompts, files }) => ({
      name,
      fraction,
      prompts: prompts.size,
      rows: files.reduce((sum, file) => sum + file.rows, 0),
      files: files.map(({ path }) => path),
    })),
    rejected: rejections.rows,
  };
}

/** Which share a prompt falls into: where a number in [0, 1), drawn by hash from seed and prompt, comes to lie. */
function sideOf(promptHash: string, fractions: readonly number[], seed: number): number {
  const digest = createHash("sha256").update(`${seed}:${promptHash}`).digest();
  const drawn = digest.readUIntBE(0, 6) / 2 ** 48;
  let end = 0;
  for (let i = 0; i < fractions.length - 1; i++) {
    end += fractions[i]!;
    if (drawn < end) return i;
  }
  return fractions.length - 1; // Whatever rounding leaves of 1.
}

function refuseEqualSources(locations: readonly DataLocation[]): void {
  const sources = locations.map(({ source }) => source);
  const twice = sources.find((source, i) => sources.indexOf(source) !== i);
  if (twice === undefined) return;
  throw new InputError(
    "same-source",
    `split: expected files with names of their own, got two called "${twice}"`,
    "name them: --data first=FILE second=FILE",
  );
}

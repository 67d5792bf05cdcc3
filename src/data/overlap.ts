import type { FormatOptions } from "./formats/formats.ts";
import type { DataLocation } from "./location.ts";
import { readRowsWithPrompt } from "./prompt-of-row.ts";
import { type RejectedRows, RejectionCount } from "./rejections.ts";
import { asLine, createRowsFile, type RowsFile } from "./rows-file.ts";

export interface OverlapOptions {
  /** Where to write the rows whose prompts no other file holds. Default: nowhere. */
  readonly write?: string;
  /** Replace that file if it is there. Default false. */
  readonly overwrite?: boolean;
  /** Stop at the first row whose prompt cannot be read. Default false: such rows are counted and not written. */
  readonly strict?: boolean;
  readonly onFormat?: FormatOptions["onFormat"];
  readonly signal?: AbortSignal;
  readonly onProgress?: (rows: number) => void;
}

/** What one file shares with another. */
export interface FileOverlap {
  readonly data: string;
  readonly against: string;
  /** Rows of `data`, and those among them whose prompt `against` holds. */
  readonly rows: number;
  readonly sharedRows: number;
  /** Distinct prompts of `data`, of `against`, and of both. */
  readonly prompts: number;
  readonly againstPrompts: number;
  readonly sharedPrompts: number;
}

export interface OverlapReport {
  /** One entry per file of `data` and file of `against`. */
  readonly files: readonly FileOverlap[];
  /** Rows of all `data`, and those whose prompt any of `against` holds. */
  readonly rows: number;
  readonly sharedRows: number;
  readonly written: { readonly file: string; readonly rows: number; readonly dropped: number } | null;
  readonly rejected: RejectedRows;
}

/**
 * Finds the prompts that files share, by hash: white space, case and Unicode form do not tell prompts apart.
 *
 * @throws {InputError} Those of `readRows` and `createRowsFile`.
 *
 * Cost: one pass over every file; memory is one hash per prompt of `against` and of one file of `data`.
 */
export async function findOverlaps(
  data: readonly DataLocation[],
  against: readonly DataLocation[],
  options: OverlapOptions = {},
): Promise<OverlapReport> {
  const rejections = new RejectionCount(options.strict);
  let read = 0;
  const rowsOf = async function* (location: DataLocation) {
    for await (const row of readRowsWithPrompt(location, options)) {
      options.signal?.throwIfAborted();
      read++;
      options.onProgress?.(read);
      if (row.kind === "error") rejections.add(row);
      else yield row;
    }
  };
  const known: Set<string>[] = [];
  for (const location of against) {
    const prompts = new Set<string>();
    for await (const { promptHash } of rowsOf(location)) prompts.add(promptHash);
    known.push(prompts);
  }
  const { write } = options;
  await using kept = write === undefined ? nowhere() : await createRowsFile(write, options);
  const files: FileOverlap[] = [];
  const totals = { rows: 0, sharedRows: 0 };
  for (const location of data) {
    const own = new Set<string>();
    const sharedRows = against.map(() => 0);
    let rows = 0;
    for await (const { promptHash, bytes } of rowsOf(location)) {
      rows++;
      own.add(promptHash);
      const where = known.map((prompts) => prompts.has(promptHash));
      where.forEach((shared, i) => {
        if (shared) sharedRows[i]!++;
      });
      if (where.includes(true)) totals.sharedRows++;
      else await kept.write(asLine(bytes));
    }
    totals.rows += rows;
    against.forEach(({ path }, i) => {
      files.push({
        data: location.path,
        against: path,
        rows,
        sharedRows: sharedRows[i]!,
        prompts: own.size,
        againstPrompts: known[i]!.size,
        sharedPrompts: [...own].filter((hash) => known[i]!.has(hash)).length,
      });
    });
  }
  await kept.finish();
  const written = write === undefined ? null : { file: write, rows: kept.rows, dropped: totals.sharedRows };
  return { files, ...totals, written, rejected: rejections.rows };
}

function nowhere(): RowsFile {
  return { path: "", rows: 0, async write() {}, async finish() {}, async [Symbol.asyncDispose]() {} };
}

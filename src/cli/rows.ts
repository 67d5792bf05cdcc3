// Rows in, results out, for every command that goes through a file row by row: limits, bad rows, Ctrl-C, resuming.

import { createHash } from "node:crypto";
import type { Command } from "commander";
import pc from "picocolors";
import { placeOf, type RowError } from "../data/records.ts";
import { hashOf } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import { batches, startPace } from "./batches.ts";
import { EXIT, Interrupted, interruptSignal } from "./failure.ts";
import { parsePositiveInteger } from "./flags.ts";
import { count, integer, note, print, printJson } from "./output.ts";
import { announceJob, startProgress } from "./progress.ts";
import { openResultFile, type ResultFile, toLine } from "./result-file.ts";

/** Options of every command that goes through rows. */
export interface RowFlags {
  limit?: number;
  out?: string;
  strict?: boolean;
  json?: boolean;
}

/** What every row has: an id that passes through, and the line that it came from, where it came from one. */
export interface AnyRow {
  readonly id: string | number | null;
  readonly line?: number;
  readonly unit?: "row";
}

/** What a command does with its rows. */
export interface RowJob<Row extends AnyRow, Result> {
  /** `scoring`, for the progress bar. */
  readonly what: string;
  /** `scored`, for what could not be. */
  readonly done: string;
  readonly rows: AsyncIterable<Row | RowError>;
  /** Number of rows, or null for a stream. */
  readonly total: number | null;
  /** Everything but the rows that decides the results: with `--out`, another identity is another run. */
  readonly identity: unknown;
  /** Results in the order of the rows. An `InputError` says that a row is refused: each is then tried by itself. */
  readonly compute: (rows: readonly Row[]) => Promise<readonly Result[]>;
  /** JSON objects, one per line. None: the row is skipped, and counted. */
  readonly toJson: (result: Result, row: Row, index: number) => readonly object[];
  /** For people; absent: JSON is all there is. */
  readonly print?: (result: Result, row: Row, index: number) => void;
  /** Whether a bad row gives `{"id", "index", "error"}` in its place; otherwise stderr alone names it. */
  readonly errorsInPlace: boolean;
}

/** Adds the options of commands that go through rows. */
export function withRowOptions(command: Command): Command {
  return command
    .option("--limit <n>", "only the first n rows", parsePositiveInteger)
    .option("--out <file>", "write JSONL there; the same command continues a run that was stopped")
    .option("--strict", "stop at the first bad row")
    .option("--json", "print one JSON object per line");
}

/** A file given as an argument, or standard input. */
export function rowSource(file: string | undefined): string | NodeJS.ReadStream {
  return file === undefined || file === "-" ? process.stdin : file;
}

/** Rows of a file, null for standard input. One pass over the file, without parsing it. */
export async function countRows(file: string | undefined): Promise<number | null> {
  const source = rowSource(file);
  if (typeof source !== "string") return null;
  const { describeFile } = await import("../data/describe-file.ts");
  return (await describeFile(source)).rows;
}

export const idOf = ({ id }: AnyRow) => (id === null ? {} : { id });

/** What a row is called for people. */
export const rowHeading = (row: AnyRow, index: number): string =>
  pc.bold(row.id === null ? `#${index}` : `${row.id}`);

/**
 * Goes through all rows, in order. One bad row does not end the run: it is named, counted, and the exit code is 2.
 *
 * @throws {InputError} With `--strict`, the first bad row. @throws {Interrupted} After Ctrl-C, once the batch is done.
 */
export async function runRows<Row extends AnyRow, Result>(
  flags: RowFlags,
  job: RowJob<Row, Result>,
): Promise<void> {
  const signal = interruptSignal();
  await using file = flags.out === undefined ? null : await openResultFile(flags.out, hashOf(job.identity));
  const begun = file?.begun ?? { rows: 0, failed: 0, skipped: 0, input: "" };
  const counts = { rows: begun.rows, failed: begun.failed, skipped: begun.skipped };
  const input = createHash("sha256");
  const total = job.total === null ? null : Math.min(job.total, flags.limit ?? job.total);
  // Results for people on the same terminal are progress enough.
  const hidden = total === null || (file === null && process.stdout.isTTY);
  const progress = startProgress(job.what, "rows", hidden);
  const cost = announceJob(job.what, "rows", { done: begun.rows, total, where: flags.out });
  const pace = startPace();
  const writer = writerFor(flags, job, file);

  const finishBatch = async (batch: readonly (Row | RowError)[]): Promise<void> => {
    const results = await computeEach(
      job.compute,
      batch.filter((row): row is Row => !isRowError(row)),
    );
    try {
      for (const row of batch) {
        const outcome = isRowError(row) ? row : results.get(row)!;
        const failed = isRefusal(outcome);
        const error = failed ? describeError(row, outcome) : "";
        if (failed && flags.strict) {
          throw new InputError("bad-row", error, "mend the row, or leave --strict out to go on");
        }
        if (failed) writer.writeError(error, row, counts.rows);
        else if (!writer.writeResult(outcome, row as Row, counts.rows)) counts.skipped++;
        if (failed) counts.failed++;
        counts.rows++;
        input.update(rowText(row));
      }
    } finally {
      await file?.append(writer.takeLines(), { ...counts, input: input.copy().digest("hex") });
    }
  };

  try {
    progress.update(begun.rows, total ?? 0);
    const rows = afterBegun(firstRows(job.rows, Math.max(flags.limit ?? Infinity, begun.rows)), file, input);
    for await (const batch of batches(rows, pace, signal)) {
      const started = performance.now();
      await finishBatch(batch);
      pace.measure(batch.length, performance.now() - started);
      progress.update(counts.rows, total ?? 0);
      cost.measure(counts.rows);
      if (signal.aborted) break;
    }
  } finally {
    progress.stop();
  }
  if (signal.aborted && counts.rows !== total) {
    const how = file
      ? `the same command continues ${file.path}`
      : "with --out FILE the same command would continue there";
    throw new Interrupted(`stopped after ${count(counts.rows, "row")}; ${how}`);
  }
  if (file) {
    const news = counts.rows === begun.rows ? ", all there already" : "";
    note(`${file.path}: ${count(counts.rows, "row")}${news}`);
  }
  if (counts.skipped > 0) note(`${count(counts.skipped, "row")} skipped`);
  if (counts.failed > 0) {
    note(`${integer(counts.failed)} of ${integer(counts.rows)} rows could not be ${job.done}`);
    process.exitCode = EXIT.badInput;
  }
}

/** Where results go: into the file, as JSON to stdout, or to people. */
function writerFor<Row extends AnyRow, Result>(
  flags: RowFlags,
  { toJson, print: printResult, errorsInPlace }: RowJob<Row, Result>,
  file: ResultFile | null,
) {
  const asJson = flags.json || file !== null || printResult === undefined;
  let lines: string[] = [];
  const writeLine = (value: object): void => {
    if (file) lines.push(toLine(value));
    else printJson(value);
  };
  return {
    /** @returns Whether the row gave anything. */
    writeResult(result: Result, row: Row, index: number): boolean {
      const objects = toJson(result, row, index);
      if (asJson) objects.forEach(writeLine);
      else printResult(result, row, index);
      return objects.length > 0;
    },
    writeError(error: string, row: AnyRow, index: number): void {
      const line = `${rowHeading(row, index)}  ${pc.red(error)}`;
      if (!errorsInPlace) note(line);
      else if (asJson) writeLine({ ...idOf(row), index, error });
      else print(line);
    },
    /** The lines for the file since the last call. */
    takeLines(): readonly string[] {
      const taken = lines;
      lines = [];
      return taken;
    },
  };
}

interface Refusal {
  readonly error: string;
}

const isRefusal = (outcome: unknown): outcome is Refusal =>
  typeof outcome === "object" && outcome !== null && "error" in outcome;

const isRowError = (row: AnyRow | RowError): row is RowError => "kind" in row && row.kind === "error";

const describeError = (row: AnyRow, { error }: Refusal): string =>
  row.line === undefined ? error : `${placeOf({ ...row, line: row.line })}: ${error}`;

/** A row as text, wherever its file lies. */
function rowText(row: AnyRow): string {
  const { file: _, ...rest } = row as AnyRow & { readonly file?: string };
  return toLine(rest);
}

/** Computes rows together; if one of them is refused, each by itself, so that the others still get their results. */
async function computeEach<Row, Result>(
  compute: (rows: readonly Row[]) => Promise<readonly Result[]>,
  rows: readonly Row[],
): Promise<Map<Row, Result | Refusal>> {
  if (rows.length === 0) return new Map();
  try {
    const results = await compute(rows);
    return new Map(rows.map((row, i) => [row, results[i]!]));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (rows.length === 1) return new Map([[rows[0]!, { error: `${error.message}; ${error.remedy}` }]]);
    const results = new Map<Row, Result | Refusal>();
    for (const row of rows) for (const entry of await computeEach(compute, [row])) results.set(...entry);
    return results;
  }
}

async function* firstRows<Row>(rows: AsyncIterable<Row>, count: number): AsyncGenerator<Row> {
  let read = 0;
  for await (const row of rows) {
    yield row;
    if (++read >= count) return;
  }
}

/** The rows after those that an earlier run has done, which must be the same. */
async function* afterBegun<Row extends AnyRow>(
  rows: AsyncIterable<Row | RowError>,
  file: ResultFile | null,
  input: ReturnType<typeof createHash>,
): AsyncGenerator<Row | RowError> {
  const done = file?.begun.rows ?? 0;
  const check = () => {
    if (done === 0 || input.copy().digest("hex") === file!.begun.input) return;
    throw new InputError(
      "output-exists",
      `${file!.path}: expected the rows that its first ${integer(done)} results come from, got others`,
      "give the same data, choose another name, or delete the file",
    );
  };
  let read = 0;
  for await (const row of rows) {
    if (read >= done) yield row;
    else input.update(rowText(row));
    if (++read === done) check();
  }
  if (read < done) check();
}

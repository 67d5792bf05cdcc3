// Results on disk that survive a kill: FILE holds the results alone, FILE.run says how far it got.

import { createReadStream, existsSync } from "node:fs";
import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { InputError } from "../errors.ts";

/** How far a run got. */
export interface ResultProgress {
  /** Rows that are done, those that gave no result included. */
  readonly rows: number;
  readonly failed: number;
  readonly skipped: number;
  /** sha256 over the rows that are done. */
  readonly input: string;
}

/** A file of results that a killed run can be continued into. */
export interface ResultFile extends AsyncDisposable {
  readonly path: string;
  /** What an earlier run has done; all zero at the start. */
  readonly begun: ResultProgress;
  /** Appends lines and records that they are there. Once it returns, a kill does not lose them. */
  append(lines: readonly string[], progress: ResultProgress): Promise<void>;
}

interface JournalEntry extends ResultProgress {
  /** Size of the file of results once its lines are there. */
  readonly bytes: number;
}

const FORMAT = "armorm-run";

/**
 * Opens a file of results, new or begun by the same run. What stands after the last batch that the journal knows, a
 * half-written line say, is cut off and computed again.
 *
 * @param run Hash of everything that decides the results, except the rows.
 * @throws {InputError} `output-exists` if the file belongs to another run or to none: nothing is ever overwritten.
 */
export async function openResultFile(path: string, run: string): Promise<ResultFile> {
  const journalPath = `${path}.run`;
  const size = existsSync(path) ? (await stat(path)).size : 0;
  const known = size === 0 ? null : await readJournal(path, journalPath, run);
  const entries = known?.entries ?? [];
  let last = entries.findLast(({ bytes }) => bytes <= size) ?? start;
  // A file cut short by a full disk may end inside a line that the journal counts.
  while (last.bytes > 0 && !(await endsLine(path, last.bytes))) {
    last = entries.findLast(({ bytes }) => bytes < last.bytes) ?? start;
  }
  const results = await openForWriting(path);
  await results.truncate(last.bytes);
  const journal = await openForWriting(journalPath);
  await journal.truncate(known?.bytes ?? 0);
  if (!known) await journal.write(toLine({ format: FORMAT, version: 1, run }), 0);

  let at = last.bytes;
  let journalAt = (await journal.stat()).size;
  return {
    path,
    begun: last,
    async append(lines, progress) {
      const { bytesWritten } = await results.write(lines.join(""), at);
      at += bytesWritten;
      await results.datasync();
      journalAt += (await journal.write(toLine({ ...progress, bytes: at }), journalAt)).bytesWritten;
    },
    async [Symbol.asyncDispose]() {
      await results.close();
      await journal.close();
    },
  };
}

const start: JournalEntry = { rows: 0, failed: 0, skipped: 0, input: "", bytes: 0 };

/** A value as a line of JSONL. */
export const toLine = (value: unknown): string => `${JSON.stringify(value)}\n`;

/** The whole lines of a journal, and their size: the last one may be half written. */
async function readJournal(path: string, journalPath: string, run: string) {
  const refuse = (got: string) =>
    new InputError(
      "output-exists",
      `${path}: expected no file or this run begun, got ${got}`,
      "choose another name, or delete the file",
    );
  let text: string;
  try {
    text = await readFile(journalPath, "utf8");
  } catch {
    throw refuse("a file of another kind");
  }
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const [head, ...lines] = whole.trimEnd().split("\n").map(parseLine);
  if (head?.format !== FORMAT) throw refuse("a file of another kind");
  if (head.run !== run) throw refuse("results of another command, model, data or options");
  const entries = lines.filter((line) => Number.isSafeInteger(line?.bytes)) as unknown as JournalEntry[];
  return { entries, bytes: Buffer.byteLength(whole) };
}

function parseLine(line: string): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

async function endsLine(path: string, bytes: number): Promise<boolean> {
  for await (const chunk of createReadStream(path, { start: bytes - 1, end: bytes - 1 })) {
    return (chunk as Buffer)[0] === 0x0a;
  }
  return false;
}

/** Opens without truncating; creates where there is none. */
async function openForWriting(path: string): Promise<FileHandle> {
  try {
    return existsSync(path) ? await open(path, "r+") : await open(path, "w+");
  } catch (error) {
    throw new InputError(
      "unwritable-file",
      `--out: expected a file that can be written, got ${path} (${(error as NodeJS.ErrnoException).code})`,
      "check that its folder exists and can be written to",
    );
  }
}

import { once } from "node:events";
import { existsSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { InputError } from "../errors.ts";

/** A file of rows being written. It appears under its name when it is finished; disposed before that, it is dropped. */
export interface RowsFile extends AsyncDisposable {
  readonly path: string;
  /** Rows written so far. */
  readonly rows: number;
  /** Adds one line, its line break included. */
  write(line: string | Uint8Array): Promise<void>;
  finish(): Promise<void>;
}

/**
 * Begins a JSONL file; a name that ends in `.gz` is compressed. Missing folders are made.
 *
 * @param options.overwrite Replace a file that is there. Default false.
 * @throws {InputError} `output-exists`, `unwritable-file`.
 */
export async function createRowsFile(
  path: string,
  { overwrite = false }: { overwrite?: boolean } = {},
): Promise<RowsFile> {
  if (!overwrite && existsSync(path)) {
    throw new InputError(
      "output-exists",
      `${path}: expected a new file, got one that exists`,
      "name another, or give --overwrite",
    );
  }
  const partial = join(dirname(path), `.${basename(path)}.${process.pid}.partial`);
  const target = await begin(path, partial);
  const sink = /\.gz$/i.test(path) ? createGzip() : new PassThrough();
  const written = pipeline(sink, target.createWriteStream({ flush: true })).catch((error: unknown) => {
    throw explainWriteError(error, path);
  });
  // Whoever writes next, or finishes, meets the error; until then it must not count as unhandled.
  written.catch(() => {});
  let rows = 0;
  let finished = false;
  return {
    path,
    get rows() {
      return rows;
    },
    async write(line) {
      rows++;
      if (!sink.write(line)) await Promise.race([once(sink, "drain"), written]);
    },
    async finish() {
      sink.end();
      await written;
      await rename(partial, path);
      finished = true;
    },
    async [Symbol.asyncDispose]() {
      if (finished) return;
      sink.destroy();
      await written.catch(() => {});
      await rm(partial, { force: true });
    },
  };
}

async function begin(path: string, partial: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true });
    return await open(partial, "w");
  } catch (error) {
    throw explainWriteError(error, path);
  }
}

function explainWriteError(error: unknown, path: string): unknown {
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (!["EACCES", "ENOENT", "EROFS", "EEXIST", "ENOTDIR", "EISDIR", "EPERM", "ENOSPC"].includes(code))
    return error;
  return new InputError(
    "unwritable-file",
    `${path}: cannot be written (${message})`,
    "name a place that can be written and has room",
  );
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/**
 * The JSON text of a row as one line of JSONL. Raw line breaks cannot stand inside JSON strings, so those of a
 * pretty-printed row are white space and become blanks; nothing else changes.
 */
export function asLine(bytes: Buffer): Buffer {
  const line = Buffer.alloc(bytes.length + 1, bytes);
  for (let i = 0; i < bytes.length; i++) {
    if (line[i] === LINE_FEED || line[i] === CARRIAGE_RETURN) line[i] = SPACE;
  }
  line[bytes.length] = LINE_FEED;
  return line;
}

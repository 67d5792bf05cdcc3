import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { parseDataLocation } from "../../src/data/location.ts";

const directory = mkdtempSync(join(tmpdir(), "armorm-data-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;

/** Writes a file of its own under a temporary directory and gives its path. */
export function fileWith(content: string | Uint8Array, name = "rows.jsonl"): string {
  const path = join(directory, `${count++}-${name}`);
  writeFileSync(path, content);
  return path;
}

/** A JSONL file with one line per value, as a data location. */
export function rowsFile(...rows: unknown[]) {
  return parseDataLocation(fileWith(rows.map((row) => JSON.stringify(row)).join("\n")));
}

/** Everything that a reader gives. */
export async function collect<T>(records: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const record of records) all.push(record);
  return all;
}

/** The single error row of a reader that gives one. */
export async function onlyError(records: AsyncIterable<{ readonly kind: string }>): Promise<string> {
  const errors = (await collect(records)).filter(({ kind }) => kind === "error");
  if (errors.length !== 1) throw new Error(`expected one error row, got ${errors.length}`);
  return (errors[0] as unknown as { error: string }).error;
}

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { type ResultFile, toLine } from "./result-file.ts";

/** Results per write: a kill loses at most these. */
const BATCH = 32;

/**
 * The results of scoring rows, through a file: first those that an earlier run left there, then the others, each batch
 * written before it is passed on.
 *
 * @param total Results wanted. @param scoreFrom The results after the first `done` ones.
 */
export async function* keptResults<Result>(
  file: ResultFile,
  total: number,
  scoreFrom: (done: number) => AsyncIterable<Result>,
): AsyncGenerator<Result> {
  let rows = 0;
  if (file.begun.rows > 0) {
    const lines = createInterface({
      input: createReadStream(file.path),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    for await (const line of lines) {
      if (rows === Math.min(total, file.begun.rows)) break;
      yield JSON.parse(line);
      rows++;
    }
  }
  if (rows === total) return;
  let batch: Result[] = [];
  const write = async (): Promise<Result[]> => {
    const written = batch;
    rows += written.length;
    await file.append(written.map(toLine), { rows, failed: 0, skipped: 0, input: "" });
    batch = [];
    return written;
  };
  for await (const result of scoreFrom(rows)) {
    batch.push(result);
    if (batch.length === BATCH) yield* await write();
  }
  yield* await write();
}

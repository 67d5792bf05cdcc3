import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { PairScores, RejectedPair, SkippedPair } from "../evaluation/evaluate-pairs.ts";
import { type ResultFile, toLine } from "./result-file.ts";

type PairResult = PairScores | RejectedPair | SkippedPair;

/** Pairs per write: a kill loses at most these. */
const BATCH = 32;

/**
 * The results of scoring pairs, through a file: first those that an earlier run left there, then the others, each batch
 * written before it is passed on.
 *
 * @param total Results wanted. @param scoreFrom The results after the first `done` ones.
 */
export async function* keptScores(
  file: ResultFile,
  total: number,
  scoreFrom: (done: number) => AsyncIterable<PairResult>,
): AsyncGenerator<PairResult> {
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
  let batch: PairResult[] = [];
  const write = async (): Promise<PairResult[]> => {
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

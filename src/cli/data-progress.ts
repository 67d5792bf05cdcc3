import { statSync } from "node:fs";
import type { DataLocation } from "../data/location.ts";
import type { RejectedRows } from "../data/rejections.ts";
import { EXIT } from "./failure.ts";
import { integer, note } from "./output.ts";
import { startProgress } from "./progress.ts";

/**
 * Runs a job on files of rows under a progress bar. Counting the rows takes a pass of its own, which is saved where
 * nobody looks.
 *
 * @param what What is being done, `splitting`.
 */
export async function withRowsProgress<T>(
  what: string,
  locations: readonly DataLocation[],
  job: (onProgress: (rows: number) => void) => Promise<T>,
): Promise<T> {
  // A pipe can be read once only.
  const countable = !locations.some(({ path }) => statSync(path, { throwIfNoEntry: false })?.isFIFO());
  if (!process.stderr.isTTY || !countable) return await job(() => {});
  const { describeFile } = await import("../data/describe-file.ts");
  let total = 0;
  for (const { path } of locations) total += (await describeFile(path)).rows;
  const progress = startProgress(what, "rows");
  try {
    return await job((rows) => {
      if (rows % 64 === 0 || rows === total) progress.update(rows, total);
    });
  } finally {
    progress.stop();
  }
}

/** `1 row`, `2,000 rows` */
export const counted = (count: number, what: string): string =>
  `${integer(count)} ${what}${count === 1 ? "" : "s"}`;

/** Says that rows could not be used and sets the exit code. */
export function noteRejected({ count, first }: RejectedRows): void {
  if (count === 0) return;
  note(`${counted(count, "row")} could not be used (the first: ${first})`);
  process.exitCode = EXIT.badInput;
}

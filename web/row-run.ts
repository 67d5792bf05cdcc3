// Rows of a file, scored one after the other.

import type { Comparison } from "../src/reward-model.ts";
import { ServerFailure } from "./model-server.ts";
import type { FileRow } from "./read-rows.ts";

/** What became of a row. A row that cannot be used is failed from the start. */
export type Outcome =
  | { readonly state: "waiting" }
  | { readonly state: "done"; readonly comparison: Comparison }
  | { readonly state: "failed"; readonly error: string };

export interface RunRow {
  readonly row: FileRow;
  readonly outcome: Outcome;
}

export type UsableRow = Extract<FileRow, { readonly prompt: unknown }>;

export const startRows = (rows: readonly FileRow[]): RunRow[] =>
  rows.map((row) => ({
    row,
    outcome: "error" in row ? { state: "failed", error: row.error } : { state: "waiting" },
  }));

/**
 * Scores what still waits, in order. A refused row fails alone; a server that is gone, or wants a key, stops the run, and its rows
 * go on waiting.
 *
 * @param onOutcome Called once per row, as soon as it is known.
 * @throws {ServerFailure} What stopped the run. Resolves when all is done or the signal aborts.
 */
export async function runRows(
  rows: readonly RunRow[],
  compare: (row: UsableRow) => Promise<Comparison>,
  onOutcome: (index: number, outcome: Outcome) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const [index, { row, outcome }] of rows.entries()) {
    if (signal.aborted) return;
    if (outcome.state !== "waiting" || "error" in row) continue;
    try {
      const comparison = await compare(row);
      if (signal.aborted) return;
      onOutcome(index, { state: "done", comparison });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ServerFailure) || !isAboutTheRow(error)) throw error;
      onOutcome(index, { state: "failed", error: `${error.message}; ${error.remedy}` });
    }
  }
}

const isAboutTheRow = ({ status }: ServerFailure): boolean =>
  status !== null && status >= 400 && status < 500 && ![401, 403, 404, 408, 429].includes(status);

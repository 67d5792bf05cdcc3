// Comparisons as files: the JSON of `armorm compare --json`.

import type { Message } from "../src/chat/messages.ts";
import type { Comparison, Steering } from "../src/reward-model.ts";
import { explainedComparison } from "../src/scoring/explanation.ts";
import { rankingChange } from "../src/scoring/ranking.ts";

export interface ExportedRow {
  readonly id?: string | number;
  readonly prompt: readonly Message[];
  readonly texts: readonly string[];
  readonly comparison: Comparison;
}

/** One comparison as an object; steered ones carry what steered them. */
export function exportObject({ comparison, ...row }: ExportedRow, steering: Steering | null): object {
  const steered = { rankingChange: rankingChange(comparison.responses), steering };
  return { ...row, ...explainedComparison(comparison), ...(steering === null ? {} : steered) };
}

/** Saves a text under a name, without asking any server. */
export function download(name: string, text: string, type = "application/json"): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken the blob by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

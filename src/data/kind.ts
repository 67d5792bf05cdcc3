import { isBestOfN } from "./best-of-n.ts";
import { readRows } from "./rows.ts";

/**
 * Tells from the first readable row whether a file holds ratings, pairs or responses to choose from; `ratings` where no row
 * can be read, so that reading them says why.
 *
 * @throws {InputError} Those of `readRows`.
 */
export async function detectKind(path: string): Promise<"ratings" | "pairs" | "best-of-n"> {
  for await (const row of readRows(path)) {
    if (row.kind === "error" || typeof row.value !== "object" || row.value === null) continue;
    // Responses without labels are refused by the reader of this kind, with the words that help.
    const { responses } = row.value as { responses?: unknown };
    if (isBestOfN(row.value) || Array.isArray(responses)) return "best-of-n";
    return "chosen" in row.value || "rejected" in row.value ? "pairs" : "ratings";
  }
  return "ratings";
}

import { isBestOfN } from "./best-of-n.ts";
import { formatNamed } from "./formats/formats.ts";
import type { DataLocation } from "./location.ts";
import { readRows } from "./rows.ts";

/**
 * Tells from the format of a location, or else from its first readable row, whether it holds ratings, pairs or responses to
 * choose from; `ratings` where no row can be read, so that reading them says why.
 *
 * @throws {InputError} Those of `readRows`; `unknown-format`.
 */
export async function detectKind({ path, format }: DataLocation): Promise<"ratings" | "pairs" | "best-of-n"> {
  if (format !== undefined) return formatNamed(format).kind;
  for await (const row of readRows(path)) {
    if (row.kind === "error" || typeof row.value !== "object" || row.value === null) continue;
    // Responses without labels are refused by the reader of this kind, with the words that help.
    const { responses } = row.value as { responses?: unknown };
    if (isBestOfN(row.value) || Array.isArray(responses)) return "best-of-n";
    return "chosen" in row.value || "rejected" in row.value ? "pairs" : "ratings";
  }
  return "ratings";
}

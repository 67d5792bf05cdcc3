import { formatNamed } from "./formats/formats.ts";
import type { DataLocation } from "./location.ts";
import { readRows } from "./rows.ts";

/**
 * Tells from the format of a location, or else from its first readable row, whether it holds ratings or pairs; `ratings`
 * where no row can be read, so that reading them says why.
 *
 * @throws {InputError} Those of `readRows`; `unknown-format`.
 */
export async function detectKind({ path, format }: DataLocation): Promise<"ratings" | "pairs"> {
  if (format !== undefined) return formatNamed(format).kind;
  for await (const row of readRows(path)) {
    if (row.kind === "error" || typeof row.value !== "object" || row.value === null) continue;
    return "chosen" in row.value || "rejected" in row.value ? "pairs" : "ratings";
  }
  return "ratings";
}

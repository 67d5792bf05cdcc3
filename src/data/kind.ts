import { readRows } from "./rows.ts";

/**
 * Tells from the first readable row whether a file holds ratings or pairs; `ratings` where no row can be read, so that
 * reading them says why.
 *
 * @throws {InputError} Those of `readRows`.
 */
export async function detectKind(path: string): Promise<"ratings" | "pairs"> {
  for await (const row of readRows(path)) {
    if (row.kind === "error" || typeof row.value !== "object" || row.value === null) continue;
    return "chosen" in row.value || "rejected" in row.value ? "pairs" : "ratings";
  }
  return "ratings";
}

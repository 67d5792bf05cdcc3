import { readFile } from "node:fs/promises";
import { InputError } from "../errors.ts";

/**
 * Reads accuracies by subset, shares in [0, 1], from a JSON object.
 *
 * @throws {InputError} `missing-file`, `malformed-json`, `bad-accuracies` where a value is no share.
 */
export async function readAccuracies(path: string): Promise<Record<string, number>> {
  const remedy = 'give a JSON object such as {"alpacaeval-easy": 0.97}';
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InputError("missing-file", `${path}: expected a file, got ${code}`, remedy);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError("malformed-json", `${path}: expected JSON, got something else`, remedy);
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const entries = isObject ? Object.entries(value as object) : [];
  if (entries.length === 0) {
    throw new InputError("bad-accuracies", `${path}: expected accuracies by subset, got none`, remedy);
  }
  for (const [subset, accuracy] of entries) {
    if (typeof accuracy === "number" && accuracy >= 0 && accuracy <= 1) continue;
    const got = JSON.stringify(accuracy);
    throw new InputError(
      "bad-accuracies",
      `${path}: ${subset}: expected a share from 0 to 1, got ${got}`,
      remedy,
    );
  }
  return Object.fromEntries(entries);
}

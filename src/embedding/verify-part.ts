// Whether the file of a part holds what it should: the one judgement of those who make parts, merge them, and read them unmerged.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { readSafetensorsHeader, type SafetensorsHeader } from "../checkpoint/safetensors-header.ts";
import { InputError } from "../errors.ts";
import type { EmbeddingManifest } from "./manifest.ts";
import { type PartInfo, readPartMetadata } from "./part.ts";
import { describePart, type PartSummary, summarizePart } from "./set-description.ts";

/** A part that is whole, or one line about what is wrong with its file; that is null where there is no file. */
export type VerifiedPart =
  | { readonly part: PartSummary }
  | { readonly part: null; readonly damage: string | null };

/**
 * Looks at part `index` of a set, counted from 0: it must have the id of its stretch, a file of the right length, as many rows of numbers
 * as it names, and account for each row of its stretch once, embedded or rejected.
 *
 * Cost: its header is read, none of its tensors.
 */
export async function verifyPart(
  directory: string,
  set: EmbeddingManifest,
  index: number,
): Promise<VerifiedPart> {
  const { file, id, start, end } = describePart(set, index);
  const path = join(directory, file);
  if (!existsSync(path)) return { part: null, damage: null };
  const damaged = (what: string) => ({ part: null, damage: `${path}: ${what}` });
  const header = await headerOf(path);
  const known = header && readPartMetadata(header.metadata, id);
  if (!known) return damaged("no part of this set, or cut");
  const wrong = accountFor(known, start, end);
  if (wrong !== null) return damaged(wrong);
  const counted = header.tensors.get(set.kind === "best-of-n" ? "response_counts" : "embeddings");
  const rows = counted?.shape[0];
  if (rows !== known.rows.length) {
    return damaged(`expected ${known.rows.length} rows of numbers, got ${rows ?? "none"}`);
  }
  return { part: summarizePart({ file, id, ...known }) };
}

/** Null for a file that is no safetensors file any more. */
async function headerOf(path: string): Promise<SafetensorsHeader | null> {
  try {
    return await readSafetensorsHeader(path);
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

/** Each row of `[start, end)` once: embedded or rejected. */
function accountFor(
  { rows, rejections }: Pick<PartInfo, "rows" | "rejections">,
  start: number,
  end: number,
): string | null {
  const numbers = [...rows, ...rejections].map(({ row }) => row).sort((a, b) => a - b);
  if (numbers.length !== end - start) return `expected ${end - start} rows, got ${numbers.length}`;
  const wrong = numbers.findIndex((row, i) => row !== start + i);
  return wrong < 0 ? null : `expected row ${start + wrong}, got ${numbers[wrong]}`;
}

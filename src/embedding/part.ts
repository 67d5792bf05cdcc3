import { join } from "node:path";
import { readSafetensorsHeader, type Tensor, writeSafetensors } from "../checkpoint/safetensors.ts";
import type { Rejection } from "./manifest.ts";

/** What is known of an embedded row beside its numbers. */
export interface RowInfo {
  /** Number of the row over all data files, from 0. */
  readonly row: number;
  readonly id: string | number | null;
  readonly source: string;
  readonly subset: string | null;
  readonly promptHash: string;
  /** Of best-of-N rows: the final answer of each response, normalised, null where it has none. */
  readonly finalAnswers?: readonly (string | null)[];
  /** Of a pair whose data say how much better the chosen response is. */
  readonly margin?: number;
}

/** One file of an embedding set: the rows of one stretch of the data, and those of them that were rejected. */
export interface PartInfo {
  readonly file: string;
  readonly id: string;
  readonly rows: readonly RowInfo[];
  readonly rejections: readonly Rejection[];
}

/** `ratings-00001-of-00008.safetensors` */
export function partFile(kind: string, index: number, count: number): string {
  const number = (n: number) => String(n).padStart(5, "0");
  return `${kind}-${number(index + 1)}-of-${number(count)}.safetensors`;
}

/** Writes a part atomically. Rows and rejections travel in the file's metadata, so a part is one file or none. */
export async function writePart(
  directory: string,
  part: PartInfo,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<void> {
  await writeSafetensors(join(directory, part.file), tensors, {
    part: part.id,
    rows: JSON.stringify(part.rows),
    rejections: JSON.stringify(part.rejections),
  });
}

/** Reads what a part holds, or null where there is no such file or it belongs to another run. */
export async function readPart(directory: string, file: string, id: string): Promise<PartInfo | null> {
  let metadata: ReadonlyMap<string, string>;
  try {
    ({ metadata } = await readSafetensorsHeader(join(directory, file)));
  } catch {
    return null;
  }
  if (metadata.get("part") !== id) return null;
  const list = (key: string) => JSON.parse(metadata.get(key) ?? "[]");
  return { file, id, rows: list("rows"), rejections: list("rejections") };
}

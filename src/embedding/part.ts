import { join } from "node:path";
import { type Tensor, writeSafetensors } from "../checkpoint/safetensors.ts";
import { InputError } from "../errors.ts";
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

/** What is known of rows and of best-of-N responses fills the header of a part, which may hold 100 MB: 763 bytes for each of these. */
const MOST_PER_PART = 2 ** 17;

/**
 * @param mostResponses Of one row of best-of-N data; of other rows 1.
 * @throws {InputError} `bad-part-rows` for parts of so many rows that their headers could not be read again.
 */
export function requirePartRows(partRows: number, mostResponses: number): void {
  const most = Math.max(1, Math.floor(MOST_PER_PART / mostResponses));
  if (partRows <= most) return;
  throw new InputError(
    "bad-part-rows",
    `rows per part: expected at most ${most}, got ${partRows}`,
    "choose fewer: --part-rows, or partRows; a set of such parts that was begun before has to be begun anew",
  );
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

/** What a part's metadata say of its rows; null where they are not what `writePart` wrote under this id. */
export function readPartMetadata(
  metadata: ReadonlyMap<string, string>,
  id: string,
): Pick<PartInfo, "rows" | "rejections"> | null {
  if (metadata.get("part") !== id) return null;
  const [rows, rejections] = [listIn<RowInfo>(metadata, "rows"), listIn<Rejection>(metadata, "rejections")];
  return rows && rejections && { rows, rejections };
}

function listIn<T>(metadata: ReadonlyMap<string, string>, key: string): T[] | null {
  let list: unknown;
  try {
    list = JSON.parse(metadata.get(key) ?? "");
  } catch {
    return null;
  }
  const isList = Array.isArray(list) && list.every((item) => typeof item === "object" && item !== null);
  return isList ? (list as T[]) : null;
}

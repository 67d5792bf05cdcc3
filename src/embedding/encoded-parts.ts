// The rows of each part, read, parsed and tokenized.

import { setImmediate } from "node:timers/promises";
import { type EncodeContext, type EncodedRow, encodeRecord } from "./encode.ts";
import type { Rejection } from "./manifest.ts";
import {
  describeError,
  type LocatedSelection,
  type NumberedRecord,
  numberedRecords,
  strictly,
} from "./survey.ts";

/** A part as token ids, or one that is there already. */
export interface EncodedPart<There> {
  readonly index: number;
  /** Rows of the data up to its end. */
  readonly endRow: number;
  /** Of a part that is there, what is known of it; its rows are not encoded then. */
  readonly there: There | null;
  readonly rows: readonly EncodedRow[];
  readonly rejections: readonly Rejection[];
}

export interface EncodedPartsOptions<There> {
  readonly selection: LocatedSelection;
  readonly context: EncodeContext;
  readonly partRows: number;
  /** The stretch of the data to encode; its first row begins a part. */
  readonly firstRow: number;
  readonly endRow: number;
  /** What is known of a part that is there already, else null. */
  readonly partAt: (index: number) => Promise<There | null>;
  /** Throw the first row that cannot be read, instead of rejecting it. */
  readonly strict: boolean;
  /** Ends early, with a part that is not whole left out. */
  readonly stop: AbortSignal;
}

/** Work of this length at a time leaves timers, connections and other processes their turn. */
const SLICE_MS = 10;

/**
 * Encodes a stretch of the data, part by part.
 *
 * @throws {InputError} `bad-row` if strict; those of the readers. An Error if the data ends before `endRow`.
 */
export async function* encodedParts<There>(
  options: EncodedPartsOptions<There>,
): AsyncGenerator<EncodedPart<There>> {
  const { selection, context, partRows, firstRow, endRow, partAt, strict, stop } = options;
  if (firstRow === endRow) return;
  let index = firstRow / partRows;
  let there = await partAt(index);
  let rows: EncodedRow[] = [];
  let rejections: Rejection[] = [];
  let sliceEnd = performance.now() + SLICE_MS;
  for await (const numbered of numberedRecords(selection)) {
    if (performance.now() >= sliceEnd) {
      await setImmediate();
      if (stop.aborted) return;
      sliceEnd = performance.now() + SLICE_MS;
    }
    const { row } = numbered;
    if (row < firstRow) continue;
    if (there === null) {
      const result = encodeNumbered(numbered, context);
      if ("info" in result) rows.push(result);
      else if (strict) throw strictly(result.reason);
      else rejections.push(result);
    }
    const end = row + 1;
    if (end % partRows !== 0 && end !== endRow) continue;
    yield { index, endRow: end, there, rows, rejections };
    if (end === endRow) return;
    rows = [];
    rejections = [];
    there = await partAt(++index);
  }
  throw new Error(`embed: expected rows up to ${endRow} on the second reading, got fewer`);
}

function encodeNumbered(
  { row, source, record }: NumberedRecord,
  context: EncodeContext,
): EncodedRow | Rejection {
  const result =
    record.kind === "error"
      ? { rejected: describeError(record), kind: "invalid" as const }
      : encodeRecord(record, row, context);
  if ("info" in result) return result;
  const subset = "subset" in record ? (record.subset ?? null) : null;
  const prompt = record.kind === "error" ? {} : { promptHash: record.promptHash };
  return { row, id: record.id, source, subset, ...prompt, kind: result.kind, reason: result.rejected };
}

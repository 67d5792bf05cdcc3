// Rows whose hidden states are not finite are rejected like others that cannot be used; an engine that gives nothing else ends the run.

import { areFinite } from "../backbone/finite-states.ts";
import { InputError } from "../errors.ts";
import type { EncodedRow } from "./encode.ts";
import type { EncodedPart } from "./encoded-parts.ts";
import type { Rejection } from "./manifest.ts";
import { strictly } from "./survey.ts";

/** So many rows of a part and no finite one among them may still be the fault of the data. */
const MOST_BY_CHANCE = 8;

const REASON = "hidden states not finite: expected numbers, got NaN or infinity";

/** What of a part can be written. */
export interface FiniteRows {
  readonly rows: readonly EncodedRow[];
  /** One per request of these rows. */
  readonly states: readonly Float32Array[];
  /** Of the part, in the order of the data. */
  readonly rejections: readonly Rejection[];
}

/**
 * Rejects the rows of a part whose states are not all finite.
 *
 * @param states One per request of the part's rows.
 * @param begun Whether the set has rows already, which says that the backbone can be right.
 * @throws {InputError} `bad-row` if strict; `not-finite` where that is every row, except for a few of a set that has begun.
 */
export function rejectNotFinite(
  { rows, rejections }: Pick<EncodedPart<unknown>, "rows" | "rejections">,
  states: readonly Float32Array[],
  { strict, begun }: { readonly strict: boolean; readonly begun: boolean },
): FiniteRows {
  const finite = { rows: [] as EncodedRow[], states: [] as Float32Array[] };
  const rejected: Rejection[] = [];
  let request = 0;
  for (const row of rows) {
    const own = states.slice(request, request + row.requests.length);
    request += row.requests.length;
    if (own.every(areFinite)) {
      finite.rows.push(row);
      finite.states.push(...own);
      continue;
    }
    const { id, source, subset, promptHash } = row.info;
    const reason = `${source}: row ${row.info.row} (id ${id}): ${REASON}`;
    if (strict) throw strictly(reason);
    rejected.push({ row: row.info.row, id, source, subset, promptHash, kind: "invalid", reason });
  }
  const none = rows.length > 0 && rejected.length === rows.length;
  if (none && (rows.length > MOST_BY_CHANCE || !begun)) throw broken();
  return { ...finite, rejections: [...rejections, ...rejected].sort((a, b) => a.row - b.row) };
}

const broken = (): InputError =>
  new InputError(
    "not-finite",
    "embed: expected finite hidden states, got NaN or infinity for every row of a part",
    "compute in bf16 or f32, whose values do not outgrow their range as f16's do; or get the checkpoint again: its weights may be damaged",
  );

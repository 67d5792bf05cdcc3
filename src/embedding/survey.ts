import { basename } from "node:path";
import { readBestOfN } from "../data/best-of-n.ts";
import type { LocatedData } from "../data/data-files.ts";
import { describeFile } from "../data/describe-file.ts";
import { type Doubt, openDoubts } from "../data/doubts.ts";
import type { FormatOptions } from "../data/formats/formats.ts";
import type { DataLocation } from "../data/location.ts";
import { expandObjectives } from "../data/objective-selection.ts";
import { readPairs } from "../data/pairs.ts";
import { type DeclaredScale, requireScalesUsed, scaleOf } from "../data/rating-scale.ts";
import { type RatingsOptions, readRatings } from "../data/ratings.ts";
import { placeOf, type RowError } from "../data/records.ts";
import { InputError } from "../errors.ts";
import type { Embeddable } from "./encode.ts";
import type { EmbeddingKind, ObjectiveSummary, Rejection } from "./manifest.ts";

export interface DataSelection {
  readonly kind: EmbeddingKind;
  readonly data: readonly DataLocation[];
  readonly objectives?: readonly string[];
  readonly scales?: readonly DeclaredScale[];
  readonly limit?: number;
  readonly onFormat?: FormatOptions["onFormat"];
  /** Stop at the first row that cannot be used, or that is odd (`openDoubts`). Default false. */
  readonly strict?: boolean;
  /** Called once, if rows are odd that can be used all the same. */
  readonly onDoubts?: (doubts: readonly Doubt[]) => void;
}

/** A selection whose files have been found. */
export interface LocatedSelection extends DataSelection {
  readonly data: readonly (DataLocation & { readonly located: LocatedData })[];
}

/** What the data holds, before anything expensive begins. */
export interface Survey {
  /** Rows, unusable ones included. */
  readonly rows: number;
  readonly usable: number;
  /** Responses of the row that has most of them. */
  readonly mostResponses: number;
  /** Rows of the files that were passed over, because none of the objectives asked for is rated; null with a limit. */
  readonly rowsUnrated: number | null;
  /** Some of the usable records, evenly spread over the data. */
  readonly sample: readonly SampledRecord[];
  readonly objectives: readonly ObjectiveSummary[];
  readonly files: readonly {
    readonly source: string;
    /** Its name without folders, or on the hub `org/name@<commit>:config/split`. */
    readonly file: string;
    readonly sha256: string;
    readonly rows: number;
  }[];
}

/** A usable record of a survey's sample. */
export interface SampledRecord {
  /** With a few of its responses if it has many. */
  readonly record: Embeddable;
  /** Responses of the record for each one that was kept. */
  readonly weight: number;
}

/** A record and its number over all data files. */
export interface NumberedRecord {
  readonly row: number;
  readonly source: string;
  readonly record: Embeddable | RowError;
}

/** The records of a selection, numbered; unusable rows are records too. */
export async function* numberedRecords(
  selection: LocatedSelection & Pick<RatingsOptions, "onUnrated">,
): AsyncGenerator<NumberedRecord> {
  const { kind, data, limit = Number.POSITIVE_INFINITY } = selection;
  const readers = {
    ratings: () => readRatings(data, selection),
    pairs: () => readPairs(data, selection),
    "best-of-n": () => readBestOfN(data),
  };
  const records = readers[kind]();
  let row = 0;
  for await (const record of records) {
    if (row >= limit) return;
    yield { row, source: record.source!, record }; // These readers say it of rows that cannot be used, too.
    row++;
  }
}

/**
 * Counts rows and objectives, samples records, and hashes the files.
 *
 * Cost: one pass that parses, one that hashes and counts rows. Memory: the objectives, the sample, and what `openDoubts` keeps of ids.
 *
 * @throws {InputError} `no-usable-rows` if no row can be used; `unknown-objective`, `unused-scale`; those of the readers.
 */
export async function surveyData(selection: LocatedSelection): Promise<Survey> {
  const found = new Map<string, { -readonly [K in keyof ObjectiveSummary]: ObjectiveSummary[K] }>();
  let rows = 0;
  let firstError: RowError | null = null;
  let [usable, mostResponses] = [0, 0];
  const sample = evenSample<SampledRecord>();
  let rowsUnrated = 0;
  const onUnrated = () => void rowsUnrated++;
  const doubts = openDoubts();
  for await (const { record, row } of numberedRecords({ ...selection, onUnrated })) {
    rows++;
    if (record.kind === "error") {
      if (selection.strict) throw strictly(describeError(record));
      firstError ??= record;
      continue;
    }
    const odd = doubts.look(record, row);
    if (odd !== null && selection.strict) throw strictly(odd);
    sample.offer(thinned(record));
    usable++;
    mostResponses = Math.max(mostResponses, record.kind === "best-of-n" ? record.responses.length : 1);
    if (record.kind !== "rating") continue;
    for (const [name, rating] of Object.entries(record.ratings)) {
      const known = found.get(name);
      if (known) {
        known.rows++;
        known.minimum = Math.min(known.minimum, rating);
        known.maximum = Math.max(known.maximum, rating);
      } else found.set(name, { name, source: record.source, rows: 1, minimum: rating, maximum: rating });
    }
  }
  if (usable === 0) {
    const example = firstError ? `; the first: ${firstError.error}` : "";
    throw new InputError(
      "no-usable-rows",
      `${selection.data.map(({ path }) => path).join(", ")}: expected usable rows, got none of ${rows}${example}`,
      "mend the rows, or raise --limit",
    );
  }
  if (doubts.found().length > 0) selection.onDoubts?.(doubts.found());
  const names = [...found.keys()];
  const asked = selection.kind === "ratings" ? selection.objectives : undefined;
  const order = asked ? expandObjectives(asked, names) : names;
  requireScalesUsed(selection.scales ?? [], order);
  const files = await Promise.all(
    selection.data.map(async ({ source, path, located }) => {
      const { sha256, rows: count } = await describeFile(located);
      const { name, onHub } = located;
      return { source, file: onHub ? name : basename(path), sha256, rows: count };
    }),
  );
  return {
    rows,
    usable,
    mostResponses,
    rowsUnrated: selection.limit === undefined ? rowsUnrated : null,
    sample: sample.taken,
    objectives: order.map((name) => withScale(found.get(name)!, selection.scales ?? [])),
    files,
  };
}

/** A row that cannot be used: where it stands, and why. */
export const describeError = (record: RowError): string =>
  `${basename(record.file)}: ${placeOf(record)}: ${record.error}`;

/** What ends a run that is to be strict. */
export const strictly = (reason: string): InputError =>
  new InputError("bad-row", reason, "mend the row, or leave --strict out to count such rows and go on");

/** Rejected rows of parts that are there already end a strict run, too. @throws {InputError} `bad-row` */
export function requireNoRejections([first]: readonly Rejection[]): void {
  if (first !== undefined) throw strictly(first.reason);
}

/** Responses of a sampled record: tokenizing a thousand says no more about their lengths. */
const SAMPLED_RESPONSES = 8;

function thinned(record: Embeddable): SampledRecord {
  if (record.kind !== "best-of-n" || record.responses.length <= SAMPLED_RESPONSES) {
    return { record, weight: 1 };
  }
  const count = record.responses.length;
  const step = count / SAMPLED_RESPONSES;
  const responses = Array.from(
    { length: SAMPLED_RESPONSES },
    (_, i) => record.responses[Math.floor(i * step)]!,
  );
  return { record: { ...record, responses, labels: [], finalAnswers: null }, weight: step };
}

/** A declared scale goes with the objective into the manifest. */
function withScale(objective: ObjectiveSummary, scales: readonly DeclaredScale[]): ObjectiveSummary {
  const declared = scaleOf(objective.name, scales);
  if (declared === null) return objective;
  const { multiply, add } = declared;
  return { ...objective, scale: { multiply, add } };
}

const SAMPLE = 64;

/** Every n-th of what is offered, n such that between `SAMPLE` and twice as many are kept. */
function evenSample<T>() {
  let every = 1;
  let offered = 0;
  let taken: T[] = [];
  return {
    get taken(): readonly T[] {
      return taken;
    },
    offer(value: T): void {
      if (offered++ % every !== 0) return;
      taken.push(value);
      if (taken.length < 2 * SAMPLE) return;
      taken = taken.filter((_, i) => i % 2 === 0);
      every *= 2;
    },
  };
}

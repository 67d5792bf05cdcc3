import { createHash } from "node:crypto";
import type { InputError } from "../errors.ts";
import { spokenTwice } from "./doubts.ts";
import { badRow, rowId } from "./fields.ts";
import { formatReader } from "./formats/formats.ts";
import { LengthSample, type LengthSummary } from "./lengths.ts";
import type { DataLocation } from "./location.ts";
import { selectObjectives } from "./objective-selection.ts";
import { promptHash } from "./prompt-hash.ts";
import { type DeclaredScale, requireInScale } from "./rating-scale.ts";
import { type RejectedRows, RejectionCount } from "./rejections.ts";
import type { Row } from "./row.ts";
import { type DataKind, kindOf, partsOf, type RowParts } from "./row-parts.ts";
import { readRows, rejectRow } from "./rows.ts";

export interface ObjectiveSummary {
  readonly name: string;
  readonly rated: number;
  readonly missing: number;
  readonly minimum: number;
  readonly mean: number;
  readonly maximum: number;
}

export interface DataDescription {
  readonly file: string;
  readonly kind: DataKind;
  /** The format that was recognised or asked for; null for rows of armorm's own shapes other than ratings and pairs. */
  readonly format: string | null;
  /** Rows that could be used; of a row with several rated responses, each counts. */
  readonly rows: number;
  readonly rejected: RejectedRows;
  /** Usable rows in which the user or the assistant speaks twice in a row; some chat templates refuse them. */
  readonly notAlternating: RejectedRows;
  /** Distinct prompts, by hash. */
  readonly prompts: number;
  readonly duplicates: {
    /** Rows equal to an earlier one, byte for byte. */
    readonly rows: number;
    /** Rows with the `id` of an earlier one. */
    readonly ids: number;
    /** Rows with the prompt and the responses of an earlier one, whatever else they hold. */
    readonly contents: number;
    /** Pairs that prefer what an earlier pair rejected; null for other kinds. */
    readonly contradictions: number | null;
  };
  /** For ratings; empty for other kinds. */
  readonly objectives: readonly ObjectiveSummary[];
  /** Rows by subset, for pairs that name one. */
  readonly subsets: Readonly<Record<string, number>>;
  /** Of the prompt and of what answers it, by part: `prompt`, `response`, or `chosen` and `rejected`. */
  readonly lengths: Readonly<Record<string, LengthSummary>>;
  /** Share of pairs whose chosen response is the longer one, equal lengths counting half; null for other kinds. */
  readonly chosenLonger: { readonly characters: number; readonly words: number } | null;
}

export interface DescribeOptions {
  /**
   * Ratings that stand as columns of their own, by full name or pattern. Default: those of recognised formats; otherwise
   * ratings are found in their field.
   */
  readonly objectives?: readonly string[];
  /** Declared scales: a row with a rating outside its range counts as rejected. Default: none. */
  readonly scales?: readonly DeclaredScale[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (rows: number) => void;
}

/**
 * Looks through a file of rows of any kind; the first row that can be told decides what the others must be.
 *
 * @throws {InputError} Those of `readRows`.
 *
 * Cost: one pass; memory is four hashes and a few counts per row.
 */
export async function describeData(
  location: DataLocation,
  { objectives, scales = [], signal, onProgress }: DescribeOptions = {},
): Promise<DataDescription> {
  const rejections = new RejectionCount();
  const turns = new RejectionCount();
  const found = new Findings();
  const columns = objectives && selectObjectives(objectives);
  const reader = formatReader(location, null, { named: columns !== undefined });
  let kind: DataKind | null = null;
  let read = 0;
  for await (const row of readRows(location.path)) {
    signal?.throwIfAborted();
    read++;
    onProgress?.(read);
    if (row.kind === "error") {
      rejections.add(row);
      continue;
    }
    found.addRow(row);
    try {
      for (const own of reader.toOwn(row.value)) {
        kind ??= kindOf(own, location, columns);
        try {
          const parts = partsOf(own, kind ?? "conversations", location, columns);
          for (const [name, rating] of Object.entries(parts.ratings ?? {}))
            requireInScale(rating, name, scales);
          found.add(parts);
          const twice = turnsRefusal(parts);
          if (twice !== null) turns.add(rejectRow(row, twice));
        } catch (error) {
          rejections.add(rejectRow(row, error));
        }
      }
    } catch (error) {
      rejections.add(rejectRow(row, error));
    }
  }
  return {
    file: location.path,
    kind: kind ?? "conversations",
    format: reader.format?.name ?? null,
    rejected: rejections.rows,
    notAlternating: turns.rows,
    ...found.describe(kind ?? "conversations"),
  };
}

/** The refusal of a conversation in which one side speaks twice in a row, as a value; null where turns alternate. */
function turnsRefusal({ prompt, responses }: RowParts): InputError | null {
  const roles = [...prompt.map(({ role }) => role), ...(responses.length > 0 ? ["assistant"] : [])];
  const twice = spokenTwice(roles);
  if (twice === null) return null;
  return badRow(
    `turns: expected ones that alternate, got two of the ${twice} in a row`,
    "join the two where a chat template refuses them",
  );
}

/** What has been seen of a file so far. */
class Findings {
  #rows = 0;
  readonly #prompts = new Set<string>();
  readonly #bytes = new Set<string>();
  readonly #contents = new Set<string>();
  readonly #ids = new Set<string>();
  #equalRows = 0;
  #equalIds = 0;
  #equalContents = 0;
  #contradictions = 0;
  readonly #ratings = new Map<string, { rated: number; minimum: number; sum: number; maximum: number }>();
  readonly #subsets = new Map<string, number>();
  readonly #lengths = new Map<string, LengthSample>();
  #pairs = 0;
  #longer = { characters: 0, words: 0 };

  /** What can be said of a row whether it can be used or not. */
  addRow({ value, bytes }: Row): void {
    if (!addNew(this.#bytes, digest(bytes))) this.#equalRows++;
    const id = rowId(value);
    if (id !== null && !addNew(this.#ids, digest(JSON.stringify(id)))) this.#equalIds++;
  }

  add({ prompt, responses, ratings = {}, subset }: RowParts): void {
    this.#rows++;
    const hash = promptHash(prompt);
    this.#prompts.add(hash);
    const texts = responses.map(([, text]) => text);
    if (!addNew(this.#contents, digest(JSON.stringify([hash, texts])))) this.#equalContents++;
    for (const [name, rating] of Object.entries(ratings)) this.#rate(name, rating);
    if (typeof subset === "string") this.#subsets.set(subset, (this.#subsets.get(subset) ?? 0) + 1);
    this.#measure("prompt", prompt.map(({ content }) => content).join("\n"));
    const measured = responses.map(([part, text]) => this.#measure(part, text));
    if (responses[0]?.[0] !== "chosen") return;
    const [chosen, rejected] = [measured[0]!, measured[1]!];
    this.#pairs++;
    for (const unit of ["characters", "words"] as const) {
      this.#longer[unit] += (Math.sign(chosen[unit] - rejected[unit]) + 1) / 2;
    }
    if (this.#contents.has(digest(JSON.stringify([hash, texts.toReversed()])))) this.#contradictions++;
  }

  describe(
    kind: DataKind,
  ): Omit<DataDescription, "file" | "kind" | "format" | "rejected" | "notAlternating"> {
    const pairs = this.#pairs;
    return {
      rows: this.#rows,
      prompts: this.#prompts.size,
      duplicates: {
        rows: this.#equalRows,
        ids: this.#equalIds,
        contents: this.#equalContents,
        contradictions: kind === "pairs" ? this.#contradictions : null,
      },
      objectives: [...this.#ratings].map(([name, { rated, minimum, sum, maximum }]) => ({
        name,
        rated,
        missing: this.#rows - rated,
        minimum,
        mean: sum / rated,
        maximum,
      })),
      subsets: Object.fromEntries(this.#subsets),
      lengths: Object.fromEntries([...this.#lengths].map(([part, sample]) => [part, sample.summary()])),
      chosenLonger:
        pairs === 0
          ? null
          : { characters: this.#longer.characters / pairs, words: this.#longer.words / pairs },
    };
  }

  #rate(name: string, rating: number): void {
    const seen = this.#ratings.get(name);
    if (!seen) this.#ratings.set(name, { rated: 1, minimum: rating, sum: rating, maximum: rating });
    else {
      seen.rated++;
      seen.sum += rating;
      seen.minimum = Math.min(seen.minimum, rating);
      seen.maximum = Math.max(seen.maximum, rating);
    }
  }

  #measure(part: string, text: string): { characters: number; words: number } {
    let sample = this.#lengths.get(part);
    if (!sample) {
      sample = new LengthSample();
      this.#lengths.set(part, sample);
    }
    return sample.add(text);
  }
}

function addNew(set: Set<string>, key: string): boolean {
  if (set.has(key)) return false;
  set.add(key);
  return true;
}

/** 132 bits, as a short string. */
function digest(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("base64url").slice(0, 22);
}

import { InputError } from "../errors.ts";
import { placeOf, type RowError } from "./records.ts";

/** Rows that could not be used: how many, and the first of them. */
export interface RejectedRows {
  readonly count: number;
  /** `FILE: line N: what is wrong` (`row N` of a table), or null where there is none. */
  readonly first: string | null;
}

/** Counts rejected rows; with `strict` the first one is thrown instead. */
export class RejectionCount {
  readonly #strict: boolean;
  #count = 0;
  #first: string | null = null;

  constructor(strict = false) {
    this.#strict = strict;
  }

  /** @throws {InputError} `bad-row`, if strict. */
  add(row: RowError): void {
    const what = `${row.file}: ${placeOf(row)}: ${row.error}`;
    if (this.#strict) throw new InputError("bad-row", what, "mend the row, or leave --strict out");
    this.#count++;
    this.#first ??= what;
  }

  get rows(): RejectedRows {
    return { count: this.#count, first: this.#first };
  }
}

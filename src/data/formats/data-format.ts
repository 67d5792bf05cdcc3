import type { Fields } from "../fields.ts";

/** A shape that rows of public data sets have, and how it becomes armorm's own. */
export interface DataFormat {
  /** As `--format` takes it. */
  readonly name: string;
  readonly kind: "ratings" | "pairs";
  /** For people: `HelpSteer, five ratings as columns`. */
  readonly title: string;
  /** Whether a row has this shape; nulls are left out of its fields. */
  fits(row: Fields): boolean;
  /**
   * The row as rows of armorm's own shape (docs/formats.md), one or several. Null counts as absent.
   *
   * @param named Whether objectives are named, so that ratings in columns are found by their names.
   * @throws {InputError} `bad-row` where it lacks what the format needs.
   */
  toOwn(row: Fields, named: boolean): readonly Fields[];
}

// The formats that are recognised, and the reading of rows by them.

import { InputError } from "../../errors.ts";
import { type Fields, fieldsOf } from "../fields.ts";
import type { DataLocation } from "../location.ts";
import type { DataFormat } from "./data-format.ts";
import { HELPSTEER } from "./helpsteer.ts";
import { OBJECTIVE_COLUMNS } from "./objective-columns.ts";
import { CONVERSATIONS, LAST_MESSAGES, REWARD_BENCH } from "./pair-shapes.ts";
import { TRANSCRIPTS } from "./transcripts.ts";
import { ULTRAFEEDBACK } from "./ultrafeedback.ts";

const own = (kind: DataFormat["kind"], fits: DataFormat["fits"]): DataFormat => ({
  name: kind,
  kind,
  title: `armorm's own ${kind}`,
  fits,
  toOwn: (row) => [row],
});

/** armorm's own formats, which need no word. */
const OWN = {
  ratings: own("ratings", (row) =>
    ["ratings", "attributes", "labels"].some((name) => typeof row[name] === "object"),
  ),
  pairs: own("pairs", (row) => row.chosen !== undefined || row.rejected !== undefined),
} as const;

/** In the order in which they are tried: the narrower ones first. */
export const FORMATS: readonly DataFormat[] = [
  ULTRAFEEDBACK,
  OWN.ratings,
  HELPSTEER,
  OBJECTIVE_COLUMNS,
  TRANSCRIPTS,
  REWARD_BENCH,
  CONVERSATIONS,
  LAST_MESSAGES,
  OWN.pairs,
];

/** @throws {InputError} `unknown-format` */
export function formatNamed(name: string): DataFormat {
  const format = FORMATS.find((each) => each.name === name);
  if (format) return format;
  throw new InputError(
    "unknown-format",
    `format: expected one of ${FORMATS.map((each) => each.name).join(", ")}, got "${name}"`,
    "leave it out: formats are recognised",
  );
}

/** What a format is, for people; null for armorm's own, which need no word. */
export function titleOf(name: string | null): string | null {
  const format = name === null ? null : formatNamed(name);
  return format === null || isOwn(format) ? null : format.title;
}

const isOwn = (format: DataFormat): boolean => format === OWN.ratings || format === OWN.pairs;

/** The format of a row, or null where nothing is recognised. */
export function recogniseFormat(value: unknown): DataFormat | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const row = fieldsOf(value, "columns");
  return FORMATS.find((format) => format.fits(row)) ?? null;
}

export interface FormatOptions {
  /** Whether objectives are named. Default false. */
  readonly named?: boolean;
  /** Called once, when the format is known and not armorm's own. */
  readonly onFormat?: ((location: DataLocation, format: DataFormat) => void) | undefined;
}

/** How the rows of one location are read. */
export interface FormatReader {
  /** Null until a row was recognised. */
  readonly format: DataFormat | null;
  /** A row as rows of armorm's own shape. */
  toOwn(value: unknown): readonly unknown[];
}

/**
 * Reads the rows of a location in the format that it names or else in that of its first row. Rows that nothing is
 * recognised in pass as they are: whoever reads them says what they lack.
 *
 * @param kind What is asked for; other formats are then not recognised, and not allowed. Default: any.
 * @throws {InputError} `unknown-format`, `wrong-format`.
 */
export function formatReader(
  location: DataLocation,
  kind: DataFormat["kind"] | null,
  { named = false, onFormat }: FormatOptions = {},
): FormatReader {
  let format = location.format === undefined ? null : formatNamed(location.format);
  if (format && kind !== null && format.kind !== kind) {
    throw new InputError(
      "wrong-format",
      `format: expected a format of ${kind}, got ${format.name}, one of ${format.kind}`,
      `give one of ${FORMATS.filter((each) => each.kind === kind)
        .map(({ name }) => name)
        .join(", ")}, or leave it out`,
    );
  }
  let said = false;
  return {
    get format() {
      return format;
    },
    toOwn(value) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return [value];
      if (format === null) {
        const found = recogniseFormat(value);
        if (found === null || (kind !== null && found.kind !== kind)) return [value];
        format = found;
      }
      if (!said && !isOwn(format)) onFormat?.(location, format);
      said = true;
      return format.toOwn(value as Fields, named);
    },
  };
}

import type { RowError } from "./records.ts";

/** One parsed row and where it stands. */
export interface Row {
  readonly kind: "row";
  readonly file: string;
  readonly line: number;
  readonly unit?: "row";
  readonly value: unknown;
  /** As JSON text: as it is written, without the white space around it; for tables, made from the value. */
  readonly bytes: Buffer;
}

/** A row of a table, whose JSON text is made when somebody wants it. */
export function tableRow(value: unknown, place: Pick<RowError, "file" | "line" | "unit">): Row {
  return {
    kind: "row",
    ...place,
    value,
    get bytes() {
      return Buffer.from(JSON.stringify(value));
    },
  };
}

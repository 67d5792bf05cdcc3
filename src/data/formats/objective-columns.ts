import type { Fields } from "../fields.ts";
import type { DataFormat } from "./data-format.ts";

/** `helpsteer-helpfulness`: a source, and what it rated. */
const OBJECTIVE = /^[A-Za-z0-9][\w.]*-[\w.-]+$/;

/**
 * The published training data of ArmoRM: `messages`, and a column per objective named `SOURCE-ATTRIBUTE`, null where its
 * source did not rate the row.
 *
 * Source: RLHFlow/ArmoRM-Multi-Objective-Data-v0.1.
 */
export const OBJECTIVE_COLUMNS: DataFormat = {
  name: "objective-columns",
  kind: "ratings",
  title: "ArmoRM multi-objective, columns SOURCE-ATTRIBUTE as ratings",
  fits: (row) =>
    row.messages !== undefined &&
    row.ratings === undefined &&
    row.attributes === undefined &&
    row.labels === undefined &&
    Object.keys(ratingsIn(row)).length > 0,
  toOwn: (row, named) => [named ? row : { ...row, ratings: ratingsIn(row) }],
};

function ratingsIn(row: Fields): Fields {
  return Object.fromEntries(
    // A boolean is no rating either, but one that the reader refuses by name instead of passing over.
    Object.entries(row).filter(
      ([name, value]) => OBJECTIVE.test(name) && (typeof value === "number" || typeof value === "boolean"),
    ),
  );
}

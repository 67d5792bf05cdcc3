import { badRow, describe, type Fields } from "../fields.ts";
import type { DataFormat } from "./data-format.ts";

/** Rated by a model: the overall score from 1 to 10, the others from 1 to 5. */
const ASPECTS = ["instruction_following", "truthfulness", "honesty", "helpfulness"] as const;

/**
 * UltraFeedback: `instruction` and several `completions`, each with `response`, `overall_score` and
 * `annotations: {aspect: {Rating: "4"}}`. Each completion becomes one rated conversation; a rating of `N/A` is none. Left
 * out: `fine-grained_score`, the mean of the aspects, and the prompts of principles that completions were drawn under.
 *
 * Source: openbmb/UltraFeedback.
 */
export const ULTRAFEEDBACK: DataFormat = {
  name: "ultrafeedback",
  kind: "ratings",
  title: "UltraFeedback, one rated conversation per completion",
  fits: (row) => typeof row.instruction === "string" && Array.isArray(row.completions),
  toOwn(row) {
    const { instruction, completions } = row;
    if (!Array.isArray(completions)) {
      throw badRow(`completions: expected an array, got ${describe(completions)}`, "leave the row out");
    }
    if (completions.length === 0) {
      throw badRow("completions: expected at least one, got none", "leave the row out");
    }
    return completions.map((completion: unknown) => {
      const { response, overall_score, annotations } = (completion ?? {}) as Fields;
      const aspects = ASPECTS.map((name) => [name, numberIn(((annotations ?? {}) as Fields)[name])] as const);
      const ratings = { overall_score: numberIn({ Rating: overall_score }), ...Object.fromEntries(aspects) };
      return { ...(row.id === undefined ? {} : { id: row.id }), prompt: instruction, response, ratings };
    });
  },
};

/** `{"Rating": "4"}`; what is no number is no rating. */
function numberIn(annotation: unknown): unknown {
  const rating = ((annotation ?? {}) as Fields).Rating;
  if (typeof rating !== "string") return rating ?? null;
  if (/^\s*n\/?a\s*$/i.test(rating)) return null;
  return /^\s*\d+(?:\.\d+)?\s*$/.test(rating) ? Number(rating) : rating;
}

import { type Html, html } from "./html.ts";
import { counted, integer } from "./numbers.ts";
import type { StoredPairAnalysis } from "./stored-evaluations.ts";

/** What went into an evaluation and should not have, and what did not go into it. */
export function leftOut(evaluation: StoredPairAnalysis): Html | null {
  const { benchmark, overlaps, rejected, ties, repeatedIds } = evaluation;
  const seen = overlaps ? overlaps.found - overlaps.dropped : 0;
  const { samePrompt = 0, otherPrompt = 0 } = repeatedIds ?? {};
  const notes = [
    seen > 0 && `${integer(seen)} of these pairs have a prompt that training saw: expect less on others.`,
    overlaps &&
      overlaps.dropped > 0 &&
      `${counted(overlaps.dropped, "pair")} with a prompt that training saw left out.`,
    rejected.length > 0 &&
      `${counted(rejected.length, "pair")} could not be scored${kindsOf(rejected)}${benchmark === "rewardbench" ? ", counted as wrong" : ""}.`,
    ties > 0 && `Ties: ${integer(ties)}.`,
    samePrompt + otherPrompt > 0 &&
      `Ids that occur again in their subset: ${integer(samePrompt)} with the same prompt, ${integer(otherPrompt)} with another.`,
  ].filter((note) => typeof note === "string");
  return notes.length === 0 ? null : html`<p class="${seen > 0 ? "warning" : "note"}">${notes.join(" ")}</p>`;
}

function kindsOf(rejected: StoredPairAnalysis["rejected"]): string {
  const tooLong = rejected.filter(({ kind }) => kind === "too-long").length;
  if (tooLong === 0) return "";
  return tooLong === rejected.length ? ", being too long" : ` (${integer(tooLong)} too long)`;
}

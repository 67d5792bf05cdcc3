import { type Html, html } from "./html.ts";
import type { ModelComparisonData } from "./model-comparison.ts";
import { fixed, percent } from "./numbers.ts";
import { section } from "./section.ts";

/** What a score hides, model by model: how it treats length, and whether its probabilities hold. */
export function modelHabits({ models }: ModelComparisonData): Html | null {
  const known = models.flatMap(({ label, evaluation }) =>
    evaluation.length ? [{ label, length: evaluation.length, calibration: evaluation.calibration }] : [],
  );
  if (known.length === 0) return null;
  const rows = known.map(
    ({
      label,
      length: { chosenLonger, chosenShorter, correlation },
      calibration,
    }) => html`<tr><th>${label}</th>
<td class="number">${percent(chosenLonger.accuracy)}</td><td class="number">${percent(chosenShorter.accuracy)}</td><td class="number">${fixed(correlation, 2)}</td>
<td class="number">${percent(calibration?.calibrationError)}</td><td class="number">${fixed(calibration?.brierScore, 3)}</td></tr>`,
  );
  const titles = [
    "right where the preferred one is longer",
    "where it is shorter",
    "ρ of margin and length",
    "calibration error",
    "Brier score",
  ];
  return section(
    "habits",
    "Length and calibration",
    "A model that judges content is about as often right where the preferred response is the shorter one, and its margins hardly follow length. A coin’s Brier score is 0.250; calibration needs a margin scale.",
    html`<div class="scroll"><table><thead><tr><th>model</th>${titles.map((title) => html`<th class="number">${title}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`,
  );
}

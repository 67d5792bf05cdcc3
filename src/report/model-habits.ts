import { type Html, html } from "./html.ts";
import type { ModelComparisonData } from "./model-comparison.ts";
import { fixed, percent } from "./numbers.ts";
import { section } from "./section.ts";

/** What a score hides, model by model: how it treats length, and whether its probabilities hold. */
export function modelHabits({ models }: ModelComparisonData): Html | null {
  const known = models.map(({ label, evaluation: { length, calibration } }) => ({
    label,
    length,
    calibration,
  }));
  if (known.every(({ length, calibration }) => !length && !calibration)) return null;
  const rows = known.map(
    ({ label, length, calibration }) => html`<tr><th>${label}</th>
<td class="number">${percent(length?.chosenLonger.accuracy)}</td><td class="number">${percent(length?.chosenShorter.accuracy)}</td><td class="number">${fixed(length?.correlation, 2)}</td>
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

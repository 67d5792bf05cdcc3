import type { ObjectiveReport } from "../armo/training-report.ts";
import { type Html, html } from "./html.ts";
import { fixed, integer, isNumber, plain } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { at, extent, linear } from "./scale.ts";
import { section } from "./section.ts";

/** How well each objective was fitted: R², and the error along the penalties tried. */
export function objectiveSection({ training, model }: ReportData): Html | null {
  if (!training || training.objectives.length === 0) return null;
  const sources = new Map(model?.heads.objectives.map(({ name, source }) => [name, source]));
  const rows = training.objectives.map(
    (fit) => html`<tr><th>${fit.name}</th>
<td class="quiet">${sources.get(fit.name)}</td>
<td class="number quiet">${integer(fit.trainRows)} + ${integer(fit.validationRows)}</td>
<td class="number">${fixed(fit.r2, 2)}</td><td class="plot">${r2Bar(fit.r2)}</td>
<td class="number">${fixed(fit.validationError, 4)}</td>
<td class="number">${plain(fit.alpha)}</td><td class="plot">${alphaPath(fit)}</td></tr>`,
  );
  const dropped = training.dropped.map(({ name, reason }) => `${name} (${reason})`).join(", ");
  return section(
    "objectives",
    "Objectives",
    "One ridge regression each, judged on ratings of prompts it has not seen. R² 1: ratings predicted exactly; 0: no better than their mean. The curve is the error along the penalties α that were tried, both on logarithmic scales.",
    html`<div class="scroll"><table>
<thead><tr><th>objective</th><th>source</th><th class="number">ratings, train + validation</th><th class="number">R²</th><th></th><th class="number">error</th><th class="number">α</th><th>error by α</th></tr></thead>
<tbody>${rows}</tbody></table></div>
${dropped && html`<p class="note">Not fitted: ${dropped}.</p>`}`,
  );
}

const BAR_WIDTH = 140;

function r2Bar(r2: number): Html | null {
  if (!isNumber(r2)) return null;
  const width = BAR_WIDTH * Math.min(1, Math.max(0, r2));
  return html`<svg viewBox="0 0 ${BAR_WIDTH} 12" width="${BAR_WIDTH}" height="12" aria-hidden="true">
<rect class="track" width="${BAR_WIDTH}" height="12" rx="3"/><rect class="${r2 < 0 ? "negative" : "bar"}" width="${at(r2 < 0 ? 3 : width)}" height="12" rx="3"/></svg>`;
}

const PATH_WIDTH = 130;
const PATH_HEIGHT = 34;

function alphaPath({ path, alpha }: ObjectiveReport): Html | null {
  const points = path.filter(([a, error]) => a > 0 && isNumber(error) && error > 0);
  if (points.length < 2) return null;
  const x = linear(extent(points.map(([a]) => Math.log10(a))), [6, PATH_WIDTH - 6]);
  const y = linear(extent(points.map(([, error]) => Math.log10(error))), [PATH_HEIGHT - 6, 6]);
  const places = points.map(([a, error]) => [at(x(Math.log10(a))), at(y(Math.log10(error)))] as const);
  const chosen = places[points.findIndex(([a]) => a === alpha)];
  return html`<svg viewBox="0 0 ${PATH_WIDTH} ${PATH_HEIGHT}" width="${PATH_WIDTH}" height="${PATH_HEIGHT}" role="img">
<title>${points.map(([a, error]) => `α ${plain(a)}: ${fixed(error, 4)}`).join("\n")}</title>
<path class="line" d="M${places.map((place) => place.join(" ")).join("L")}"/>
${chosen && html`<circle class="dot" cx="${chosen[0]}" cy="${chosen[1]}" r="3.5"/>`}</svg>`;
}

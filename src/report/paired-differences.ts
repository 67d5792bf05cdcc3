import type { ModelComparison } from "../evaluation/compare-models.ts";
import { type Html, html } from "./html.ts";
import type { ModelComparisonData } from "./model-comparison.ts";
import { integer, isNumber, points } from "./numbers.ts";
import { at, linear, type Scale, ticks } from "./scale.ts";
import { section } from "./section.ts";

/** How every two models differ on the same pairs. */
export function pairedDifferences({ models, comparisons }: ModelComparisonData): Html | null {
  if (comparisons.length === 0) return null;
  const labels = new Map(models.map(({ name, label }) => [name, label]));
  const reach = Math.max(
    0.01,
    ...comparisons.flatMap(({ difference, interval }) =>
      [difference, ...interval].filter(isNumber).map(Math.abs),
    ),
  );
  const x = linear([-reach, reach], [14, WIDTH - 14]);
  const rows = comparisons.map((comparison) => row(comparison, labels, x));
  return section(
    "differences",
    "Paired differences",
    "Accuracy of the first model minus that of the second, in points, over the pairs that both scored, each pair counting once. An interval that leaves 0 out says that they differ; p is McNemar’s exact test on the pairs where one of them is right.",
    html`<div class="scroll"><table class="differences">
<thead><tr><th>models</th><th class="number">difference</th><th class="axis">${axis(x)}</th><th class="number">95 % interval</th><th class="number">only the first right</th><th class="number">only the second right</th><th class="number">p</th><th class="number">pairs</th></tr></thead>
<tbody>${rows}</tbody></table></div>
${comparisons.some(({ scoredByOne }) => scoredByOne > 0) && html`<p class="note">Pairs that only one of two models could score are left out here: ${comparisons.map(({ first, second, scoredByOne }) => `${labels.get(second) ?? second} and ${labels.get(first) ?? first} ${integer(scoredByOne)}`).join(", ")}.</p>`}`,
  );
}

const WIDTH = 200;
const HEIGHT = 22;

/** The later model against the earlier one, so that a gain over what was named first has a plus. */
function row(comparison: ModelComparison, labels: ReadonlyMap<string, string>, x: Scale): Html {
  const { first, second, n, difference, interval, onlyFirst, onlySecond, pValue } = comparison;
  const [low, high] = interval;
  const bounds = isNumber(low) && isNumber(high) ? `${points(low)} … ${points(high)}` : "–";
  const name = (model: string) => labels.get(model) ?? model;
  return html`<tr><th>${name(second)} <span class="quiet">against</span> ${name(first)}</th>
<td class="number"><b>${points(difference)}</b></td><td class="plot">${plot(difference, interval, x)}</td><td class="number quiet">${bounds}</td>
<td class="number">${integer(onlySecond)}</td><td class="number">${integer(onlyFirst)}</td>
<td class="number">${isNumber(pValue) ? (pValue < 0.0001 ? "< 0.0001" : pValue.toFixed(4)) : "–"}</td><td class="number quiet">${integer(n)}</td></tr>`;
}

function plot(difference: number, [low, high]: readonly [number, number], x: Scale): Html | null {
  if (!isNumber(difference)) return null;
  const y = HEIGHT / 2;
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" aria-hidden="true"><path class="chance" d="M${at(x(0))} 0V${HEIGHT}"/>
${isNumber(low) && isNumber(high) && html`<path class="whisker" d="M${at(x(low))} ${y}H${at(x(high))}"/>`}<circle class="dot" cx="${at(x(difference))}" cy="${y}" r="4.5"/></svg>`;
}

function axis(x: Scale): Html {
  const labels = ticks(x.domain, 4).map(
    (share) =>
      html`<text x="${at(x(share))}" y="12" text-anchor="middle">${points(share, x.domain[1] < 0.04 ? 1 : 0)}</text>`,
  );
  return html`<svg viewBox="0 0 ${WIDTH} 16" width="${WIDTH}" height="16" aria-hidden="true">${labels}</svg>`;
}

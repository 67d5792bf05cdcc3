import type { MarginSummary } from "../evaluation/margins.ts";
import { countAxis } from "./count-axis.ts";
import { type Html, html } from "./html.ts";
import { fixed, integer, isNumber, plain } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { at, extent, linear, ticks } from "./scale.ts";
import { columns, section } from "./section.ts";
import { ofPairs } from "./stored-evaluations.ts";

/** How far apart the two responses of a pair are put: a histogram per set of pairs, wrong side and right side. */
export function marginSection({ evaluations = [] }: ReportData): Html | null {
  const sets = ofPairs(evaluations).flatMap(({ name, evaluation }) =>
    evaluation.margins ? [{ name, margins: evaluation.margins }] : [],
  );
  if (sets.length === 0) return null;
  return section(
    "margins",
    "Margins",
    html`Score of the preferred response minus that of the other: <span class="key wrong">wrong side</span> <span class="key">right side</span>. Where much lies near 0, small changes turn preferences over.`,
    columns(
      sets.map(
        ({ name, margins }) => html`<figure>${histogram(name, margins)}
<figcaption>${name}: ${describe(margins)}</figcaption></figure>`,
      ),
    ),
  );
}

function describe({ mean, standardDeviation, percentiles }: MarginSummary): string {
  const { p5, p25, p50, p75, p95 } = percentiles;
  const of = (value: number) => fixed(value, 3);
  return `median ${of(p50)}, half in ${of(p25)} … ${of(p75)}, 90 % in ${of(p5)} … ${of(p95)}; mean ${of(mean)}, standard deviation ${of(standardDeviation)}`;
}

const WIDTH = 500;
const LEFT = 52;
const RIGHT = 10;
const TOP = 24;
const BOTTOM = 196;

function histogram(name: string, { histogram: bins, percentiles: { p50 } }: MarginSummary): Html {
  const x = linear(extent(bins.flatMap(({ from, to }) => [from, to])), [LEFT, WIDTH - RIGHT]);
  const most = Math.max(1, ...bins.map(({ n }) => n));
  const y = linear([0, most], [BOTTOM, TOP]);
  const grid = [
    ...countAxis(y, LEFT, WIDTH - RIGHT),
    ...ticks(x.domain, 6).map(
      (margin) =>
        html`<text x="${at(x(margin))}" y="${BOTTOM + 18}" text-anchor="middle">${plain(margin).replace("-", "−")}</text>`,
    ),
  ];
  const bars = bins
    .filter(({ n }) => n > 0)
    .map(
      ({ from, to, n }) =>
        html`<rect class="${from < 0 ? "negative" : "bar"}" x="${at(x(from) + 0.5)}" width="${at(Math.max(1, x(to) - x(from) - 1))}" y="${at(y(n))}" height="${at(BOTTOM - y(n))}"><title>${fixed(from, 3)} to ${fixed(to, 3)}: ${integer(n)} pairs</title></rect>`,
    );
  const median = isNumber(p50)
    ? html`<path class="chance" d="M${at(x(p50))} ${TOP - 6}V${BOTTOM}"/><text class="value" x="${at(x(p50))}" y="${TOP - 10}" text-anchor="middle">median</text>`
    : null;
  return html`<svg viewBox="0 0 ${WIDTH} ${BOTTOM + 40}" role="img" aria-label="Histogram of margins, ${name}">${grid}${bars}
<path class="zero" d="M${at(x(0))} ${TOP}V${BOTTOM}"/>${median}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${BOTTOM + 36}" text-anchor="middle">margin</text></svg>`;
}

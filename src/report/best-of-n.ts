import { intervalText } from "./accuracy-rows.ts";
import { type Html, html } from "./html.ts";
import { integer, isNumber, percent } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { at, extent, linear, ticks } from "./scale.ts";
import { columns, details, section } from "./section.ts";
import { type BestOfNPoint, ofBenchmark } from "./stored-evaluations.ts";

/** How good the chosen answer is, against the number of answers to choose from. */
export function bestOfNSection({ evaluations = [] }: ReportData): Html | null {
  const sets = ofBenchmark(evaluations, "best-of-n").filter(({ evaluation }) => evaluation.curve.length > 0);
  if (sets.length === 0) return null;
  return section(
    "bestofn",
    "Best of N",
    "How good the answer is that the model picks from N, with 95\u00a0% intervals: the share of prompts where it is right, or its mean grade. The oracle finds the best answer there is; majority vote takes the most frequent final answer; the random pick is what no choice at all reaches, and the longest and the shortest answer what length alone does.",
    columns(
      sets.map(
        ({
          name,
          evaluation: { curve },
        }) => html`<figure>${chart(name, curve)}<figcaption>${name}</figcaption></figure>
${details("figures", table(curve))}`,
      ),
    ),
  );
}

const LINES = [
  { kind: "oracle", title: "oracle", of: (point: BestOfNPoint) => point.oracle },
  { kind: "majority", title: "majority vote", of: (point: BestOfNPoint) => point.majority },
  { kind: "random", title: "random pick", of: (point: BestOfNPoint) => point.random },
  { kind: "extreme", title: "longest", of: (point: BestOfNPoint) => point.longest },
  { kind: "extreme", title: "shortest", of: (point: BestOfNPoint) => point.shortest },
  // Drawn last, over the others.
  { kind: "chosen", title: "this model", of: (point: BestOfNPoint) => point.accuracy },
] as const;

const WIDTH = 500;
const HEIGHT = 280;
const LEFT = 48;
const RIGHT = 100;
const BOTTOM = HEIGHT - 40;
const TOP = 12;
/** Least distance of two labels. */
const APART = 15;

function chart(name: string, unsorted: readonly BestOfNPoint[]): Html {
  const curve = [...unsorted].sort((a, b) => a.n - b.n);
  // N doubles from mark to mark, so that gains at few answers are as visible as those at many.
  const x = linear(extent(curve.map(({ n }) => Math.log2(n))), [LEFT + 8, WIDTH - RIGHT]);
  const values = curve.flatMap((point) => [
    ...LINES.map(({ of }) => of(point)).filter(isNumber),
    ...point.interval.filter(isNumber),
  ]);
  const y = linear(extent(values, 0.06), [BOTTOM, TOP]);
  const grid = [
    ...ticks(y.domain, 5).map(
      (value) => html`<path class="grid" d="M${LEFT} ${at(y(value))}H${WIDTH - RIGHT + 8}"/>
<text x="${LEFT - 8}" y="${at(y(value) + 4)}" text-anchor="end">${percent(value, 0)}</text>`,
    ),
    ...curve.map(
      ({ n }) =>
        html`<text x="${at(x(Math.log2(n)))}" y="${BOTTOM + 18}" text-anchor="middle">${integer(n)}</text>`,
    ),
  ];
  const lines = LINES.flatMap(({ kind, title, of }) => {
    const points = curve.flatMap((point) => {
      const value = of(point);
      return isNumber(value) ? [{ point, value, place: `${at(x(Math.log2(point.n)))} ${at(y(value))}` }] : [];
    });
    const last = points.at(-1);
    return last ? [{ kind, title, points, end: y(last.value) }] : [];
  });
  const labels = spread(lines.map(({ end }) => end));
  const drawn = lines.map(
    (
      { kind, title, points },
      i,
    ) => html`<g class="${kind}"><path class="line" d="M${points.map(({ place }) => place).join("L")}"/>
${points.map(({ point, value }) => {
  const place = at(x(Math.log2(point.n)));
  const [low, high] = point.interval;
  const whisker =
    kind === "chosen" && isNumber(low) && isNumber(high)
      ? html`<path class="whisker" d="M${place} ${at(y(low))}V${at(y(high))}"/>`
      : null;
  return html`${whisker}<circle class="dot" cx="${place}" cy="${at(y(value))}" r="${kind === "chosen" ? 4.5 : 3}"><title>${title}, N = ${integer(point.n)}: ${percent(value)}</title></circle>`;
})}<text x="${WIDTH - RIGHT + 12}" y="${at(labels[i]! + 4)}">${title}</text></g>`,
  );
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Accuracy of the chosen answer against the number of answers, ${name}">${grid}${drawn}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">answers to choose from, N</text></svg>`;
}

/** Places moved down as far as labels need to stand apart, and up again where the drawing ends. */
function spread(places: readonly number[]): number[] {
  const order = places.map((_, i) => i).sort((a, b) => places[a]! - places[b]!);
  const moved = [...places];
  for (const [rank, i] of order.entries()) {
    if (rank > 0) moved[i] = Math.max(moved[i]!, moved[order[rank - 1]!]! + APART);
  }
  const over = Math.max(0, ...moved.map((place) => place - BOTTOM));
  return moved.map((place) => place - over);
}

function table(curve: readonly BestOfNPoint[]): Html {
  const rows = curve.map(
    ({
      n,
      prompts,
      accuracy,
      interval,
      oracle,
      majority,
      random,
      longest,
      shortest,
    }) => html`<tr><th>${integer(n)}</th>
<td class="number quiet">${integer(prompts)}</td><td class="number"><b>${percent(accuracy)}</b></td><td class="number quiet">${intervalText(interval)}</td>
${[oracle, majority, random, longest, shortest].map((value) => html`<td class="number">${percent(value)}</td>`)}</tr>`,
  );
  const titles = [
    "prompts",
    "this model",
    "95 % interval",
    "oracle",
    "majority vote",
    "random pick",
    "longest",
    "shortest",
  ];
  return html`<div class="scroll"><table><thead><tr><th>N</th>${titles.map((title) => html`<th class="number">${title}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

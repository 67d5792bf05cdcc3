import { type Html, html } from "./html.ts";
import { fixed, integer, isNumber, percent, plain } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { at, extent, linear, ticks } from "./scale.ts";
import { section } from "./section.ts";

/** The course of the gate's training: loss of the batches and of the validation pairs, and validation accuracy. */
export function courseSection({ training }: ReportData): Html | null {
  if (!training || training.history.loss.length === 0) return null;
  const { loss, evaluations, bestStep, validationLoss } = training.history;
  const { steps, every } = thinOut(loss);
  const charts = [
    chart({
      title: "Bradley–Terry loss",
      format: (value) => fixed(value, 2),
      best: isNumber(validationLoss) ? bestStep : null,
      series: [
        { kind: "batches", points: steps },
        { kind: "validation", points: evaluations.map((look) => [look.step, look.loss] as const) },
      ],
    }),
    evaluations.length > 0 &&
      chart({
        title: "validation accuracy",
        format: (value) => percent(value, 0),
        best: bestStep,
        series: [
          { kind: "validation", points: evaluations.map((look) => [look.step, look.accuracy] as const) },
        ],
      }),
  ];
  const kept = isNumber(validationLoss)
    ? ` The weights after step ${integer(bestStep)} were kept, where the validation loss was least.`
    : "";
  const averaged = every > 1 ? `, averaged over ${every} steps` : "";
  return section(
    "course",
    "Training the gate",
    html`<span class="key batches">batches${averaged}</span> <span class="key validation">validation pairs</span>${kept}`,
    html`<div class="columns">${charts.map((figure) => figure && html`<figure>${figure}</figure>`)}</div>`,
  );
}

type Point = readonly [step: number, value: number];

const MOST_POINTS = 200;

/** Means over equal stretches of steps, at most 200 of them: long runs are as readable as short ones. */
function thinOut(loss: readonly number[]): { steps: Point[]; every: number } {
  const every = Math.ceil(loss.length / MOST_POINTS);
  const steps: Point[] = [];
  for (let from = 0; from < loss.length; from += every) {
    const stretch = loss.slice(from, from + every);
    const sum = stretch.reduce((total, value) => total + value, 0);
    steps.push([from + (stretch.length - 1) / 2, sum / stretch.length]);
  }
  return { steps, every };
}

interface Chart {
  readonly title: string;
  readonly format: (value: number) => string;
  /** The step to mark. */
  readonly best: number | null;
  readonly series: readonly { readonly kind: "batches" | "validation"; readonly points: readonly Point[] }[];
}

const WIDTH = 500;
const HEIGHT = 240;
const LEFT = 48;
const BOTTOM = HEIGHT - 30;
const TOP = 26;

function chart({ title, format, best, series }: Chart): Html {
  const all = series.flatMap(({ points }) => points);
  const x = linear(extent(all.map(([step]) => step)), [LEFT + 6, WIDTH - 14]);
  const y = linear(
    extent(
      all.map(([, value]) => value),
      0.06,
    ),
    [BOTTOM, TOP],
  );
  const grid = [
    ...ticks(y.domain, 4).map(
      (value) => html`<path class="grid" d="M${LEFT} ${at(y(value))}H${WIDTH - 8}"/>
<text x="${LEFT - 8}" y="${at(y(value) + 4)}" text-anchor="end">${format(value)}</text>`,
    ),
    ...ticks(x.domain, 6).map(
      (step) => html`<text x="${at(x(step))}" y="${BOTTOM + 18}" text-anchor="middle">${plain(step)}</text>`,
    ),
  ];
  const mark =
    best === null
      ? null
      : html`<path class="chance" d="M${at(x(best))} ${TOP - 6}V${BOTTOM}"/><text class="value" x="${at(x(best))}" y="${TOP - 10}" text-anchor="middle">kept: step ${integer(best)}</text>`;
  const lines = series.map(({ kind, points }) => {
    const path = points.map(([step, value]) => `${at(x(step))} ${at(y(value))}`).join("L");
    const dots = kind === "validation" && points.length <= 60;
    return html`<path class="line ${kind}" d="M${path}"/>
${dots && points.map(([step, value]) => html`<circle class="dot" cx="${at(x(step))}" cy="${at(y(value))}" r="3"><title>step ${integer(step)}: ${fixed(value, 4)}</title></circle>`)}`;
  });
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title} by step">${grid}${mark}${lines}</svg>
<figcaption>${title} by step</figcaption>`;
}

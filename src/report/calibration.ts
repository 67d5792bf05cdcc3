import { type Calibration, type CalibrationBin, calibrationError } from "../armo/calibration.ts";
import { wilsonInterval } from "../evaluation/intervals.ts";
import { type Html, html } from "./html.ts";
import { fixed, integer, isNumber, percent } from "./numbers.ts";
import type { ReportData, StoredTraining } from "./report-data.ts";
import { at, linear, ticks } from "./scale.ts";
import { section } from "./section.ts";
import { ofPairs } from "./stored-evaluations.ts";

type CalibrationSet = Pick<Calibration, "bins"> & Partial<Calibration>;

/** Reliability diagrams of σ(β · margin), one per set of pairs. */
export function calibrationSection({ evaluations = [], training }: ReportData): Html | null {
  const sets = [
    ...ofPairs(evaluations).map(({ name, evaluation }) => ({ name, ...evaluation.calibration })),
    { name: "validation pairs", ...(training && trainingCalibration(training)) },
  ].flatMap(({ bins = [], ...set }) => (bins.length > 0 ? [{ ...set, bins }] : []));
  if (sets.length === 0) return null;
  const figures = sets.map(
    (set) => html`<figure>${reliability(set.bins, set.name)}
<figcaption>${set.name}: ${describe(set)}</figcaption></figure>`,
  );
  return section(
    "calibration",
    "Calibration",
    "When σ(β · margin) says 70 %, is the model right in 70 of 100 pairs? On the dashed line it is; above, it is right more often than it says, below, less often. Bars count the pairs; whiskers are 95\u00a0% intervals.",
    html`<div class="columns">${figures}</div>`,
  );
}

/** Of the validation pairs. Earlier versions stored the bins alone. */
export function trainingCalibration({ calibration }: StoredTraining): CalibrationSet | null {
  return Array.isArray(calibration)
    ? { bins: calibration }
    : ((calibration ?? null) as CalibrationSet | null);
}

function describe({ bins, calibrationError: error, brierScore, logLoss }: CalibrationSet): string {
  const pairs = bins.reduce((sum, { n }) => sum + n, 0);
  const distance = `mean distance ${percent(error ?? calibrationError(bins))} over ${integer(pairs)} pairs`;
  if (!isNumber(brierScore) || !isNumber(logLoss)) return distance;
  return `${distance}; Brier score ${fixed(brierScore, 3)}, log loss ${fixed(logLoss, 3)} (a coin: 0.250, 0.693)`;
}

const WIDTH = 420;
const LEFT = 60;
const RIGHT = 22;
const PLOT = 250;
const COUNTS = 46;

function reliability(bins: readonly CalibrationBin[], name: string): Html {
  const bounds = bins.map(({ n, observed }) => wilsonInterval(observed * n, n));
  const lowest = Math.min(0.5, ...bounds.map(([low]) => low));
  const x = linear([0.5, 1], [LEFT, WIDTH - RIGHT]);
  const y = linear([Math.floor(lowest * 10) / 10, 1], [PLOT, 12]);
  const bottom = PLOT + 12 + COUNTS;
  const most = Math.max(...bins.map(({ n }) => n));
  const grid = [
    ...ticks(y.domain, 5).map(
      (value) => html`<path class="grid" d="M${LEFT} ${at(y(value))}H${WIDTH - RIGHT}"/>
<text x="${LEFT - 8}" y="${at(y(value) + 4)}" text-anchor="end">${percent(value, 0)}</text>`,
    ),
    ...ticks([0.5, 1], 5).map(
      (value) =>
        html`<text x="${at(x(value))}" y="${bottom + 16}" text-anchor="middle">${percent(value, 0)}</text>`,
    ),
  ];
  const marks = bins.map(({ from, to, n, predicted, observed }, i) => {
    const [low, high] = bounds[i]!;
    const height = Math.max(1, (COUNTS * n) / most);
    const place = at(x(predicted));
    return html`<g><title>${percent(from, 0)} to ${percent(to, 0)}: ${integer(n)} pairs, predicted ${percent(predicted)}, right ${percent(observed)}</title>
<rect class="count" x="${at(x(from) + 1)}" width="${at(x(to) - x(from) - 2)}" y="${at(bottom - height)}" height="${at(height)}"/>
<path class="whisker" d="M${place} ${at(y(low))}V${at(y(high))}"/><circle class="dot" cx="${place}" cy="${at(y(observed))}" r="5"/></g>`;
  });
  return html`<svg viewBox="0 0 ${WIDTH} ${bottom + 38}" role="img" aria-label="Reliability diagram of ${name}">${grid}
<path class="chance" d="M${at(x(0.5))} ${at(y(0.5))}L${at(x(1))} ${at(y(1))}"/>${marks}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${bottom + 34}" text-anchor="middle">predicted</text>
<text transform="translate(11 ${PLOT / 2}) rotate(-90)" text-anchor="middle">right</text></svg>`;
}

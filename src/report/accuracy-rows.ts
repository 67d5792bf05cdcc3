// Accuracies with their intervals, as rows of a table: what all tables of accuracies share.

import type { Accuracy } from "../evaluation/accuracy.ts";
import { type Content, type Html, html } from "./html.ts";
import { fixed, isNumber, percent } from "./numbers.ts";
import { at, linear } from "./scale.ts";

export type RowKind = "model" | "baseline" | "subset";

/** The columns that `accuracyCells` fills. */
export const accuracyHeads = (title = "accuracy"): Html =>
  html`<th class="number">${title}</th><th class="axis">${axis()}</th><th class="number">95 % interval</th>`;

/** @param chance What guessing reaches; null where that has no one answer. */
export function accuracyCells(
  { accuracy, interval }: Pick<Accuracy, "accuracy" | "interval">,
  chance: number | null = 0.5,
): Html {
  return html`<td class="number">${percent(accuracy)}</td><td class="plot">${intervalPlot(accuracy, interval, chance)}</td><td class="number quiet">${intervalText(interval)}</td>`;
}

export const accuracyRow = (name: Content, accuracy: Accuracy, kind: RowKind): Html =>
  html`<tr class="${kind}"><th>${name}</th>${accuracyCells(accuracy)}</tr>`;

/** `57.1 … 66.4 %` */
export function intervalText([low, high]: readonly [number, number]): string {
  return isNumber(low) && isNumber(high) ? `${fixed(100 * low, 1)} … ${percent(high)}` : "–";
}

const WIDTH = 170;
const HEIGHT = 22;
const x = linear([0, 1], [12, WIDTH - 12]);

function intervalPlot(
  accuracy: number,
  [low, high]: readonly [number, number],
  chance: number | null,
): Html | null {
  if (!isNumber(accuracy)) return null;
  const y = HEIGHT / 2;
  const whisker =
    isNumber(low) && isNumber(high)
      ? html`<path class="whisker" d="M${at(x(low))} ${y}H${at(x(high))}"/>`
      : null;
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" aria-hidden="true">
<path class="grid" d="M${at(x(0))} ${y}H${at(x(1))}"/>${chance !== null && html`<path class="chance" d="M${at(x(chance))} 0V${HEIGHT}"/>`}
${whisker}<circle class="dot" cx="${at(x(accuracy))}" cy="${y}" r="4.5"/></svg>`;
}

function axis(): Html {
  const labels = [0, 0.5, 1].map(
    (share) => html`<text x="${at(x(share))}" y="12" text-anchor="middle">${100 * share}</text>`,
  );
  return html`<svg viewBox="0 0 ${WIDTH} 16" width="${WIDTH}" height="16" aria-hidden="true">${labels}</svg>`;
}

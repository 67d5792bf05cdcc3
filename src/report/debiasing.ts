import { type Html, html } from "./html.ts";
import { fixed, isNumber } from "./numbers.ts";
import type { StoredTraining } from "./report-data.ts";
import { at, linear, ticks } from "./scale.ts";
import { shorten } from "./text.ts";

/** What debiasing did, on responses that it was not fitted on: one dumbbell plot per objective debiased against. */
export function debiasingPlots({ debias, transform, correlation }: StoredTraining): Html[] {
  const measure = correlation === "pearson" ? "Pearson’s r" : "Spearman’s ρ";
  return debias.flatMap((target, v) => {
    const rows = transform.filter(
      ({ status, heldOutBefore, heldOutAfter }) =>
        status !== "target" && isNumber(heldOutBefore[v]) && isNumber(heldOutAfter[v]),
    );
    return rows.length === 0
      ? []
      : [
          html`<h3>What debiasing did about ${target}</h3>
<p class="note">${measure} between each reward and ${target} over the responses to validation prompts, which debiasing has not seen: <span class="key before">raw reward</span> <span class="key after">debiased</span>. Nearer to 0 is better; a correlation below 0 is left as it is.</p>
<figure class="wide">${dumbbells(
            rows.map(({ name, status, heldOutBefore, heldOutAfter }) => ({
              name,
              before: heldOutBefore[v]!,
              after: heldOutAfter[v]!,
              ...(status === "ok" ? {} : { note: status }),
            })),
            `Correlation with ${target}, before and after debiasing`,
          )}</figure>`,
        ];
  });
}

/** One line of a plot: two values, and what else there is to know. */
export interface Dumbbell {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly note?: string;
}

const WIDTH = 500;
const LABELS = 170;
const VALUES = 96;
const ROW = 26;
const TOP = 24;

/** Before and after, one line each. @param label What the drawing shows, for who cannot see it. */
export function dumbbells(rows: readonly Dumbbell[], label: string): Html {
  const values = rows.flatMap(({ before, after }) => [before, after]);
  // Outwards to the next fifth, and 0 is always there.
  const domain = [
    Math.floor(Math.min(0, ...values) * 5) / 5,
    Math.ceil(Math.max(0, ...values) * 5) / 5,
  ] as const;
  const x = linear(domain, [LABELS + 8, WIDTH - VALUES - 8]);
  const height = TOP + rows.length * ROW + 6;
  const grid = ticks(x.domain, 5).map(
    (
      value,
    ) => html`<path class="${value === 0 ? "zero" : "grid"}" d="M${at(x(value))} ${TOP - 4}V${height - 4}"/>
<text x="${at(x(value))}" y="12" text-anchor="middle">${fixed(value, 1)}</text>`,
  );
  const marks = rows.map(({ name, before, after, note }, i) => {
    const y = TOP + (i + 0.5) * ROW;
    const change = `${fixed(before, 2)} → ${fixed(after, 2)}`;
    return html`<g><title>${name}: ${change}${note && ` (${note})`}</title>
<text class="label" x="${LABELS}" y="${y + 4}" text-anchor="end">${shorten(name, 24)}</text>
<path class="link" d="M${at(x(before))} ${y}H${at(x(after))}"/>
<circle class="before" cx="${at(x(before))}" cy="${y}" r="5"/><circle class="after" cx="${at(x(after))}" cy="${y}" r="5"/>
<text class="value" x="${WIDTH}" y="${y + 4}" text-anchor="end">${change}</text></g>`;
  });
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}">${grid}${marks}</svg>`;
}

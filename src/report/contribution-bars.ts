import type { ByObjective } from "../reward-model.ts";
import { type Html, html } from "./html.ts";
import { signed } from "./numbers.ts";
import { at, linear } from "./scale.ts";
import { shorten } from "./text.ts";

const WIDTH = 480;
const LABELS = 180;
const VALUES = 70;
const ROW = 22;
const BARS = 8;

/** The largest contributions as bars around 0, the others in one. */
export function contributionBars(contributions: ByObjective, label = "Contributions to the margin"): Html {
  const sorted = Object.entries(contributions).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const bars = sorted.length > BARS + 1 ? sorted.slice(0, BARS) : sorted;
  const rest = sorted.slice(bars.length);
  if (rest.length > 0) bars.push([`${rest.length} others`, rest.reduce((sum, [, value]) => sum + value, 0)]);
  const values = bars.map(([, value]) => value);
  const x = linear([Math.min(0, ...values), Math.max(0, ...values)], [LABELS + 12, WIDTH - VALUES]);
  const zero = x(0);
  const rows = bars.map(([name, value], i) => {
    const y = i * ROW;
    const end = x(value);
    return html`<text class="label" x="${LABELS}" y="${y + 15}" text-anchor="end">${shorten(name, 28)}</text>
<rect class="${value < 0 ? "negative" : "bar"}" x="${at(Math.min(zero, end))}" width="${at(Math.max(1, Math.abs(end - zero)))}" y="${y + 4}" height="${ROW - 8}" rx="2"/>
<text class="value" x="${WIDTH}" y="${y + 15}" text-anchor="end">${signed(value, 4)}</text>`;
  });
  const height = bars.length * ROW;
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}">${rows}<path class="zero" d="M${at(zero)} 0V${height}"/></svg>`;
}

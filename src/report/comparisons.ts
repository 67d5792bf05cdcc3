import type { ComparedPair } from "../reward-model.ts";
import { type Html, html } from "./html.ts";
import { fixed, integer, isNumber, percent, signed } from "./numbers.ts";
import type { ComparedAnswers, ReportData } from "./report-data.ts";
import { at, linear } from "./scale.ts";
import { section } from "./section.ts";

/** Comparisons shown; a report is to be read. */
const SHOWN = 20;

/** Compared answers, and why one beats the other, objective by objective. */
export function comparisonSection({ comparisons = [] }: ReportData): Html | null {
  if (comparisons.length === 0) return null;
  const more = comparisons.length - SHOWN;
  return section(
    "comparisons",
    "Why one answer wins",
    "Each margin is the sum of its bars: to the right what speaks for the winner, to the left what speaks for the other.",
    html`<div>${comparisons.slice(0, SHOWN).map(comparison)}</div>
${more > 0 && html`<p class="note">${integer(more)} more are not shown.</p>`}`,
  );
}

function comparison({ id, prompt, texts, responses, ranking, pairs }: ComparedAnswers): Html {
  const asked = typeof prompt === "string" ? prompt : prompt?.at(-1)?.content;
  const heading = asked ?? (id === undefined ? null : `#${id}`);
  const answers = ranking.map(
    (index, place) => html`<li class="${place === 0 && "best"}"><b>${letter(index)}</b>
<span class="score">${fixed(responses[index]?.score, 4)}</span> <span class="text">${shorten(texts?.[index] ?? "")}</span></li>`,
  );
  return html`<article><div>
${heading !== null && html`<p class="prompt">${shorten(heading)}</p>`}
<ol class="answers">${answers}</ol>
</div><div>${pairs.map(why)}</div></article>`;
}

function why({ better, worse, margin, probability, contributions }: ComparedPair): Html {
  const odds = isNumber(probability) ? `, with a probability of ${percent(probability)}` : "";
  return html`<p class="why"><b>${letter(better)}</b> beats <b>${letter(worse)}</b> by ${fixed(margin, 4)}${odds}</p>
<figure>${contributionBars(contributions)}</figure>`;
}

const WIDTH = 480;
const LABELS = 180;
const VALUES = 70;
const ROW = 22;
const BARS = 8;

/** The largest contributions as bars around 0, the others in one. */
function contributionBars(contributions: ComparedPair["contributions"]): Html {
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
    return html`<text class="label" x="${LABELS}" y="${y + 15}" text-anchor="end">${name.length > 28 ? `${name.slice(0, 27)}…` : name}</text>
<rect class="${value < 0 ? "negative" : "bar"}" x="${at(Math.min(zero, end))}" width="${at(Math.max(1, Math.abs(end - zero)))}" y="${y + 4}" height="${ROW - 8}" rx="2"/>
<text class="value" x="${WIDTH}" y="${y + 15}" text-anchor="end">${signed(value, 4)}</text>`;
  });
  const height = bars.length * ROW;
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Contributions to the margin">${rows}<path class="zero" d="M${at(zero)} 0V${height}"/></svg>`;
}

const letter = (index: number): string => (index < 26 ? String.fromCharCode(65 + index) : `#${index + 1}`);

function shorten(text: string, length = 600): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).trimEnd()}…`;
}

import type { ComparedPair } from "../reward-model.ts";
import { letter } from "../scoring/explanation.ts";
import { contributionBars } from "./contribution-bars.ts";
import { type Html, html } from "./html.ts";
import { fixed, integer, isNumber, percent } from "./numbers.ts";
import type { ComparedAnswers, ReportData } from "./report-data.ts";
import { section } from "./section.ts";
import { lastText, shorten } from "./text.ts";

/** Comparisons shown; a report is to be read. */
const SHOWN = 20;
/** Characters of a text shown. */
const TEXT = 600;

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
  const heading = prompt === undefined ? (id === undefined ? null : `#${id}`) : lastText(prompt);
  const answers = ranking.map(
    (index, place) => html`<li class="${place === 0 && "best"}"><b>${letter(index)}</b>
<span class="score">${fixed(responses[index]?.score, 4)}</span> <span class="text">${shorten(texts?.[index] ?? "", TEXT)}</span></li>`,
  );
  return html`<article><div>
${heading !== null && html`<p class="prompt">${shorten(heading, TEXT)}</p>`}
<ol class="answers">${answers}</ol>
</div><div>${pairs.map(why)}</div></article>`;
}

function why({ better, worse, margin, probability, contributions }: ComparedPair): Html {
  const odds = isNumber(probability) ? `, with a probability of ${percent(probability)}` : "";
  return html`<p class="why"><b>${letter(better)}</b> beats <b>${letter(worse)}</b> by ${fixed(margin, 4)}${odds}</p>
<figure>${contributionBars(contributions)}</figure>`;
}

import type { HardPair } from "../evaluation/pair-analysis.ts";
import type { PairTexts } from "../evaluation/pair-texts.ts";
import { contributionBars } from "./contribution-bars.ts";
import { type Html, html } from "./html.ts";
import { counted, integer, isNumber, signed } from "./numbers.ts";
import type { NamedEvaluation, ReportData } from "./report-data.ts";
import { details, section } from "./section.ts";
import { ofPairs } from "./stored-evaluations.ts";
import { lastText, shorten } from "./text.ts";

/** The pairs that the model has most wrong, with what each objective said and the texts where they are known. */
export function hardestSection({ evaluations = [] }: ReportData): Html | null {
  const sets = ofPairs(evaluations).filter(({ evaluation }) => (evaluation.hardest ?? []).length > 0);
  if (sets.length === 0) return null;
  return section(
    "hardest",
    "Hardest pairs",
    "The pairs with the lowest margins. Bars to the right speak for the preferred response, bars to the left for the other; they sum to the margin. A margin far below 0 is a mistake that the model is sure of, or a label that deserves a second look.",
    sets.map(({ name, evaluation, texts = {} }) => list(name, evaluation.hardest ?? [], texts)),
  );
}

/** Pairs shown at once; the others are opened. */
const SHOWN = 6;

function list(name: string, pairs: readonly HardPair[], texts: NonNullable<NamedEvaluation["texts"]>): Html {
  const cards = pairs.map((pair) => card(pair, texts[pair.index]));
  const more = cards.slice(SHOWN);
  return html`<h3>${name}</h3>
<div class="cards">${cards.slice(0, SHOWN)}</div>
${more.length > 0 && details(`${integer(more.length)} more`, html`<div class="cards">${more}</div>`)}`;
}

function card(
  { index, id, subset, margin, lengthDifference, contributions }: HardPair,
  texts?: PairTexts,
): Html {
  const several = Object.keys(contributions).length > 1;
  return html`<div class="card"><p class="why"><b>${signed(margin, 3)}</b> ${subset} <small>${id === null ? `pair ${integer(index + 1)}` : shorten(String(id), 90)}</small></p>
${isNumber(lengthDifference) && html`<p class="note">the preferred response is ${lengthText(lengthDifference)}</p>`}
${several && html`<figure>${contributionBars(contributions)}</figure>`}
${texts && details("texts", textsOf(texts))}</div>`;
}

function lengthText(difference: number): string {
  if (difference === 0) return "as long as the other";
  return `${counted(Math.abs(difference), "token")} ${difference > 0 ? "longer" : "shorter"}`;
}

/** Characters of a text shown. */
const TEXT = 800;

function textsOf({ prompt, chosen, rejected }: PairTexts): Html {
  const parts = [
    ["prompt", lastText(prompt)],
    ["preferred", chosen],
    ["other", rejected],
  ] as const;
  return html`<dl class="texts">${parts.map(([name, text]) => html`<dt>${name}</dt><dd>${shorten(text, TEXT)}</dd>`)}</dl>`;
}

import { accuracyHeads, accuracyRow } from "./accuracy-rows.ts";
import { debiasingPlots, dumbbells } from "./debiasing.ts";
import { type Html, html } from "./html.ts";
import { fixed, integer, isNumber } from "./numbers.ts";
import type { ReportData, StoredTraining } from "./report-data.ts";
import { columns, section } from "./section.ts";
import { type Named, ofPairs, type StoredPairAnalysis } from "./stored-evaluations.ts";

/** What length explains of a model's preferences, beside what debiasing did about it. */
export function lengthSection({ evaluations = [], training }: ReportData): Html | null {
  const tables = ofPairs(evaluations).flatMap((named) => byLength(named) ?? []);
  const plots = training ? [...debiasingPlots(training), inTokens(training)] : [];
  if (tables.length + plots.filter((plot) => plot !== null).length === 0) return null;
  const lead =
    tables.length > 0
      ? "A model that judges content is about as often right where the preferred response is the shorter one. Lengths are in tokens."
      : "How much of each reward is length, or another objective that it should not be.";
  return section("length", "What length explains", lead, columns([...tables, ...plots]));
}

function byLength({ name, evaluation: { length } }: Named<StoredPairAnalysis>): Html | null {
  if (!length) return null;
  const { chosenLonger, chosenShorter, equal, correlation } = length;
  const rows = [
    ["preferred one is longer", chosenLonger],
    ["preferred one is shorter", chosenShorter],
    ["both are as long", equal],
  ] as const;
  const rho = isNumber(correlation)
    ? html`<p class="note">Spearman’s ρ of margin and length difference: <b>${fixed(correlation, 2)}</b>. ${leaning(correlation)}</p>`
    : null;
  return html`<div class="scroll"><table class="accuracies">
<thead><tr><th>${name}</th>${accuracyHeads()}</tr></thead>
<tbody>${rows.map(([text, accuracy]) => accuracy.n > 0 && accuracyRow(html`${text} <small>${integer(accuracy.n)}</small>`, accuracy, "subset"))}</tbody></table></div>${rho}`;
}

/** Rewards and scores against the length of responses, which no objective needs to stand for. */
function inTokens({ diagnostics }: StoredTraining): Html | null {
  const length = diagnostics?.length;
  if (!length) return null;
  const scores = Object.entries(length.scores).map(([gate, row]) => ({ name: `score, ${gate}`, ...row }));
  const objectives = Object.entries(length.objectives).map(([name, row]) => ({ name, ...row }));
  const rows = [...scores, ...objectives].filter(({ before, after }) => isNumber(before) && isNumber(after));
  if (rows.length === 0) return null;
  return html`<h3>Rewards, scores and length in tokens</h3>
<p class="note">Spearman’s ρ with the tokens of ${integer(length.responses)} responses to validation prompts: <span class="key before">of raw rewards</span> <span class="key after">debiased</span>. The gate may put back into the score what debiasing took from single rewards. Rewards without a line do not vary after debiasing.</p>
<figure class="wide">${dumbbells(rows, "Correlation with length in tokens, before and after debiasing")}</figure>`;
}

/** Correlations nearer to 0 than this are not worth a word. */
const NOTABLE = 0.1;

function leaning(correlation: number): string {
  if (correlation > NOTABLE) return "The model leans towards longer responses.";
  if (correlation < -NOTABLE) return "The model leans towards shorter responses.";
  return "The model leans to neither side.";
}

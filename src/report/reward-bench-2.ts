import type { TiesScore } from "../evaluation/ties.ts";
import { accuracyCells, accuracyHeads } from "./accuracy-rows.ts";
import { type Html, html } from "./html.ts";
import { fixed, integer, percent } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { details, section } from "./section.ts";
import { type Named, ofBenchmark, type StoredRewardBench2 } from "./stored-evaluations.ts";

/** RewardBench 2: its six subsets, and what Ties is made of. */
export function rewardBench2Section({ evaluations = [] }: ReportData): Html | null {
  const benches = ofBenchmark(evaluations, "rewardbench2");
  if (benches.length === 0) return null;
  return section(
    "rewardbench2",
    "RewardBench 2",
    "How often a right answer scores highest among four, by subset; the score is the unweighted mean of the six. The dashed line is chance, one in four. Ties, with several right answers among many, has a formula of its own.",
    html`${benches.map(bench)}`,
  );
}

/** One right answer among four. */
const CHANCE = 0.25;

function bench({ name, evaluation }: Named<StoredRewardBench2>): Html {
  const { score, interval, subsets, ties, missing } = evaluation;
  const entries = Object.entries(subsets);
  const other = entries.filter(
    ([, { n, officialPrompts }]) => officialPrompts !== null && officialPrompts !== n,
  );
  const rows = entries.map(([subset, result]) => {
    const { n, officialPrompts } = result;
    const differs = officialPrompts !== null && officialPrompts !== n;
    return html`<tr class="subset"><th>${subset}</th><td class="number"><span class="${differs && "differs"}">${integer(n)}</span></td>
<td class="number quiet">${officialPrompts !== null && integer(officialPrompts)}</td>${accuracyCells(result, subset === "Ties" ? null : CHANCE)}</tr>`;
  });
  return html`<h3>${name}</h3>
${missing.length > 0 && html`<p class="warning">No score: ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing.</p>`}
${other.length > 0 && html`<p class="warning">This is not the official set: ${other.map(([subset]) => subset).join(", ")} ${other.length === 1 ? "has" : "have"} another number of prompts.</p>`}
<div class="scroll"><table class="accuracies subsets">
<thead><tr><th>subset</th><th class="number">prompts</th><th class="number">official</th>${accuracyHeads()}</tr></thead>
<tbody>${rows}</tbody>
<tbody><tr class="model"><th>mean of six</th><td></td><td></td>${accuracyCells({ accuracy: score, interval }, CHANCE)}</tr></tbody></table></div>
${ties && details("What Ties is made of", tiesTable(ties))}`;
}

function tiesTable(ties: TiesScore): Html {
  const { tiedAccuracy, refAccuracy, preferred, preferredHard, marginScore } = ties;
  const rows = [
    ["every right answer above every wrong one, several right", percent(tiedAccuracy), 0.3],
    ["the same, one right", percent(refAccuracy), 0.3],
    ["distance to the wrong ones exceeds the spread of the right ones", percent(preferred), 0.2],
    ["so does the distance with one right answer", percent(preferredHard), 0.2],
    ["how far, through tanh: −1 … 1", fixed(marginScore, 3), 0.01],
  ] as const;
  return html`<table class="accuracies"><thead><tr><th>${integer(ties.prompts)} prompts of both kinds</th><th class="number">share</th><th class="number">weight</th></tr></thead>
<tbody>${rows.map(([text, figure, weight]) => html`<tr><th>${text}</th><td class="number">${figure}</td><td class="number quiet">${fixed(weight, 2)}</td></tr>`)}</tbody>
<tbody><tr class="model"><th>Ties</th><td class="number">${percent(ties.score)}</td><td></td></tr></tbody></table>`;
}

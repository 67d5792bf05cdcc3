import { PUBLISHED_SCORES } from "../evaluation/published-scores.ts";
import { SECTION_NAMES } from "../evaluation/reward-bench.ts";
import { type Html, html } from "./html.ts";
import { fixed } from "./numbers.ts";
import { details } from "./section.ts";

/** What others have published about themselves on RewardBench, for context. */
export function publishedTable(): Html {
  const rows = PUBLISHED_SCORES.map(({ model, base, method, overall, sections, priorSets }) => {
    const mean = SECTION_NAMES.reduce((sum, name) => sum + sections[name], 0) / SECTION_NAMES.length;
    const figures = [mean, overall, ...SECTION_NAMES.map((name) => sections[name]), priorSets];
    return html`<tr><th>${model} <small>${base}, ${method}</small></th>${figures.map((figure) => html`<td class="number">${fixed(figure, 1)}</td>`)}</tr>`;
  });
  const titles = ["mean", "with prior", ...SECTION_NAMES, "prior sets"];
  return details(
    "For context: published by others about their models, not measured here",
    html`<div class="scroll"><table class="published">
<thead><tr><th>published, not measured here</th>${titles.map((title) => html`<th class="number">${title}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="note">In percent, from the model card of RLHFlow/ArmoRM-Llama3-8B-v0.1; the mean is that of its four section columns. Safety there was weighed with the numbers of pairs of the two xstest subsets swapped: with each subset’s own number, the first row’s score with prior sets is 88.6.</p>`,
  );
}

import type { SubsetResult } from "../evaluation/evaluate-reward-bench.ts";
import { isPriorSet, SECTION_NAMES } from "../evaluation/reward-bench.ts";
import { accuracyCells, accuracyHeads } from "./accuracy-rows.ts";
import { type Content, type Html, html } from "./html.ts";
import { integer, percent } from "./numbers.ts";
import { details } from "./section.ts";
import type { StoredRewardBench } from "./stored-evaluations.ts";

/** Every subset under its section, with what it weighs and how many pairs the official set has of it. */
export function subsetTable({ subsets, sections, priorSets }: StoredRewardBench): Html {
  const all = Object.entries(subsets);
  const groups: readonly (readonly [title: string, figure: number | null, rows: typeof all])[] = [
    ...SECTION_NAMES.map(
      (name) => [name, sections[name], all.filter(([, { section }]) => section === name)] as const,
    ),
    ["Prior sets", priorSets, all.filter(([name]) => isPriorSet(name))],
    [
      "Outside the benchmark",
      null,
      all.filter(([name, { section }]) => section === null && !isPriorSet(name)),
    ],
  ];
  const bodies = groups
    .filter(([, , rows]) => rows.length > 0)
    .map(
      ([title, figure, rows]) => html`<tbody>
<tr><th colspan="5" class="group"><b>${title}</b></th><td class="number group"><b>${figure !== null && percent(figure)}</b></td><td class="group" colspan="2"></td></tr>
${rows.map(([name, result]) => row(name, result))}</tbody>`,
    );
  return details(
    `Accuracy by subset (${integer(all.length)})`,
    html`<div class="scroll"><table class="accuracies subsets">
<thead><tr><th>subset</th><th class="number">pairs</th><th class="number">official</th><th class="number">weight</th><th class="number">unscored</th>${accuracyHeads()}</tr></thead>
${bodies}</table></div>`,
  );
}

function row(name: string, result: SubsetResult): Html {
  const { n, unscored, officialPairs, weight } = result;
  const count = (value: number | null, quiet = true): Content =>
    value === null ? null : html`<span class="${quiet && "quiet"}">${integer(value)}</span>`;
  const official = officialPairs === null || officialPairs === n;
  return html`<tr class="subset"><th>${name}</th>
<td class="number"><span class="${!official && "differs"}">${integer(n)}</span></td>
<td class="number">${count(officialPairs)}</td><td class="number">${count(weight)}</td>
<td class="number">${count(unscored, unscored === 0)}</td>${accuracyCells(result)}</tr>`;
}

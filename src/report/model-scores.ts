import { SECTION_NAMES } from "../evaluation/reward-bench.ts";
import { inOrder } from "./accuracy.ts";
import { accuracyCells, accuracyHeads, accuracyRow } from "./accuracy-rows.ts";
import { type Content, type Html, html } from "./html.ts";
import { leftOut } from "./left-out.ts";
import type { ComparedModel, ModelComparisonData } from "./model-comparison.ts";
import { integer, isNumber, percent } from "./numbers.ts";
import { publishedTable } from "./published.ts";
import { benchWarnings } from "./reward-bench.ts";
import { section } from "./section.ts";
import type { StoredRewardBench } from "./stored-evaluations.ts";

/** Every model's score with its interval, beside length alone. */
export function modelScores({ name, models }: ModelComparisonData): Html {
  const benches = models.flatMap(({ label, evaluation }) =>
    evaluation.benchmark === "rewardbench" ? [{ label, evaluation }] : [],
  );
  const notes = models.flatMap(({ label, evaluation }) => {
    const note = leftOut(evaluation);
    return note ? [html`<div class="notes"><b>${label}</b> ${note}</div>`] : [];
  });
  return section(
    "scores",
    "Scores",
    benches.length > 0
      ? "The four-section mean with its 95\u00a0% interval, and the sections it is made of, beside length alone. Whether two models differ, the paired differences below say better than two intervals."
      : "Accuracy with its 95\u00a0% interval, beside length alone. Whether two models differ, the paired differences below say better than two intervals.",
    html`${benches[0] && benchWarnings(benches[0].evaluation)}
<div class="scroll">${benches.length > 0 ? benchTable(name, benches) : pairTable(name, models)}</div>
${notes}
${benches.length > 0 && publishedTable()}`,
  );
}

/** Length is the same for all models; simpler mixtures are each model's own, and stand on its page. */
const isLength = ([rule]: readonly [string, unknown]): boolean => rule.startsWith("prefer the ");

function pairTable(name: string, models: readonly ComparedModel[]): Html {
  const first = models[0]!.evaluation;
  const rows = models.map(({ label, evaluation: { n, score, interval } }) =>
    accuracyRow(html`${label} <small>${integer(n)}</small>`, { n, accuracy: score, interval }, "model"),
  );
  const lengths = inOrder(first.baselines).filter(isLength);
  return html`<table class="accuracies"><thead><tr><th>${name}</th>${accuracyHeads()}</tr></thead>
<tbody>${rows}${lengths.map(([rule, accuracy]) => accuracyRow(rule, accuracy, "baseline"))}</tbody></table>`;
}

interface Bench {
  readonly label: string;
  readonly evaluation: StoredRewardBench;
}

function benchTable(name: string, benches: readonly Bench[]): Html {
  // Without data for all four sections there is no mean, and no place for one.
  const hasMean = benches.some(({ evaluation }) => isNumber(evaluation.score));
  const mean = (accuracy: number, interval: readonly [number, number]) =>
    hasMean && accuracyCells({ accuracy, interval });
  const withPriors = benches.some(({ evaluation }) => isNumber(evaluation.priorSets));
  const sections = (
    figures: Pick<StoredRewardBench, "sections" | "priorSets" | "scoreWithPriorSets">,
  ): Content =>
    [
      ...SECTION_NAMES.map((title) => figures.sections[title]),
      ...(withPriors ? [figures.priorSets, figures.scoreWithPriorSets] : []),
    ].map((share) => html`<td class="number">${percent(share)}</td>`);
  const rows = benches.map(
    ({ label, evaluation }) =>
      html`<tr class="model"><th>${label}</th>${mean(evaluation.score, evaluation.interval)}${sections(evaluation)}</tr>`,
  );
  const lengths = inOrder(benches[0]!.evaluation.baselineScores)
    .filter(isLength)
    .map(
      ([rule, figures]) =>
        html`<tr class="baseline"><th>${rule}</th>${mean(figures.score, [Number.NaN, Number.NaN])}${sections(figures)}</tr>`,
    );
  const titles = [...SECTION_NAMES, ...(withPriors ? ["prior sets", "with prior"] : [])];
  return html`<table class="accuracies benches"><thead><tr><th>${name}</th>${hasMean && accuracyHeads("mean")}${titles.map((title) => html`<th class="number">${title}</th>`)}</tr></thead>
<tbody>${rows}${lengths}</tbody></table>`;
}

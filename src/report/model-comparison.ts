// Several models on the same data, on one page: scores, paired differences, subsets side by side.

import type { ModelComparison } from "../evaluation/compare-models.ts";
import { html } from "./html.ts";
import { modelHabits } from "./model-habits.ts";
import { modelScores } from "./model-scores.ts";
import { integer } from "./numbers.ts";
import { page } from "./page.ts";
import { pairedDifferences } from "./paired-differences.ts";
import { section } from "./section.ts";
import type { StoredPairAnalysis } from "./stored-evaluations.ts";
import { subsetsSideBySide } from "./subsets-side-by-side.ts";

/** One of the models. */
export interface ComparedModel {
  /** What to call it in narrow places. */
  readonly label: string;
  /** As the paired comparisons name it. */
  readonly name: string;
  /** All models have been through the same benchmark. */
  readonly evaluation: StoredPairAnalysis;
  /** The model's own page, relative to this one. */
  readonly page: string;
}

export interface ModelComparisonData {
  /** What to call the data. */
  readonly name: string;
  /** In the order in which they were named. */
  readonly models: readonly ComparedModel[];
  readonly comparisons: readonly ModelComparison[];
}

const BENCHMARKS = { pairs: "preference pairs", rewardbench: "RewardBench" };

/**
 * Models side by side as one HTML file, like `renderReport`; what each of them is like inside stands on its own page, to
 * which this one links.
 */
export function renderModelComparison(data: ModelComparisonData): string {
  const { name, models } = data;
  const links = models.map(
    ({ label, name: full, page: href }, i) =>
      html`${i > 0 && " · "}<a href="${href}" title="${full}">${label}</a>`,
  );
  const benchmark = BENCHMARKS[models[0]!.evaluation.benchmark];
  return page(
    `${models.map(({ label }) => label).join(", ")} on ${name}`,
    html`<header><p class="kind">Reward models side by side</p><h1>${name}</h1>
<p>${benchmark}, ${integer(models.length)} models; each has a page of its own: ${links}</p></header>
${modelScores(data)}
${pairedDifferences(data)}
${subsetsSideBySide(data)}
${modelHabits(data)}
${section("models", "The models", "As they were named.", html`<table class="facts">${models.map(({ label, name: full, page: href }) => html`<tr><th><a href="${href}">${label}</a></th><td>${full}</td></tr>`)}</table>`)}`,
  );
}

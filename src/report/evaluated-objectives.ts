import type { TrainingDiagnostics } from "../armo/diagnostics.ts";
import type { ObjectiveAccuracy } from "../armo/objective-accuracy.ts";
import { type Html, html } from "./html.ts";
import { fixed, isNumber, percent, points, signed } from "./numbers.ts";
import type { ReportData, StoredTraining } from "./report-data.ts";
import { at, extent, linear, type Scale } from "./scale.ts";
import { columns, section } from "./section.ts";
import { type Named, ofPairs, type StoredPairAnalysis } from "./stored-evaluations.ts";

/** What each objective does for the accuracy, and adds to the margin. Models of one objective have nothing to tell apart. */
export function evaluatedObjectiveSection({ evaluations = [], training }: ReportData): Html | null {
  const targets = new Set(training?.debias);
  const validation = training?.diagnostics && ofValidation(training, training.diagnostics);
  const sets = [...ofPairs(evaluations).map(ofEvaluation), ...(validation ? [validation] : [])];
  const tables = sets.flatMap((set) => table(set, targets) ?? []);
  if (tables.length === 0) return null;
  return section(
    "contributions",
    "What each objective does",
    "Accuracy of the objective’s reward alone, and of the score without its contribution: where that is higher than with it, the objective hurts here. The bars are mean contributions and sum to the mean margin. ρ is Spearman’s correlation of the objective’s reward difference with the length difference.",
    html`${columns(tables)}
${targets.size > 0 && html`<p class="note">* What it adds is what debiasing takes from the other rewards.</p>`}`,
  );
}

interface ObjectiveSet {
  readonly name: string;
  readonly objectives: Readonly<Record<string, StoredObjective>>;
  /** Of all together. */
  readonly accuracy: number;
  readonly meanMargin: number | undefined;
  readonly lengthCorrelation: number | undefined;
}

/** Earlier versions do not know which pairs turn over. */
type StoredObjective = Omit<ObjectiveAccuracy, "flips">;

const ofEvaluation = ({ name, evaluation }: Named<StoredPairAnalysis>): ObjectiveSet => ({
  name,
  objectives: evaluation.objectives ?? {},
  accuracy: rightShare(evaluation),
  meanMargin: evaluation.margins?.mean,
  lengthCorrelation: evaluation.length?.correlation,
});

const ofValidation = ({ accuracy }: StoredTraining, { objectives }: TrainingDiagnostics): ObjectiveSet => ({
  name: "validation pairs",
  objectives,
  accuracy: accuracy["trained gate"],
  meanMargin: Object.values(objectives).reduce((sum, { meanContribution }) => sum + meanContribution, 0),
  lengthCorrelation: undefined,
});

function table(set: ObjectiveSet, targets: ReadonlySet<string>): Html | null {
  const { name, accuracy, meanMargin: total } = set;
  const objectives = Object.entries(set.objectives);
  if (objectives.length < 2) return null;
  const sorted = objectives.sort(
    ([, a], [, b]) => Math.abs(b.meanContribution) - Math.abs(a.meanContribution),
  );
  const x = linear(extent([0, total ?? 0, ...sorted.map(([, { meanContribution }]) => meanContribution)]), [
    4,
    WIDTH - 4,
  ]);
  const rows = sorted.map(([objective, figures]) =>
    row(targets.has(objective) ? `${objective}*` : objective, figures, accuracy, x),
  );
  return html`<div class="scroll"><table class="contributions">
<thead><tr><th>${name}</th><th class="number">alone</th><th class="number">without it</th><th class="number">adds to margin</th><th></th><th class="number">ρ with length</th></tr></thead>
<tbody>${rows}</tbody>
<tbody><tr class="model"><th>all together</th><td class="number">${percent(accuracy)}</td><td></td><td class="number">${signed(total, 3)}</td><td class="plot">${bar(total ?? Number.NaN, x)}</td><td class="number">${fixed(set.lengthCorrelation, 2)}</td></tr></tbody></table></div>`;
}

/** Accuracy over all scored pairs, whatever subsets weigh in the score. */
function rightShare(evaluation: StoredPairAnalysis): number {
  if (evaluation.benchmark === "pairs") return evaluation.score;
  const right = Object.values(evaluation.subsets).reduce((sum, { accuracy, n }) => sum + accuracy * n, 0);
  return right / evaluation.n;
}

function row(
  name: string,
  { alone, without, meanContribution, lengthCorrelation }: StoredObjective,
  accuracy: number,
  x: Scale,
): Html {
  const change = isNumber(without) && isNumber(accuracy) ? points(without - accuracy) : null;
  return html`<tr><th>${name}</th><td class="number">${percent(alone)}</td>
<td class="number">${percent(without)}${change !== null && html` <small class="change">${change}</small>`}</td>
<td class="number">${signed(meanContribution, 3)}</td><td class="plot">${bar(meanContribution, x)}</td>
<td class="number">${fixed(lengthCorrelation, 2)}</td></tr>`;
}

const WIDTH = 120;
const HEIGHT = 16;

function bar(value: number, x: Scale): Html | null {
  if (!isNumber(value)) return null;
  const [zero, end] = [x(0), x(value)];
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" aria-hidden="true">
<rect class="${value < 0 ? "negative" : "bar"}" x="${at(Math.min(zero, end))}" width="${at(Math.max(1, Math.abs(end - zero)))}" y="3" height="${HEIGHT - 6}" rx="2"/><path class="zero" d="M${at(zero)} 0V${HEIGHT}"/></svg>`;
}

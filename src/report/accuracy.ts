import type { Accuracy } from "../evaluation/accuracy.ts";
import { wilsonInterval } from "../evaluation/intervals.ts";
import { accuracyHeads, accuracyRow } from "./accuracy-rows.ts";
import { type Html, html } from "./html.ts";
import { leftOut } from "./left-out.ts";
import { integer, isNumber } from "./numbers.ts";
import type { ReportData, StoredTraining } from "./report-data.ts";
import { details, section } from "./section.ts";
import { type Named, ofBenchmark, type StoredPairs } from "./stored-evaluations.ts";

/** Accuracies on one set of pairs: the model's, and what simpler rules reach. */
export interface AccuracySet {
  readonly name: string;
  readonly model: Accuracy;
  readonly baselines: Readonly<Record<string, Accuracy>>;
}

/** Of the validation pairs, with intervals, which training does not store. Null without validation pairs. */
export function validationAccuracies({ accuracy, validationPairs: n }: StoredTraining): AccuracySet | null {
  if (n === 0) return null;
  const withInterval = (share: number): Accuracy => ({
    n,
    accuracy: share,
    interval: wilsonInterval(Math.round(share * n), n),
  });
  const { "trained gate": model, ...baselines } = accuracy;
  return {
    name: "validation pairs",
    model: withInterval(model),
    baselines: Object.fromEntries(
      // Length alone has no accuracy where lengths are not known.
      Object.entries(baselines).flatMap(([name, share]) =>
        isNumber(share) ? [[name, withInterval(share)]] : [],
      ),
    ),
  };
}

export const evaluationAccuracies = ({ name, evaluation }: Named<StoredPairs>): AccuracySet => ({
  name,
  model: { n: evaluation.n, accuracy: evaluation.score, interval: evaluation.interval },
  baselines: evaluation.baselines,
});

/** Accuracies with 95 % intervals, one table per set of pairs, evaluations first. */
export function accuracySection({ evaluations = [], training }: ReportData): Html | null {
  const validation = training && validationAccuracies(training);
  const pairs = ofBenchmark(evaluations, "pairs");
  if (pairs.length === 0 && !validation) return null;
  const tables = pairs.map(
    (named) => html`${table(evaluationAccuracies(named), groupsOf(named))}${leftOut(named.evaluation)}`,
  );
  if (validation) {
    const chosenBy = "These pairs decided when training stopped, so they flatter the model a little.";
    tables.push(html`${table(validation, [])}<p class="note">${chosenBy}</p>`);
  }
  return section(
    "accuracy",
    "Accuracy on preference pairs",
    "How often the preferred response scores higher, with 95\u00a0% intervals, beside what simpler rules reach on the same pairs. The uniform gate weighs all debiased rewards alike; the regression mean averages the raw rewards, with whatever length they carry. The dashed line is chance; a tie counts as wrong.",
    html`<div class="columns">${tables.map((part) => html`<div class="scroll">${part}</div>`)}</div>`,
  );
}

/** Pairs by one field: its values, and the accuracy of each. */
type Grouping = readonly [field: string, values: readonly (readonly [value: string, Accuracy])[]];

/** By subset and by every further field that was asked for, best first; a field with one value tells nothing. */
function groupsOf({ evaluation: { subsets, groups = {} } }: Named<StoredPairs>): Grouping[] {
  return Object.entries({ subset: subsets, ...groups })
    .map(
      ([field, values]): Grouping => [
        field,
        Object.entries(values).sort(([, a], [, b]) => b.accuracy - a.accuracy),
      ],
    )
    .filter(([, values]) => values.length > 1);
}

/** Values of a field that stand in the table itself; longer lists are opened. */
const SHOWN = 12;

function table({ name, model, baselines }: AccuracySet, groups: readonly Grouping[]): Html {
  const short = groups.filter(([, values]) => values.length <= SHOWN);
  const long = groups.filter(([, values]) => values.length > SHOWN);
  const rows = (values: Grouping[1]) =>
    values.map(([value, accuracy]) =>
      accuracyRow(html`${value} <small>${integer(accuracy.n)}</small>`, accuracy, "subset"),
    );
  const head = (title: Html) => html`<thead><tr><th>${title}</th>${accuracyHeads()}</tr></thead>`;
  return html`<table class="accuracies">
${head(html`${name} <small>${integer(model.n)}</small>`)}
<tbody>${accuracyRow("this model", model, "model")}${inOrder(baselines).map(([rule, accuracy]) => accuracyRow(rule, accuracy, "baseline"))}</tbody>
${short.map(([field, values]) => html`<tbody><tr><th colspan="4" class="group">this model, by ${field}</th></tr>${rows(values)}</tbody>`)}
</table>
${long.map(([field, values]) =>
  details(
    `this model, by ${field} (${integer(values.length)})`,
    html`<table class="accuracies">${head(html`${field}`)}<tbody>${rows(values)}</tbody></table>`,
  ),
)}`;
}

const ORDER = ["uniform gate", "regression mean", "prefer the longer", "prefer the shorter"];

/** The rules that every set has in one order, and others after them. */
export function inOrder<T>(baselines: Readonly<Record<string, T>>): [string, T][] {
  const place = (rule: string) => (ORDER.includes(rule) ? ORDER.indexOf(rule) : ORDER.length);
  return Object.entries(baselines).sort(([a], [b]) => place(a) - place(b));
}

import type { Accuracy } from "../evaluation/accuracy.ts";
import { wilsonInterval } from "../evaluation/intervals.ts";
import { type Html, html } from "./html.ts";
import { fixed, integer, isNumber, percent } from "./numbers.ts";
import type { NamedEvaluation, ReportData, StoredTraining } from "./report-data.ts";
import { at, linear } from "./scale.ts";
import { section } from "./section.ts";

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

export const evaluationAccuracies = ({ name, evaluation }: NamedEvaluation): AccuracySet => ({
  name,
  model: { n: evaluation.n, accuracy: evaluation.score, interval: evaluation.interval },
  baselines: evaluation.baselines,
});

/** Accuracies with 95 % intervals, one table per set of pairs, evaluations first. */
export function accuracySections({ evaluations = [], training }: ReportData): Html | null {
  const validation = training && validationAccuracies(training);
  if (evaluations.length === 0 && !validation) return null;
  const tables = evaluations.map((named) => {
    const { evaluation } = named;
    const subsets = Object.keys(evaluation.subsets).length < 2 ? {} : evaluation.subsets;
    return html`${table(evaluationAccuracies(named), subsets)}${warnings(evaluation)}`;
  });
  if (validation) {
    const chosenBy = "These pairs decided when training stopped, so they flatter the model a little.";
    tables.push(html`${table(validation, {})}<p class="note">${chosenBy}</p>`);
  }
  return section(
    "accuracy",
    "Accuracy on preference pairs",
    "How often the preferred response scores higher, with 95\u00a0% intervals, beside what simpler rules reach on the same pairs. The uniform gate weighs all debiased rewards alike; the regression mean averages the raw rewards, with whatever length they carry. The dashed line is chance; a tie counts as wrong.",
    html`<div class="columns">${tables.map((part) => html`<div class="scroll">${part}</div>`)}</div>`,
  );
}

function warnings({ overlaps, rejected, ties }: NamedEvaluation["evaluation"]): Html | null {
  const seen = overlaps ? overlaps.found - overlaps.dropped : 0;
  const notes = [
    seen > 0 && `${integer(seen)} of these pairs have a prompt that training saw: expect less on others.`,
    overlaps &&
      overlaps.dropped > 0 &&
      `${integer(overlaps.dropped)} pairs with a prompt that training saw were left out.`,
    rejected.length > 0 && `${integer(rejected.length)} pairs could not be scored.`,
    ties > 0 && `Ties: ${integer(ties)}.`,
  ].filter((note) => typeof note === "string");
  return notes.length === 0 ? null : html`<p class="${seen > 0 ? "warning" : "note"}">${notes.join(" ")}</p>`;
}

function table({ name, model, baselines }: AccuracySet, subsets: Readonly<Record<string, Accuracy>>): Html {
  const sorted = Object.entries(subsets).sort(([, a], [, b]) => b.accuracy - a.accuracy);
  return html`<table class="accuracies">
<thead><tr><th>${name} <small>${integer(model.n)}</small></th><th class="number">accuracy</th><th class="axis">${axis()}</th><th class="number">95 % interval</th></tr></thead>
<tbody>${row("this model", model, "model")}${inOrder(baselines).map(([rule, accuracy]) => row(rule, accuracy, "baseline"))}</tbody>
${sorted.length > 0 && html`<tbody><tr><th colspan="4" class="group">this model, by subset</th></tr>${sorted.map(([subset, accuracy]) => row(subset, accuracy, "subset"))}</tbody>`}
</table>`;
}

const ORDER = ["uniform gate", "regression mean", "prefer the longer", "prefer the shorter"];

/** The rules that every set has in one order, and others after them. */
function inOrder(baselines: AccuracySet["baselines"]): [string, Accuracy][] {
  const place = (rule: string) => (ORDER.includes(rule) ? ORDER.indexOf(rule) : ORDER.length);
  return Object.entries(baselines).sort(([a], [b]) => place(a) - place(b));
}

function row(name: string, { n, accuracy, interval }: Accuracy, kind: "model" | "baseline" | "subset"): Html {
  const label = kind === "subset" ? html`${name} <small>${integer(n)}</small>` : name;
  const [low, high] = interval;
  return html`<tr class="${kind}"><th>${label}</th><td class="number">${percent(accuracy)}</td><td class="plot">${intervalPlot(accuracy, interval)}</td><td class="number quiet">${fixed(100 * low, 1)} … ${percent(high)}</td></tr>`;
}

const WIDTH = 170;
const HEIGHT = 22;
const x = linear([0, 1], [12, WIDTH - 12]);

function intervalPlot(accuracy: number, [low, high]: readonly [number, number]): Html | null {
  if (!isNumber(accuracy)) return null;
  const y = HEIGHT / 2;
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" aria-hidden="true">
<path class="grid" d="M${at(x(0))} ${y}H${at(x(1))}"/><path class="chance" d="M${at(x(0.5))} 0V${HEIGHT}"/>
<path class="whisker" d="M${at(x(low))} ${y}H${at(x(high))}"/><circle class="dot" cx="${at(x(accuracy))}" cy="${y}" r="4.5"/></svg>`;
}

function axis(): Html {
  const labels = [0, 0.5, 1].map(
    (share) => html`<text x="${at(x(share))}" y="12" text-anchor="middle">${100 * share}</text>`,
  );
  return html`<svg viewBox="0 0 ${WIDTH} 16" width="${WIDTH}" height="16" aria-hidden="true">${labels}</svg>`;
}

// How evaluations of pairs look in a terminal.

import pc from "picocolors";
import type { Accuracy } from "../evaluation/accuracy.ts";
import type { ModelComparison } from "../evaluation/compare-models.ts";
import type { PairAnalysis } from "../evaluation/pair-analysis.ts";
import { fixed, integer, percent, print, table } from "./output.ts";

/** Columns of tables that hold accuracies. */
export const ACCURACY_COLUMNS = [
  { title: "" },
  { title: "pairs", align: "right" },
  { title: "accuracy", align: "right" },
  { title: "95 % interval", align: "right" },
] as const;

export const intervalText = ([low, high]: readonly [number, number]): string =>
  Number.isNaN(low) ? "–" : `${percent(low)} … ${percent(high)}`;

export const accuracyRow = (name: string, { n, accuracy, interval }: Accuracy): string[] => [
  name,
  integer(n),
  percent(accuracy),
  intervalText(interval),
];

/** The heading of one model among several. */
export function printHeading(name: string, models: number): void {
  if (models > 1) print(`\n${pc.bold(name)}`);
}

/** What went into an evaluation of pairs, and what did not. */
export function printCounts(analysis: PairAnalysis): void {
  const { n, prompts, ties } = analysis;
  printLeftOut(`${integer(n)} pairs of ${integer(prompts)} prompts, ${integer(ties)} ties`, analysis);
}

/** How many rows there are, and what was found or left out among them. */
export function printLeftOut(
  rows: string,
  { overlaps, repeatedIds, rejected }: Pick<PairAnalysis, "overlaps" | "repeatedIds" | "rejected">,
): void {
  const seen = overlaps
    ? `${integer(overlaps.found - overlaps.dropped)} with a prompt that training saw (${integer(overlaps.dropped)} dropped)`
    : "whether training saw their prompts is not known";
  print(`${rows}; ${seen}`);
  const { samePrompt, otherPrompt } = repeatedIds;
  if (samePrompt + otherPrompt > 0) {
    print(
      pc.yellow(
        `repeated ids: ${integer(samePrompt)} with the same prompt, ${integer(otherPrompt)} with another`,
      ),
    );
  }
  for (const kind of ["too-long", "invalid"] as const) {
    const some = rejected.filter((row) => row.kind === kind);
    if (some.length > 0)
      print(pc.yellow(`rejected, ${kind}: ${integer(some.length)} (the first: ${some[0]!.reason})`));
  }
}

/** Length, objectives and calibration in a few lines. */
export function printAnalysis({ length, objectives, calibration, margins }: PairAnalysis): void {
  print();
  if (length) {
    const { chosenLonger, chosenShorter, equal } = length;
    print(
      table(ACCURACY_COLUMNS, [
        accuracyRow("where the chosen response is longer", chosenLonger),
        accuracyRow("where it is shorter", chosenShorter),
        ...(equal.n > 0 ? [accuracyRow("where both are as long", equal)] : []),
      ]),
    );
  }
  const { p5, p50, p95 } = margins.percentiles;
  const rho = length ? `; Spearman's ρ of margin and length difference ${fixed(length.correlation, 2)}` : "";
  print(`margins: median ${fixed(p50)}, 90 % in ${fixed(p5)} … ${fixed(p95)}${rho}`);
  if (calibration) {
    const { calibrationError, brierScore, logLoss } = calibration;
    print(
      `σ(β · margin): calibration error ${percent(calibrationError)}, Brier score ${fixed(brierScore)}, log loss ${fixed(logLoss)} (a coin: 0.250, 0.693)`,
    );
  }
  if (Object.keys(objectives).length < 2) return;
  print();
  const columns = [
    { title: "objective" },
    { title: "accuracy alone", align: "right" },
    { title: "without it", align: "right" },
    { title: "adds to the margin", align: "right" },
    { title: "ρ with length", align: "right" },
  ] as const;
  const rows = Object.entries(objectives)
    .sort(([, a], [, b]) => Math.abs(b.meanContribution) - Math.abs(a.meanContribution))
    .map(([name, { alone, without, meanContribution, lengthCorrelation }]) => [
      name,
      percent(alone),
      percent(without),
      fixed(meanContribution, 4),
      fixed(lengthCorrelation, 2),
    ]);
  print(table(columns, rows));
}

/** Every two models, row by row. @param unit What a row is. */
export function printComparisons(comparisons: readonly ModelComparison[], unit = "pairs"): void {
  for (const {
    first,
    second,
    n,
    scoredByOne,
    difference,
    interval,
    onlyFirst,
    onlySecond,
    pValue,
  } of comparisons) {
    print();
    print(
      `${pc.bold(second)} against ${pc.bold(first)}, the ${integer(n)} ${unit} that both scored, each counting once: ${points(difference)} points (95 %: ${points(interval[0])} … ${points(interval[1])})`,
    );
    const p = pValue < 0.0001 ? "< 0.0001" : pValue.toFixed(4);
    print(`  better in ${integer(onlySecond)}, worse in ${integer(onlyFirst)}; McNemar's exact test p ${p}`);
    if (scoredByOne > 0)
      print(pc.yellow(`  scored by one of them alone, left out here: ${integer(scoredByOne)}`));
  }
}

const points = (share: number): string =>
  Number.isNaN(share) ? "–" : `${share > 0 ? "+" : ""}${(100 * share).toFixed(1)}`;

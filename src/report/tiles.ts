import { calibrationError } from "../armo/calibration.ts";
import { SECTION_NAMES } from "../evaluation/reward-bench.ts";
import { type AccuracySet, evaluationAccuracies, validationAccuracies } from "./accuracy.ts";
import { intervalText } from "./accuracy-rows.ts";
import { boundsOf, figureOf } from "./best-of-n.ts";
import { trainingCalibration } from "./calibration.ts";
import { type Content, type Html, html } from "./html.ts";
import { fixed, integer, isNumber, percent } from "./numbers.ts";
import type { ReportData, StoredTraining } from "./report-data.ts";
import {
  type Named,
  ofPairs,
  type StoredBestOfN,
  type StoredEvaluation,
  type StoredRewardBench,
  type StoredRewardBench2,
} from "./stored-evaluations.ts";

/** The figures to see first: of the first evaluation, or of the validation pairs without one, and of the training. */
export function tiles({ evaluations = [], training }: ReportData): Content[] {
  const validation = training && validationAccuracies(training);
  const [first] = evaluations;
  return [
    ...(first ? evaluationTiles(first) : validation ? accuracyTiles(validation) : []),
    training && fitTile(training),
    training && debiasTile(training),
    first ? evaluationError(first) : errorTile(trainingError(training), "validation pairs"),
  ];
}

function tile(name: string, figure: string, about: string): Html {
  return html`<div class="tile"><p class="name">${name}</p><p class="figure">${figure}</p><p class="about">${about}</p></div>`;
}

function evaluationTiles({ name, evaluation }: Named<StoredEvaluation>): Content[] {
  switch (evaluation.benchmark) {
    case "pairs":
      return accuracyTiles(evaluationAccuracies({ name, evaluation }));
    case "rewardbench":
      return rewardBenchTiles({ name, evaluation });
    case "rewardbench2":
      return rewardBench2Tiles({ name, evaluation });
    case "best-of-n":
      return bestOfNTiles({ name, evaluation });
  }
}

function accuracyTiles({ name, model, baselines }: AccuracySet): Content[] {
  const about = `95 %: ${intervalText(model.interval)}, ${name}`;
  const best = bestLength(baselines, ({ accuracy }) => accuracy);
  return [
    tile("accuracy", percent(model.accuracy), about),
    best && tile("length alone", percent(best.share), `“${best.rule}”, same pairs`),
  ];
}

/** Sections stand for a mean that they do not add up to. */
function rewardBenchTiles({ name, evaluation }: Named<StoredRewardBench>): Content[] {
  const { score, interval, priorSets, scoreWithPriorSets, intervalWithPriorSets, missing } = evaluation;
  const best = bestLength(evaluation.baselineScores, (figures) => figures.score);
  const mean = isNumber(score)
    ? `95 %: ${intervalText(interval)}, ${name}`
    : `nothing of ${missing.sections.join(", ")} in ${name}`;
  const there = SECTION_NAMES.filter((section) => isNumber(evaluation.sections[section]));
  return [
    tile("four-section mean", percent(score), mean),
    isNumber(priorSets) &&
      tile("with prior sets", percent(scoreWithPriorSets), `95 %: ${intervalText(intervalWithPriorSets)}`),
    best && tile("length alone", percent(best.share), `four-section mean of “${best.rule}”`),
    !isNumber(score) &&
      there.map((section) =>
        tile(
          section,
          percent(evaluation.sections[section]),
          `95 %: ${intervalText(evaluation.sectionIntervals[section])}`,
        ),
      ),
  ];
}

function rewardBench2Tiles({ name, evaluation }: Named<StoredRewardBench2>): Content[] {
  const { score, interval, missing } = evaluation;
  const about =
    missing.length > 0
      ? `nothing of ${missing.join(", ")} in ${name}`
      : `95 %: ${intervalText(interval)}, ${name}`;
  return [tile("mean of six subsets", percent(score), about)];
}

function bestOfNTiles({ name, evaluation }: Named<StoredBestOfN>): Content[] {
  const figure = figureOf(evaluation.graded);
  const [last] = [...evaluation.curve].sort((a, b) => b.n - a.n);
  if (!last) return [];
  return [
    tile(
      `best of ${integer(last.n)}`,
      figure(last.accuracy),
      `95 %: ${boundsOf(last.interval, figure)}, ${name}`,
    ),
    tile("random pick", figure(last.random), `oracle ${figure(last.oracle)}`),
  ];
}

/** The better of the two rules that look at length alone. */
function bestLength<T>(
  baselines: Readonly<Record<string, T>>,
  shareOf: (figures: T) => number,
): { readonly rule: string; readonly share: number } | undefined {
  const rules = ["prefer the longer", "prefer the shorter"].flatMap((rule) => {
    const figures = baselines[rule];
    const share = figures && shareOf(figures);
    return isNumber(share) ? [{ rule, share }] : [];
  });
  return rules.sort((a, b) => b.share - a.share)[0];
}

function evaluationError(named: Named<StoredEvaluation>): Html | null {
  const [pairs] = ofPairs([named]);
  return errorTile(pairs?.evaluation.calibration?.calibrationError, named.name);
}

function trainingError(training: StoredTraining | undefined): number | null {
  const bins = (training && trainingCalibration(training))?.bins ?? [];
  return bins.length === 0 ? null : calibrationError(bins);
}

function errorTile(error: number | null | undefined, name: string): Html | null {
  return isNumber(error) ? tile("calibration error", percent(error), `of σ(β · margin), ${name}`) : null;
}

function fitTile({ objectives }: StoredTraining): Html | null {
  const r2 = objectives.map((fit) => fit.r2).filter(isNumber);
  const sorted = r2.sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.floor(sorted.length / 2)]!) / 2;
  const about = `median of ${sorted.length} objectives, ${fixed(sorted[0], 2)} … ${fixed(sorted.at(-1), 2)}`;
  return tile("R²", fixed(middle, 2), about);
}

function debiasTile({ debias, transform }: StoredTraining): Html | null {
  const rows = transform.filter(({ status }) => status !== "target");
  const mean = (values: readonly (number | undefined)[]) => {
    const known = values.filter(isNumber);
    return known.reduce((sum, value) => sum + Math.abs(value), 0) / known.length;
  };
  const before = mean(rows.map((row) => row.heldOutBefore[0]));
  const after = mean(rows.map((row) => row.heldOutAfter[0]));
  if (!isNumber(before) || !isNumber(after)) return null;
  return tile(
    `|ρ| with ${debias[0]}`,
    `${fixed(before, 2)} → ${fixed(after, 2)}`,
    "mean over objectives, held out",
  );
}

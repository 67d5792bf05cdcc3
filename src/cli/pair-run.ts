// What the benchmarks made of pairs share: how rows are scored, and what is written and printed at the end.

import { join } from "node:path";
import type { CollectedPairs } from "../evaluation/collect-pairs.ts";
import type { ModelComparison } from "../evaluation/compare-models.ts";
import type { PairEvaluation } from "../evaluation/evaluate-pairs.ts";
import type { RewardBenchEvaluation } from "../evaluation/evaluate-reward-bench.ts";
import type { PairResult } from "../evaluation/pair-scores.ts";
import type { PairTexts } from "../evaluation/pair-texts.ts";
import type { ComparedModel } from "../report/model-comparison.ts";
import { dataLocations, formatNotes } from "./data-options.ts";
import {
  type EvaluatedModel,
  type EvaluationFlags,
  evaluateModels,
  fileNames,
  finishEvaluation,
} from "./evaluation-run.ts";
import { note } from "./output.ts";

type Evaluation = (PairEvaluation | RewardBenchEvaluation) & { readonly model: string };

/** Scores the pairs with every model. @param fields Fields of the rows to keep. */
export async function evaluatePairModels(
  command: string,
  flags: EvaluationFlags,
  fields: readonly string[] = [],
): Promise<EvaluatedModel<CollectedPairs>[]> {
  const [{ readPairs }, { scorePairs }, { scorePairSets }, { collectPairs }] = await Promise.all([
    import("../data/pairs.ts"),
    import("../evaluation/score-pairs.ts"),
    import("../scoring/score-embeddings.ts"),
    import("../evaluation/collect-pairs.ts"),
  ]);
  const { dropOverlaps = false } = flags;
  return evaluateModels<PairResult, CollectedPairs>(flags, {
    command,
    unit: "pairs",
    options: { dropOverlaps, fields },
    fromText: (model, locations, range) =>
      scorePairs(model, readPairs(locations, { fields, ...formatNotes(flags) }), range),
    fromSets: scorePairSets,
    collect: (score, { trainedOn }, watch) => collectPairs(score, trainedOn, { dropOverlaps, ...watch }),
  });
}

/**
 * Writes and prints what has been found: JSON, or what `printAll` prints for people. The exit code says whether rows
 * could not be read.
 */
export async function finishPairs(
  flags: EvaluationFlags,
  models: readonly EvaluatedModel<CollectedPairs>[],
  evaluations: readonly Evaluation[],
  printAll: (comparisons: readonly ModelComparison[]) => void,
): Promise<void> {
  const { compareModels } = await import("../evaluation/compare-models.ts");
  const comparisons = models.flatMap((first, i) =>
    models.slice(i + 1).map((second) => compareModels(first, second)),
  );
  const { benchmark } = evaluations[0]!;
  const document =
    evaluations.length === 1 ? evaluations[0]! : { benchmark, models: evaluations, comparisons };
  await finishEvaluation(flags, document, evaluations, () => printAll(comparisons));
  if (flags.out !== undefined) {
    note(`see ${await writeReports(flags, flags.out, evaluations, comparisons)}`);
  }
}

/** A report for every model, in the folder; of several models, one on which they stand side by side, before the others. */
async function writeReports(
  flags: EvaluationFlags,
  out: string,
  evaluations: readonly Evaluation[],
  comparisons: readonly ModelComparison[],
): Promise<string> {
  const { writeModelComparison, writeReport } = await import("../report/write-report.ts");
  const labels = fileNames(flags.model);
  const name = await nameOf((flags.data ?? flags.embeddings)!);
  const texts = await hardestTexts(flags, evaluations);
  const written: string[] = [];
  const models: ComparedModel[] = [];
  for (const [i, evaluation] of evaluations.entries()) {
    const page = evaluations.length === 1 ? REPORT : pageOf(labels[i]!);
    written.push(
      await writeReport(evaluation.model, {
        evaluations: [{ name, evaluation, texts }],
        out: join(out, page),
      }),
    );
    models.push({ label: labels[i]!, name: evaluation.model, evaluation, page });
  }
  if (models.length > 1) {
    written.unshift(await writeModelComparison(join(out, REPORT), { name, models, comparisons }));
  }
  return written.join(", ");
}

const REPORT = "report.html";

/** A model's own page; one called `report` does not take the place of the page on all of them. */
const pageOf = (label: string): string => (label === "report" ? "report.model.html" : `${label}.html`);

/** Of the pairs that some model has most wrong; embeddings know no texts. */
async function hardestTexts(
  { data, format }: EvaluationFlags,
  evaluations: readonly Evaluation[],
): Promise<Readonly<Record<number, PairTexts>>> {
  if (data === undefined) return {};
  const [locations, { readPairs }, { readPairTexts }] = await Promise.all([
    dataLocations(data, format),
    import("../data/pairs.ts"),
    import("../evaluation/pair-texts.ts"),
  ]);
  const indexes = evaluations.flatMap(({ hardest }) => hardest.map(({ index }) => index));
  return readPairTexts(readPairs(locations), indexes);
}

/** What the report calls the data: the names of files, folders or data sets. */
async function nameOf(locations: readonly string[]): Promise<string> {
  const { parseDataLocation } = await import("../data/location.ts");
  return locations.map((location) => parseDataLocation(location).source).join(", ");
}

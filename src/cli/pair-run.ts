// What the benchmarks made of pairs share: how rows are scored, and what is written and printed at the end.

import type { CollectedPairs } from "../evaluation/collect-pairs.ts";
import type { ModelComparison } from "../evaluation/compare-models.ts";
import type { PairResult } from "../evaluation/pair-scores.ts";
import type { NamedEvaluation } from "../report/report-data.ts";
import { formatNotes } from "./data-options.ts";
import {
  type EvaluatedModel,
  type EvaluationFlags,
  evaluateModels,
  finishEvaluation,
} from "./evaluation-run.ts";
import { note } from "./output.ts";

type Evaluation = NamedEvaluation["evaluation"] & { readonly model: string };

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
  if (flags.out !== undefined) note(`see ${await writeReports(flags, flags.out, evaluations)}`);
}

/** A report for every model, in the folder. */
async function writeReports(
  flags: EvaluationFlags,
  out: string,
  evaluations: readonly Evaluation[],
): Promise<string> {
  const [{ writeReport }, { fileNames }] = await Promise.all([
    import("../report/write-report.ts"),
    import("./evaluation-run.ts"),
  ]);
  const names = fileNames(flags.model);
  const written: string[] = [];
  for (const [i, evaluation] of evaluations.entries()) {
    const file = names.length === 1 ? "report.html" : `${names[i]}.html`;
    const named = { name: await nameOf((flags.data ?? flags.embeddings)!), evaluation };
    written.push(await writeReport(evaluation.model, { evaluations: [named], out: `${out}/${file}` }));
  }
  return written.join(", ");
}

/** What the report calls the data: the names of files, folders or data sets. */
async function nameOf(locations: readonly string[]): Promise<string> {
  const { parseDataLocation } = await import("../data/location.ts");
  return locations.map((location) => parseDataLocation(location).source).join(", ");
}

// What the benchmarks made of pairs share: how rows are scored, and what is written and printed at the end.

import type { CollectedPairs } from "../evaluation/collect-pairs.ts";
import type { ModelComparison } from "../evaluation/compare-models.ts";
import type { PairEvaluation } from "../evaluation/evaluate-pairs.ts";
import type { RewardBenchEvaluation } from "../evaluation/evaluate-reward-bench.ts";
import type { PairResult } from "../evaluation/pair-scores.ts";
import type { PairTexts } from "../evaluation/pair-texts.ts";
import { dataLocations, formatNotes } from "./data-options.ts";
import { writeReports } from "./evaluation-report.ts";
import {
  type EvaluatedModel,
  type EvaluationFlags,
  evaluateModels,
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
  const [{ compareModels }, { writeModelComparison }] = await Promise.all([
    import("../evaluation/compare-models.ts"),
    import("../report/write-report.ts"),
  ]);
  const comparisons = models.flatMap((first, i) =>
    models.slice(i + 1).map((second) => compareModels(first, second)),
  );
  const { benchmark } = evaluations[0]!;
  const document =
    evaluations.length === 1 ? evaluations[0]! : { benchmark, models: evaluations, comparisons };
  await finishEvaluation(flags, document, evaluations, () => printAll(comparisons));
  if (flags.out !== undefined) {
    const texts = await hardestTexts(flags, evaluations);
    const pages = await writeReports(
      flags,
      flags.out,
      evaluations.map((evaluation) => ({ evaluation, texts })),
      (page, name, models) =>
        writeModelComparison(page, {
          name,
          models: models.map((model, i) => ({ ...model, evaluation: evaluations[i]! })),
          comparisons,
        }),
    );
    note(`see ${pages}`);
  }
}

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

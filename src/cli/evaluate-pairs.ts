import { Command } from "commander";
import pc from "picocolors";
import { InputError } from "../errors.ts";
import type { PairEvaluation } from "../evaluation/evaluate-pairs.ts";
import { type EvaluationFlags, evaluationHead, withEvaluationOptions } from "./evaluation-run.ts";
import {
  ACCURACY_COLUMNS,
  accuracyRow,
  printAnalysis,
  printComparisons,
  printCounts,
  printHeading,
} from "./evaluation-tables.ts";
import { parseList } from "./flags.ts";
import { print, table } from "./output.ts";
import { evaluatePairModels, finishPairs } from "./pair-run.ts";
import { printSteeringEffect } from "./steering-tables.ts";

interface EvaluatePairsFlags extends EvaluationFlags {
  by?: string[];
}

export function evaluatePairsCommand(): Command {
  const command = new Command("pairs")
    .description("accuracy on preference pairs, by subset, beside what length alone would reach")
    .option("--drop-overlaps", "leave out pairs whose prompt a model was trained on")
    .option(
      "--by <fields>",
      "with --data: accuracies by these fields of the rows too, as in label_source,ids.model",
      parseList,
    );
  return withEvaluationOptions(command, { unit: "pairs", data: "pairs, as embed takes them", format: true })
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm evaluate pairs --model model --data llmbar.jsonl --drop-overlaps
  armorm evaluate pairs --model model --embeddings embedded/llmbar --json > llmbar.json
  armorm evaluate pairs --model model other --data llmbar.jsonl --by label_source --out llmbar`,
    );
}

async function run(flags: EvaluatePairsFlags): Promise<void> {
  if (flags.by && flags.embeddings) {
    throw new InputError(
      "wrong-usage",
      "evaluate: --by reads fields of the rows, which embeddings do not hold",
      "give --data, or leave --by out: subsets are always there",
    );
  }
  const [{ reportPairs }, models] = await Promise.all([
    import("../evaluation/evaluate-pairs.ts"),
    evaluatePairModels("evaluate pairs", flags, flags.by),
  ]);
  const evaluations = models.map(({ directory, collected, ...about }) => ({
    ...evaluationHead(about),
    ...reportPairs(collected, {
      marginScale: directory.scorer.marginScale,
      ...(flags.by ? { fields: flags.by } : {}),
    }),
  }));
  await finishPairs(flags, models, evaluations, (comparisons) => {
    for (const evaluation of evaluations) {
      printHeading(evaluation.model, evaluations.length);
      printPairEvaluation(evaluation);
    }
    printComparisons(comparisons);
  });
}

/** The tables of a pair evaluation. */
export function printPairEvaluation(evaluation: PairEvaluation): void {
  const { n, score, interval, subsets, baselines, groups } = evaluation;
  printCounts(evaluation);
  const model = accuracyRow(pc.bold("this model"), { n, accuracy: score, interval });
  const rows = Object.entries(baselines).map(([name, accuracy]) => accuracyRow(name, accuracy));
  print(table(ACCURACY_COLUMNS, [model, ...rows]));
  for (const [field, values] of Object.entries({ subset: subsets, ...groups })) {
    const names = Object.keys(values);
    if (names.length === 1 && names[0] === "(none)") print(pc.yellow(`\nno row has a field ${field}`));
    if (names.length < 2) continue;
    print();
    const columns = [{ title: field }, ...ACCURACY_COLUMNS.slice(1)];
    print(
      table(
        columns,
        Object.entries(values).map(([name, accuracy]) => accuracyRow(name, accuracy)),
      ),
    );
  }
  printAnalysis(evaluation);
  printSteeringEffect(evaluation);
}

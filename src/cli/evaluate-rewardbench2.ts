import { Command } from "commander";
import pc from "picocolors";
import type { RewardBench2Evaluation } from "../evaluation/evaluate-reward-bench-2.ts";
import { evaluatePromptModels, finishPrompts } from "./best-of-n-run.ts";
import { type EvaluationFlags, evaluationHead, withEvaluationOptions } from "./evaluation-run.ts";
import { intervalText, printComparisons, printHeading, printLeftOut } from "./evaluation-tables.ts";
import { fixed, integer, percent, print, table } from "./output.ts";
import { printSteeringEffect } from "./steering-tables.ts";

/** Where the official set lies on the hub. */
const OFFICIAL = "allenai/reward-bench-2:test";

export function evaluateRewardBench2Command(): Command {
  const command = new Command("rewardbench2").description(
    "RewardBench 2: five subsets of best-of-4, Ties, and the mean of the six",
  );
  return withEvaluationOptions(command, {
    unit: "prompts",
    data: `the benchmark: ${OFFICIAL}, or its Parquet or JSONL`,
    format: false,
  })
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm evaluate rewardbench2 --model model --data ${OFFICIAL} --out rewardbench2
  armorm embed --backbone ./backbone --kind best-of-n --data ${OFFICIAL} --out embedded/rewardbench2
  armorm evaluate rewardbench2 --model model --embeddings embedded/rewardbench2`,
    );
}

async function run(flags: EvaluationFlags): Promise<void> {
  const [{ reportRewardBench2 }, models] = await Promise.all([
    import("../evaluation/evaluate-reward-bench-2.ts"),
    evaluatePromptModels("evaluate rewardbench2", flags),
  ]);
  const evaluations = models.map(({ collected, ...about }) => ({
    ...evaluationHead(about),
    ...reportRewardBench2(collected),
  }));
  await finishPrompts(flags, models, evaluations, (comparisons) => {
    for (const evaluation of evaluations) {
      printHeading(evaluation.model, evaluations.length);
      printRewardBench2(evaluation);
      printSteeringEffect(evaluation, "prompts");
    }
    if (evaluations.length > 1) printSideBySide(evaluations);
    printComparisons(comparisons, "prompts");
  });
}

/** The models' subsets in one table. */
function printSideBySide(
  evaluations: readonly (RewardBench2Evaluation & { readonly model: string })[],
): void {
  const names = Object.keys(evaluations[0]!.subsets);
  const columns = [
    { title: "" },
    ...evaluations.map(({ model }) => ({ title: model, align: "right" as const })),
  ];
  const rows = names.map((name) => [
    name,
    ...evaluations.map(({ subsets }) => percent(subsets[name]?.accuracy)),
  ]);
  const means = [pc.bold("mean of six"), ...evaluations.map(({ score }) => pc.bold(percent(score)))];
  print();
  print(table(columns, [...rows, means]));
}

function printRewardBench2(evaluation: RewardBench2Evaluation): void {
  const { subsets, score, interval, ties, missing, baselines } = evaluation;
  printLeftOut(`${integer(evaluation.n)} prompts`, evaluation);
  print();
  const right = (title: string) => ({ title, align: "right" as const });
  const columns = [
    { title: "" },
    ...["prompts", "official", "score", "95 % interval", ...Object.keys(baselines)].map(right),
  ];
  const rows = Object.entries(subsets).map(([name, { n, officialPrompts, accuracy, interval: bounds }]) => [
    name,
    n === officialPrompts || officialPrompts === null ? integer(n) : pc.yellow(integer(n)),
    officialPrompts === null ? "" : integer(officialPrompts),
    percent(accuracy),
    intervalText(bounds),
    ...Object.values(baselines).map((baseline) => percent(baseline.subsets[name])),
  ]);
  const mean = [
    pc.bold("mean of six"),
    "",
    "",
    pc.bold(percent(score)),
    intervalText(interval),
    ...Object.values(baselines).map((baseline) => percent(baseline.score)),
  ];
  print(table(columns, [...rows, mean]));
  if (missing.length > 0) print(pc.yellow(`no score: nothing of ${missing.join(", ")}`));
  const other = Object.values(subsets).filter((s) => s.officialPrompts !== null && s.n !== s.officialPrompts);
  if (other.length > 0) {
    print(
      pc.yellow(
        `${integer(other.length)} subsets have another number of prompts than the official set: this is not that set`,
      ),
    );
  }
  if (!ties) return;
  const { tiedAccuracy, refAccuracy, preferred, preferredHard, marginScore } = ties;
  print(
    `Ties: several right answers ${percent(tiedAccuracy)}, one ${percent(refAccuracy)}; margin above the right answers' spread ${percent(preferred)}, of both ${percent(preferredHard)}; margin score ${fixed(marginScore)}`,
  );
}

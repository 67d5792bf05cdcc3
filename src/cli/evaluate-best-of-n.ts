import { Command } from "commander";
import pc from "picocolors";
import type { BestOfNEvaluation } from "../evaluation/evaluate-best-of-n.ts";
import { evaluatePromptModels, finishPrompts } from "./best-of-n-run.ts";
import { type EvaluationFlags, evaluationHead, withEvaluationOptions } from "./evaluation-run.ts";
import { ACCURACY_COLUMNS, printComparisons, printHeading, printLeftOut } from "./evaluation-tables.ts";
import { fixed, integer, percent, print, table } from "./output.ts";
import { printSteeringEffect } from "./steering-tables.ts";

export function evaluateBestOfNCommand(): Command {
  const command = new Command("best-of-n")
    .description(
      "how good the response is that a model picks from n, beside the best there is, a vote, chance and length",
    )
    .option("--drop-overlaps", "leave out prompts that a model was trained on");
  return withEvaluationOptions(command, {
    unit: "prompts",
    data: "prompts with labelled responses, as embed --kind best-of-n takes them",
    format: false,
  })
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm evaluate best-of-n --model model --data samples.jsonl --out samples
  armorm evaluate best-of-n --model model other --embeddings embedded/samples --json`,
    );
}

async function run(flags: EvaluationFlags): Promise<void> {
  const [{ reportBestOfN }, models] = await Promise.all([
    import("../evaluation/evaluate-best-of-n.ts"),
    evaluatePromptModels("evaluate best-of-n", flags),
  ]);
  const evaluations = models.map(({ collected, ...about }) => ({
    ...evaluationHead(about),
    ...reportBestOfN(collected),
  }));
  await finishPrompts(flags, models, evaluations, (comparisons) => {
    for (const evaluation of evaluations) {
      printHeading(evaluation.model, evaluations.length);
      printBestOfN(evaluation);
      printSteeringEffect(evaluation, "prompts", evaluation.graded);
    }
    if (evaluations.length > 1) printSideBySide(evaluations);
    printComparisons(comparisons, "prompts");
  });
}

/** The models' curves in one table, beside what does not depend on them. */
function printSideBySide(evaluations: readonly (BestOfNEvaluation & { readonly model: string })[]): void {
  const [first] = evaluations;
  const show = figureOf(first!);
  const right = (title: string) => ({ title, align: "right" as const });
  const columns = ["n", ...evaluations.map(({ model }) => model), "best there is", "vote", "chance"].map(
    right,
  );
  const rows = first!.curve.map(({ n, oracle, majority, random }, i) => [
    integer(n),
    ...evaluations.map(({ curve }) => show(curve[i]?.accuracy ?? null)),
    ...[oracle, majority, random].map(show),
  ]);
  print();
  print(table(columns, rows));
}

/** Shares as percent, grades as numbers. */
const figureOf = ({ graded }: BestOfNEvaluation) =>
  graded ? (value: number | null) => fixed(value) : percent;

function printBestOfN(evaluation: BestOfNEvaluation): void {
  const { score, interval, scoreCountingRejected, responses, graded, curve, subsets, rejected } = evaluation;
  printLeftOut(`${integer(evaluation.n)} prompts`, evaluation);
  const show = figureOf(evaluation);
  const bounds = ([low, high]: readonly [number, number]) =>
    Number.isNaN(low) ? "–" : `${show(low)} … ${show(high)}`;
  const range =
    responses.least === responses.most
      ? integer(responses.most)
      : `${integer(responses.least)} to ${integer(responses.most)}`;
  print(`${range} responses per prompt; figures are ${graded ? "mean grades" : "shares of right responses"}`);
  print(`${pc.bold("picked from all of a prompt's")}  ${pc.bold(show(score))}  (95 %: ${bounds(interval)})`);
  if (rejected.length > 0 && scoreCountingRejected !== null)
    print(`with prompts that could not be scored as wrong  ${percent(scoreCountingRejected)}`);
  print();
  const right = (title: string) => ({ title, align: "right" as const });
  const columns = [
    "n",
    "prompts",
    "this model",
    "95 % interval",
    "best there is",
    "vote",
    "chance",
    "longest",
    "shortest",
  ].map(right);
  print(
    table(
      columns,
      curve.map((point) => [
        integer(point.n),
        integer(point.prompts),
        pc.bold(show(point.accuracy)),
        bounds(point.interval),
        ...[point.oracle, point.majority, point.random, point.longest, point.shortest].map(show),
      ]),
    ),
  );
  if (Object.keys(subsets).length < 2) return;
  print();
  const rows = Object.entries(subsets).map(([name, { n, accuracy, interval: ends }]) => [
    name,
    integer(n),
    show(accuracy),
    bounds(ends),
  ]);
  print(table([{ title: "subset" }, right("prompts"), ...ACCURACY_COLUMNS.slice(2)], rows));
}

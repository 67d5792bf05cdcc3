import { Command } from "commander";
import pc from "picocolors";
import type { BestOfNEvaluation } from "../evaluation/evaluate-best-of-n.ts";
import { evaluatePromptModels, finishPrompts } from "./best-of-n-run.ts";
import { type EvaluationFlags, withEvaluationOptions } from "./evaluation-run.ts";
import {
  ACCURACY_COLUMNS,
  accuracyRow,
  intervalText,
  printHeading,
  printLeftOut,
} from "./evaluation-tables.ts";
import { integer, percent, print, table } from "./output.ts";

export function evaluateBestOfNCommand(): Command {
  const command = new Command("best-of-n")
    .description(
      "how good the response is that a model picks from n, beside the best there is, a vote, chance and length",
    )
    .option("--drop-overlaps", "leave out prompts that a model was trained on");
  return withEvaluationOptions(
    command,
    "prompts",
    "prompts with labelled responses, as embed --kind best-of-n takes them",
  )
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
  const evaluations = models.map(({ name, collected }) => ({ model: name, ...reportBestOfN(collected) }));
  await finishPrompts(flags, evaluations, () => {
    for (const evaluation of evaluations) {
      printHeading(evaluation.model, evaluations.length);
      printBestOfN(evaluation);
    }
  });
}

function printBestOfN(evaluation: BestOfNEvaluation): void {
  const { score, interval, scoreCountingRejected, responses, graded, curve, subsets, rejected } = evaluation;
  printLeftOut(`${integer(evaluation.n)} prompts`, evaluation);
  const range =
    responses.least === responses.most
      ? integer(responses.most)
      : `${integer(responses.least)} to ${integer(responses.most)}`;
  print(`${range} responses per prompt; figures are ${graded ? "mean grades" : "shares of right responses"}`);
  print(
    `${pc.bold("picked from all of a prompt's")}  ${pc.bold(percent(score))}  (95 %: ${intervalText(interval)})`,
  );
  if (rejected.length > 0)
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
        pc.bold(percent(point.accuracy)),
        intervalText(point.interval),
        ...[point.oracle, point.majority, point.random, point.longest, point.shortest].map(percent),
      ]),
    ),
  );
  if (Object.keys(subsets).length < 2) return;
  print();
  const rows = Object.entries(subsets).map(([name, accuracy]) => accuracyRow(name, accuracy));
  print(table([{ title: "subset" }, right("prompts"), ...ACCURACY_COLUMNS.slice(2)], rows));
}

import { Command } from "commander";
import { download } from "./downloads.ts";
import { pick } from "./flags.ts";
import { print } from "./output.ts";

interface ReportFlags {
  evaluation?: string[];
  comparisons?: string;
  out?: string;
}

export function reportCommand(): Command {
  return new Command("report")
    .description(
      "write a report on a model as one HTML file: fits, accuracies, gate, calibration, comparisons",
    )
    .argument("<model>", "model directory, or org/name on the hub")
    .option("--evaluation <file...>", "what `armorm evaluate pairs --json` has printed")
    .option("--comparisons <file>", "what `armorm compare --json` has printed")
    .option("--out <file>", "file to write (default: report.html in the model directory)")
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm report model
  armorm report model --evaluation llmbar.json rewardbench.json --comparisons compared.jsonl --out report.html`,
    );
}

async function run(model: string, flags: ReportFlags): Promise<void> {
  const { readComparedAnswers, readEvaluation, writeReport } = await import("../report/write-report.ts");
  const evaluations = await Promise.all((flags.evaluation ?? []).map(readEvaluation));
  const comparisons = flags.comparisons === undefined ? [] : await readComparedAnswers(flags.comparisons);
  print(await writeReport(await download(model), { ...pick(flags, ["out"]), evaluations, comparisons }));
}

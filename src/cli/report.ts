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
      "write a report on a model as one HTML file: benchmarks, accuracies, length, gate, calibration, hardest pairs, fits",
    )
    .argument("<model>", "model directory, or org/name on the hub")
    .option("--evaluation <file...>", "what `armorm evaluate … --json` has printed, or its evaluation.json")
    .option("--comparisons <file>", "what `armorm compare --json` has printed")
    .option("--out <file>", "file to write (default: report.html in the model directory)")
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm report model
  armorm report model --evaluation llmbar.json rewardbench/evaluation.json --comparisons compared.jsonl --out report.html`,
    );
}

async function run(model: string, flags: ReportFlags): Promise<void> {
  const [{ readComparedAnswers, readEvaluation }, { writeReport }] = await Promise.all([
    import("../report/read-files.ts"),
    import("../report/write-report.ts"),
  ]);
  const evaluations = await Promise.all((flags.evaluation ?? []).map((path) => readEvaluation(path, model)));
  const comparisons = flags.comparisons === undefined ? [] : await readComparedAnswers(flags.comparisons);
  print(await writeReport(await download(model), { ...pick(flags, ["out"]), evaluations, comparisons }));
}

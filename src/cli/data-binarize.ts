import { Command, Option } from "commander";
import type { BinarizeReport } from "../data/binarize.ts";
import {
  dataLocations,
  declaredScales,
  formatNotes,
  withFormatOption,
  withScaleOption,
} from "./data-options.ts";
import { counted, noteRejected, withRowsProgress } from "./data-progress.ts";
import { withDownloads } from "./downloads.ts";
import { interruptSignal } from "./failure.ts";
import { parseList, parseNumberFromZero, pick } from "./flags.ts";
import { integer, print, printJson, table } from "./output.ts";

interface BinarizeFlags {
  data: string[];
  out: string;
  objectives?: string[];
  lowerIsBetter?: string[];
  minMargin?: number;
  pairs: "all" | "best-worst";
  overwrite?: boolean;
  strict?: boolean;
  format?: string;
  scale?: string[];
  json?: boolean;
}

export function dataBinarizeCommand(): Command {
  const command = new Command("binarize")
    .description("turn ratings into preference pairs with target margins")
    .requiredOption(
      "--data <location...>",
      "ratings: files, folders, or org/name:split on the hub; NAME=FILE prefixes objectives with NAME-",
    )
    .requiredOption("--out <file>", "the pairs, as .jsonl or .jsonl.gz")
    .option(
      "--objectives <names>",
      "compare the mean of these, with commas between them; * is any text (default: all)",
      parseList,
    )
    .option("--lower-is-better <names>", "objectives of which less is better", parseList)
    .option("--min-margin <x>", "leave out pairs whose means are closer than this", parseNumberFromZero)
    .addOption(
      new Option("--pairs <which>", "all pairs of a prompt, or the one furthest apart")
        .choices(["all", "best-worst"])
        .default("all"),
    )
    .option("--overwrite", "replace the file if it is there")
    .option("--strict", "stop at the first row that cannot be read")
    .option("--json", "print the counts as JSON");
  return withDownloads(withScaleOption(withFormatOption(command)))
    .action(run)
    .addHelpText(
      "after",
      `
Two responses of one source to one prompt make a pair; chosen has the higher mean over what both are rated on, and
"margin" is the difference. Several objectives are each scaled to 0 … 1 by the range that occurs; a single one keeps
its own scale.

Examples:
  armorm data binarize --data helpsteer=hs.jsonl.gz --objectives helpsteer-helpfulness --out pairs.jsonl
  armorm data binarize --data ratings.jsonl --lower-is-better verbosity --min-margin 0.1 --pairs best-worst --out pairs.jsonl.gz`,
    );
}

async function run(flags: BinarizeFlags): Promise<void> {
  const { binarize } = await loadLibrary();
  const locations = await dataLocations(flags.data, flags.format);
  const scales = await declaredScales(flags.scale);
  const signal = interruptSignal();
  const report = await withRowsProgress("reading", locations, (onProgress) =>
    binarize(locations, flags.out, {
      ...pick(flags, ["objectives", "lowerIsBetter", "minMargin", "pairs", "overwrite", "strict"]),
      ...scales,
      ...formatNotes(flags),
      signal,
      onProgress,
    }),
  );
  if (flags.json) printJson(report);
  else printReport(report);
  noteRejected(report.rejected);
}

const loadLibrary = () => import("../data/binarize.ts");

function printReport(report: BinarizeReport): void {
  const { file, rows, prompts, responses, singles, pairs, margin, scale, objectives } = report;
  print(
    `${counted(rows, "row")} with ratings of ${counted(responses, "response")} to ${counted(prompts, "prompt")}, ${integer(singles)} of them with one response`,
  );
  const columns = [{ title: "objective" }, { title: "source" }, { title: "range", align: "right" }] as const;
  const ranges = objectives.map(({ objective, source, minimum, maximum }) => [
    objective,
    source,
    `${short(minimum)} … ${short(maximum)}`,
  ]);
  print(table(columns, ranges));
  const left = [
    `${counted(report.ties, "tie")}`,
    `${integer(report.belowMinMargin)} below the least margin`,
    `${integer(report.incomparable)} without a shared objective`,
  ];
  print(`left out: ${left.join(", ")}`);
  const unit = scale === "unit" ? "of 0 … 1" : "on the rating's scale";
  const margins = margin
    ? `; margin ${short(margin.minimum)} … ${short(margin.maximum)}, mean ${short(margin.mean)} (${unit})`
    : "";
  print(`${file}: ${counted(pairs, "pair")}${margins}`);
}

const short = (value: number): string => String(Number(value.toFixed(3)));

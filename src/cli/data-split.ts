import { Command, InvalidArgumentError } from "commander";
import type { SplitReport } from "../data/split-by-prompt.ts";
import { dataLocations, formatNotes, withFormatOption } from "./data-options.ts";
import { noteRejected, withRowsProgress } from "./data-progress.ts";
import { withDownloads } from "./downloads.ts";
import { interruptSignal } from "./failure.ts";
import { parseInteger, pick } from "./flags.ts";
import { integer, percent, print, printJson, table } from "./output.ts";

interface SplitFlags {
  data: string[];
  out: string;
  fractions: ReadonlyMap<string, number>;
  seed: number;
  overwrite?: boolean;
  strict?: boolean;
  format?: string;
  json?: boolean;
}

export function dataSplitCommand(): Command {
  const command = new Command("split")
    .description("split rows of any kind by prompt: rows with one prompt stay together, in all files")
    .requiredOption(
      "--data <location...>",
      "files, folders, or org/name:split on the hub; NAME=FILE calls one NAME",
    )
    .requiredOption("--out <dir>", "folder for NAME.jsonl, or FILE.NAME.jsonl where there are several files")
    .requiredOption("--fractions <shares>", "names with shares of the prompts, together 1", parseFractions)
    .option("--seed <n>", "another seed draws other prompts", parseInteger, 0)
    .option("--overwrite", "replace files that are there")
    .option("--strict", "stop at the first row whose prompt cannot be read")
    .option("--json", "print the counts as JSON");
  return withDownloads(withFormatOption(command))
    .action(run)
    .addHelpText(
      "after",
      `
Rows are written as they are. A prompt's side depends on the seed and on the prompt alone: more data moves none.

Examples:
  armorm data split --data pairs.jsonl.gz --fractions train=0.8,test=0.2 --out split
  armorm data split --data ratings.jsonl pairs.jsonl --fractions train=0.9,validation=0.05,test=0.05 --seed 7 --out split`,
    );
}

/** `train=0.8,test=0.2` */
function parseFractions(text: string): ReadonlyMap<string, number> {
  const fractions = new Map<string, number>();
  for (const part of text.split(",")) {
    const [, name, share] = /^\s*([A-Za-z0-9][\w.-]*)\s*=\s*([\d.eE+-]+)\s*$/.exec(part) ?? [];
    const value = Number(share);
    if (name === undefined || !(value > 0 && value <= 1)) {
      throw new InvalidArgumentError("expected names with shares above 0, as in train=0.8,test=0.2");
    }
    if (fractions.has(name)) throw new InvalidArgumentError(`expected different names, got ${name} twice`);
    fractions.set(name, value);
  }
  const sum = [...fractions.values()].reduce((total, share) => total + share, 0);
  if (Math.abs(sum - 1) > 1e-6) {
    throw new InvalidArgumentError(`expected shares that add up to 1, got ${Number(sum.toFixed(6))}`);
  }
  return fractions;
}

async function run(flags: SplitFlags): Promise<void> {
  const { splitByPrompt } = await loadLibrary();
  const locations = await dataLocations(flags.data, flags.format);
  const signal = interruptSignal();
  const report = await withRowsProgress("splitting", locations, (onProgress) =>
    splitByPrompt(locations, flags.out, {
      ...pick(flags, ["fractions", "seed", "overwrite", "strict"]),
      ...formatNotes(flags),
      signal,
      onProgress,
    }),
  );
  if (flags.json) printJson(report);
  else printReport(report);
  noteRejected(report.rejected);
}

const loadLibrary = () => import("../data/split-by-prompt.ts");

function printReport({ splits }: SplitReport): void {
  const prompts = splits.reduce((sum, split) => sum + split.prompts, 0);
  const columns = [
    { title: "" },
    { title: "prompts", align: "right" },
    { title: "share", align: "right" },
    { title: "asked", align: "right" },
    { title: "rows", align: "right" },
    { title: "written to" },
  ] as const;
  const rows = splits.map((split) => [
    split.name,
    integer(split.prompts),
    percent(split.prompts / prompts),
    percent(split.fraction),
    integer(split.rows),
    split.files.join(" "),
  ]);
  print(table(columns, rows));
}

import { Command } from "commander";
import type { OverlapReport } from "../data/overlap.ts";
import { dataLocations, formatNotes, withFormatOption } from "./data-options.ts";
import { counted, noteRejected, withRowsProgress } from "./data-progress.ts";
import { withDownloads } from "./downloads.ts";
import { interruptSignal } from "./failure.ts";
import { pick } from "./flags.ts";
import { integer, percent, print, printJson, table } from "./output.ts";

interface OverlapFlags {
  data: string[];
  against: string[];
  write?: string;
  overwrite?: boolean;
  strict?: boolean;
  format?: string;
  json?: boolean;
}

export function dataOverlapCommand(): Command {
  const command = new Command("overlap")
    .description("find prompts that data shares with evaluation sets, and leave them out")
    .requiredOption("--data <location...>", "files, folders, or org/name:split on the hub, of any kind")
    .requiredOption("--against <location...>", "files whose prompts data should not hold")
    .option("--write <file>", "write the rows of data that share nothing, as .jsonl or .jsonl.gz")
    .option("--overwrite", "replace that file if it is there")
    .option("--strict", "stop at the first row whose prompt cannot be read")
    .option("--json", "print the counts as JSON");
  return withDownloads(withFormatOption(command))
    .action(run)
    .addHelpText(
      "after",
      `
Prompts are compared without regard to case, white space and Unicode form.

Examples:
  armorm data overlap --data ratings.jsonl pairs.jsonl --against rewardbench.jsonl llmbar.jsonl.gz
  armorm data overlap --data pairs.jsonl --against rewardbench.jsonl --write pairs-clean.jsonl`,
    );
}

async function run(flags: OverlapFlags): Promise<void> {
  const [{ parseDataLocation }, { findOverlaps }] = await loadLibrary();
  const data = await dataLocations(flags.data, flags.format);
  const against = flags.against.map(parseDataLocation);
  const signal = interruptSignal();
  const report = await withRowsProgress("comparing", [...against, ...data], (onProgress) =>
    findOverlaps(data, against, {
      ...pick(flags, ["write", "overwrite", "strict"]),
      ...formatNotes(flags),
      signal,
      onProgress,
    }),
  );
  if (flags.json) printJson(report);
  else printReport(report);
  noteRejected(report.rejected);
}

const loadLibrary = () => Promise.all([import("../data/location.ts"), import("../data/overlap.ts")]);

function printReport({ files, rows, sharedRows, written }: OverlapReport): void {
  const columns = [
    { title: "data" },
    { title: "against" },
    { title: "prompts", align: "right" },
    { title: "shared", align: "right" },
    { title: "", align: "right" },
    { title: "rows", align: "right" },
    { title: "shared", align: "right" },
    { title: "", align: "right" },
  ] as const;
  const lines = files.map((file) => [
    file.data,
    file.against,
    integer(file.prompts),
    integer(file.sharedPrompts),
    percent(file.sharedPrompts / file.prompts),
    integer(file.rows),
    integer(file.sharedRows),
    percent(file.sharedRows / file.rows),
  ]);
  print(table(columns, lines));
  print(`${integer(sharedRows)} of ${counted(rows, "row")} with a prompt that both hold`);
  if (written) {
    print(`${written.file}: ${counted(written.rows, "row")} written, ${integer(written.dropped)} dropped`);
  }
}

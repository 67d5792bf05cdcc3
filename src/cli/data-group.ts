import { Command } from "commander";
import type { GroupReport } from "../data/group-pairs.ts";
import { counted, noteRejected, withRowsProgress } from "./data-progress.ts";
import { interruptSignal } from "./failure.ts";
import { pick } from "./flags.ts";
import { integer, print, printJson } from "./output.ts";

interface GroupFlags {
  data: string[];
  out: string;
  overwrite?: boolean;
  strict?: boolean;
  json?: boolean;
}

export function dataGroupCommand(): Command {
  return new Command("group")
    .description("gather preference pairs by prompt into best-of-N rows")
    .requiredOption("--data <location...>", "pairs as JSON, JSONL or JSONL.gz; NAME=FILE calls one NAME")
    .requiredOption("--out <file>", "the rows, as .jsonl or .jsonl.gz")
    .option("--overwrite", "replace the file if it is there")
    .option("--strict", "stop at the first row that cannot be read")
    .option("--json", "print the counts as JSON")
    .action(run)
    .addHelpText(
      "after",
      `
A chosen response is labelled 1, a rejected one 0; one that is both, in pairs of the same prompt, is left out. Equal
responses count once.

Examples:
  armorm data group --data gsm8k.jsonl.gz --out best-of-n.jsonl
  armorm data group --data gsm8k=samples.jsonl math=more.jsonl.gz --out best-of-n.jsonl.gz --json`,
    );
}

async function run(flags: GroupFlags): Promise<void> {
  const [{ parseDataLocation }, { groupPairs }] = await loadLibrary();
  const locations = flags.data.map(parseDataLocation);
  const signal = interruptSignal();
  const report = await withRowsProgress("reading", locations, (onProgress) =>
    groupPairs(locations, flags.out, { ...pick(flags, ["overwrite", "strict"]), signal, onProgress }),
  );
  if (flags.json) printJson(report);
  else printReport(report);
  noteRejected(report.rejected);
}

const loadLibrary = () => Promise.all([import("../data/location.ts"), import("../data/group-pairs.ts")]);

function printReport(report: GroupReport): void {
  const { file, pairs, prompts, responses, correct, conflicts, emptied, responsesPerPrompt } = report;
  const { minimum, mean, maximum } = responsesPerPrompt;
  print(`${counted(pairs, "pair")} read`);
  print(
    `left out: ${counted(conflicts, "response")} both chosen and rejected, ${counted(emptied, "prompt")} without any other`,
  );
  print(
    `${file}: ${counted(prompts, "prompt")} with ${counted(responses, "response")}, ${integer(correct)} of them labelled 1; ${minimum} … ${maximum} per prompt, mean ${mean.toFixed(2)}`,
  );
}

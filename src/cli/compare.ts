import { Command } from "commander";
import pc from "picocolors";
import type { ComparisonRow, RowError } from "../data/records.ts";
import { InputError } from "../errors.ts";
import type { Comparison } from "../reward-model.ts";
import { EXIT } from "./failure.ts";
import { fixed, note, percent, print, printJson } from "./output.ts";
import { type ModelFlags, openModel, printContributions, withModelOptions } from "./score.ts";

interface CompareFlags extends ModelFlags {
  strict?: boolean;
  json?: boolean;
}

export function compareCommand(): Command {
  const command = new Command("compare")
    .description("rank two or more responses to one prompt and say, by objective, why one wins")
    .argument("[file]", "JSON or JSONL: prompt and responses; - or nothing reads standard input")
    .option("--strict", "stop at the first row that cannot be compared")
    .option("--json", "print one JSON object per prompt");
  return withModelOptions(command)
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm compare --model model comparisons.jsonl
  echo '{"prompt":"Name a prime.","responses":["Seven.","Eight, I think."]}' | armorm compare --model model`,
    );
}

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadReaders = () => import("../data/conversations.ts");

async function run(file: string | undefined, flags: CompareFlags): Promise<void> {
  const { readComparisons } = await loadReaders();
  await using model = await openModel(flags);
  const source = file === undefined || file === "-" ? process.stdin : file;
  let failed = 0;
  const refuse = (row: ComparisonRow | RowError, error: string): void => {
    failed++;
    if (flags.strict) throw new InputError("bad-row", error, "mend the row, or leave --strict out to go on");
    const id = row.id === null ? {} : { id: row.id };
    if (flags.json) printJson({ ...id, line: row.line, error });
    else print(`${pc.bold(`line ${row.line}`)}  ${pc.red(error)}`);
  };
  for await (const row of readComparisons(source)) {
    if (row.kind === "error") {
      refuse(row, `line ${row.line}: ${row.error}`);
      continue;
    }
    try {
      const comparison = await model.compare(row.prompt, row.responses);
      if (flags.json) printJson({ ...(row.id === null ? {} : { id: row.id }), ...comparison });
      else printComparison(comparison, row);
    } catch (error) {
      if (!(error instanceof InputError) || flags.strict) throw error;
      refuse(row, `line ${row.line}: ${error.message}; ${error.remedy}`);
    }
  }
  if (failed > 0) {
    note(`${failed} rows could not be compared`);
    process.exitCode = EXIT.badInput;
  }
}

/** A prompt, its responses from best to worst, and why the best one beats the next. */
export function printComparison(
  { responses, ranking, pairs }: Comparison,
  row: { readonly prompt: readonly { readonly content: string }[]; readonly responses: readonly string[] },
): void {
  print(`${pc.dim("prompt")}  ${shorten(row.prompt.at(-1)!.content)}`);
  for (const [place, index] of ranking.entries()) {
    const name = place === 0 ? pc.green(letter(index)) : letter(index);
    print(`  ${name}  ${fixed(responses[index]!.score, 4)}  ${pc.dim(shorten(row.responses[index]!))}`);
  }
  const [first] = pairs;
  if (!first) return;
  const odds = first.probability === null ? "" : `, wins with probability ${percent(first.probability)}`;
  print(`${letter(first.better)} beats ${letter(first.worse)} by ${fixed(first.margin, 4)}${odds}, because`);
  printContributions(first.contributions);
  print();
}

const letter = (index: number): string => (index < 26 ? String.fromCharCode(65 + index) : `#${index + 1}`);

function shorten(text: string, length = 90): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}

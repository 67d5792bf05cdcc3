import { Command } from "commander";
import pc from "picocolors";
import type { ComparisonRow } from "../data/records.ts";
import type { Comparison } from "../reward-model.ts";
import { explainComparison, explainedComparison, letter } from "../scoring/explanation.ts";
import { rankingChange } from "../scoring/ranking.ts";
import { fixed, note, percent, print, shorten, wrap } from "./output.ts";
import { countRows, idOf, type RowFlags, rowSource, runRows, withRowOptions } from "./rows.ts";
import {
  type ModelFlags,
  openModel,
  printContributions,
  printGate,
  runIdentity,
  withModelOptions,
} from "./score.ts";
import { type SteeringFlags, steeringFor, withSteeringOptions } from "./steering-options.ts";
import { countTurned, turnedText } from "./steering-tables.ts";
import { printTrace, type TraceFlags, traceOptions, withTraceOption } from "./trace.ts";

type CompareFlags = ModelFlags & RowFlags & SteeringFlags & TraceFlags;

export function compareCommand(): Command {
  const command = new Command("compare")
    .description("rank two or more responses to one prompt and say, by objective, why one wins")
    .argument("[file]", "JSON or JSONL: prompt and responses; - or nothing reads standard input");
  return withModelOptions(withSteeringOptions(withRowOptions(withTraceOption(command))))
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm compare --model model comparisons.jsonl
  armorm compare --model model comparisons.jsonl --scale safety=3
  echo '{"prompt":"Name a prime.","responses":["Seven.","Eight, I think."]}' | armorm compare --model model`,
    );
}

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadReaders = () => import("../data/conversations.ts");

async function run(file: string | undefined, flags: CompareFlags): Promise<void> {
  const { readComparisons } = await loadReaders();
  const total = await countRows(file);
  const steering = await steeringFor(flags);
  const identity = { run: await runIdentity("compare", flags), ...traceOptions(flags) };
  const turned = countTurned("rankings");
  await using model = await openModel(flags);
  await runRows<ComparisonRow, Comparison>(flags, {
    what: "comparing",
    done: "compared",
    rows: readComparisons(rowSource(file)),
    total,
    identity,
    compute: async (rows) => {
      const comparisons: Comparison[] = [];
      const options = { ...traceOptions(flags), ...(steering ? { steering } : {}) };
      for (const { prompt, responses } of rows)
        comparisons.push(await model.compare(prompt, responses, options));
      for (const { responses } of comparisons) turned.add(rankingChange(responses));
      return comparisons;
    },
    toJson: (comparison, row) => [
      {
        ...idOf(row),
        prompt: row.prompt,
        texts: row.responses,
        ...explainedComparison(comparison),
        ...(steering ? { rankingChange: rankingChange(comparison.responses) } : {}),
      },
    ],
    print: (comparison, row) => {
      printComparison(comparison, row);
      const change = rankingChange(comparison.responses);
      if (steering && change) print(`${turnedText(change, steering, letter)}\n`);
    },
    errorsInPlace: true,
  });
  if (steering) note(turned.text());
}

/** A prompt, its responses from best to worst, and why the best one beats the next. */
export function printComparison(
  { responses, ranking, pairs }: Comparison,
  row: { readonly prompt: readonly { readonly content: string }[]; readonly responses: readonly string[] },
): void {
  print(`${pc.dim("prompt")}  ${shorten(row.prompt.at(-1)!.content)}`);
  for (const [place, index] of ranking.entries()) {
    const name = place === 0 ? pc.green(letter(index)) : letter(index);
    print(
      `  ${name}  ${fixed(responses[index]!.score, 4).padStart(7)}  ${pc.dim(shorten(row.responses[index]!))}`,
    );
  }
  const [first] = pairs;
  if (!first) return;
  if (Object.keys(first.contributions).length === 1) {
    const odds = first.probability === null ? "" : `, wins with probability ${percent(first.probability)}`;
    print(`${letter(first.better)} beats ${letter(first.worse)} by ${fixed(first.margin, 4)}${odds}`);
  } else {
    const against = responses.length > 2 ? `${letter(first.better)} against ${letter(first.worse)}: ` : "";
    print(wrap(`${against}${explainComparison(first)}`, ""));
    printGate(responses[first.better]!);
    printContributions(first.contributions);
  }
  for (const index of ranking) printTrace(responses[index]!, `${letter(index)} `);
  print();
}

import { Command } from "commander";
import pc from "picocolors";
import type { ConversationRow, RowError } from "../data/records.ts";
import { InputError } from "../errors.ts";
import type { RewardModel, Score } from "../reward-model.ts";
import { type BackboneFlags, chatOptions, withBackboneOptions } from "./backbone-options.ts";
import { EXIT } from "./failure.ts";
import { pick } from "./flags.ts";
import { bar, fixed, note, print, printJson } from "./output.ts";

/** Options of every command that opens a model. */
export interface ModelFlags extends BackboneFlags {
  model: string;
  backbone?: string;
}

interface ScoreFlags extends ModelFlags {
  strict?: boolean;
  json?: boolean;
}

/** Adds the options that open a model. */
export function withModelOptions(command: Command): Command {
  command
    .requiredOption("--model <dir>", "model directory that armorm has written, or an ArmoRM checkpoint")
    .option("--backbone <location>", "where the model's backbone lies now (default: as the model says)");
  return withBackboneOptions(command);
}

export function scoreCommand(): Command {
  const command = new Command("score")
    .description("score conversations and show what each score is made of")
    .argument("[file]", "JSON or JSONL: messages, or prompt and response; - or nothing reads standard input")
    .option("--strict", "stop at the first row that cannot be scored")
    .option("--json", "print one JSON object per conversation");
  return withModelOptions(command)
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm score --model model conversations.jsonl
  echo '{"prompt":"Name a prime.","response":"Seven."}' | armorm score --model model --json`,
    );
}

/** Opens the model that a command's options name. */
export async function openModel(flags: ModelFlags): Promise<RewardModel> {
  const { openRewardModel } = await import("../armo/armo-model.ts");
  return openRewardModel(flags.model, {
    ...pick(flags, ["threads", "backbone"]),
    ...(await chatOptions(flags)),
  });
}

/** Conversations per call of the model: enough to share prompts, few enough that results appear as they come. */
const BATCH = 64;

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadReaders = () => import("../data/conversations.ts");

async function run(file: string | undefined, flags: ScoreFlags): Promise<void> {
  const { readConversations } = await loadReaders();
  await using model = await openModel(flags);
  const source = file === undefined || file === "-" ? process.stdin : file;
  const counts = { rows: 0, failed: 0 };
  let batch: (ConversationRow | RowError)[] = [];
  const finishBatch = async () => {
    const conversations = batch.filter((row) => row.kind === "conversation");
    const results = await scoreEach(model, conversations);
    for (const row of batch) {
      const result = row.kind === "error" ? row : results.get(row)!;
      const index = counts.rows++;
      if ("error" in result) {
        counts.failed++;
        const what = row.kind === "error" ? `line ${row.line}: ${result.error}` : result.error;
        if (flags.strict)
          throw new InputError("bad-row", what, "mend the row, or leave --strict out to go on");
        if (flags.json) printJson({ index, ...idOf(row), error: what });
        else print(`${heading(index, row.id)}  ${pc.red(what)}`);
      } else if (flags.json) printJson({ ...idOf(row), ...result, index });
      else printScore({ ...result, index }, row.id);
    }
    batch = [];
  };
  for await (const row of readConversations(source)) {
    batch.push(row);
    if (batch.length === BATCH) await finishBatch();
  }
  await finishBatch();
  if (counts.failed > 0) {
    note(`${counts.failed} of ${counts.rows} rows could not be scored`);
    process.exitCode = EXIT.badInput;
  }
}

/** Scores rows together; if one of them is refused, each by itself, so that the others still get their scores. */
async function scoreEach(
  model: RewardModel,
  rows: readonly ConversationRow[],
): Promise<Map<ConversationRow, Score | { readonly error: string }>> {
  try {
    const scores = await model.score(rows.map(({ messages }) => messages));
    return new Map(rows.map((row, i) => [row, scores[i]!]));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (rows.length === 1) return new Map([[rows[0]!, { error: `${error.message}; ${error.remedy}` }]]);
    const results = new Map<ConversationRow, Score | { readonly error: string }>();
    for (const row of rows) for (const entry of await scoreEach(model, [row])) results.set(...entry);
    return results;
  }
}

const idOf = (row: { readonly id: string | number | null }) => (row.id === null ? {} : { id: row.id });

const heading = (index: number, id: string | number | null): string =>
  pc.bold(id === null ? `#${index}` : `${id}`);

/** Objectives shown for one score: those that move it most. */
const SHOWN = 6;

function printScore(score: Score, id: string | number | null): void {
  print(`${heading(score.index, id)}  score ${pc.bold(fixed(score.score, 4))}  (${score.tokens} tokens)`);
  printContributions(score.contributions, score.rewards);
}

/** The largest contributions as bars, with the rewards they come from. */
export function printContributions(
  contributions: Readonly<Record<string, number>>,
  rewards?: Readonly<Record<string, number>>,
): void {
  const entries = Object.entries(contributions).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  const largest = Math.abs(entries[0]?.[1] ?? 0) || 1;
  const width = Math.max(...entries.map(([name]) => name.length));
  for (const [name, value] of entries.slice(0, SHOWN)) {
    const reward = rewards ? pc.dim(`  reward ${fixed(rewards[name], 3)}`) : "";
    const sign = value < 0 ? "" : "+";
    print(`  ${name.padEnd(width)}  ${bar(value / largest)}  ${sign}${fixed(value, 4)}${reward}`);
  }
  const rest = entries.slice(SHOWN);
  if (rest.length === 0) return;
  const sum = rest.reduce((total, [, value]) => total + value, 0);
  print(pc.dim(`  ${"others".padEnd(width)}  ${" ".repeat(25)}  ${sum < 0 ? "" : "+"}${fixed(sum, 4)}`));
}

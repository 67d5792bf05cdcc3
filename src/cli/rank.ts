import { Command, Option } from "commander";
import pc from "picocolors";
import type { Message } from "../chat/messages.ts";
import type { ComparisonRow } from "../data/records.ts";
import { InputError } from "../errors.ts";
import type { ComparedPair, Steering } from "../reward-model.ts";
import { explainComparison, letter } from "../scoring/explanation.ts";
import { compareScores, type RankingChange, rankingChange } from "../scoring/ranking.ts";
import { parseNumberFromZero } from "./flags.ts";
import { fixed, note, print, shorten, table, wrap } from "./output.ts";
import { countRows, idOf, type RowFlags, rowHeading, rowSource, runRows, withRowOptions } from "./rows.ts";
import { type ModelFlags, openModel, runIdentity, withModelOptions } from "./score.ts";
import { type SteeringFlags, steeringFor, withSteeringOptions } from "./steering-options.ts";
import { countTurned, turnedText } from "./steering-tables.ts";

interface RankFlags extends ModelFlags, RowFlags, SteeringFlags {
  write?: TrainingRows;
  minMargin?: number;
}

/** `sft`: the best response. `dpo`: the best against the worst. */
type TrainingRows = "sft" | "dpo";

/** Best of N: indices into the responses, best first. */
interface Ranking {
  readonly ranking: readonly number[];
  /** In the order of the responses. */
  readonly scores: readonly number[];
  readonly best: number;
  /** The ranking without steering, and where it first differs; only of a steered model. */
  readonly unsteered?: { readonly ranking: readonly number[]; readonly scores: readonly number[] };
  readonly rankingChange?: RankingChange | null;
}

/** A ranking, and why the best response beats the next; null for a single one. */
interface ExplainedRanking {
  readonly ranking: Ranking;
  readonly why: ComparedPair | null;
}

export function rankCommand(): Command {
  const command = new Command("rank")
    .description("best of N: rank the responses to each prompt, or turn them into training rows")
    .argument("[file]", "JSON or JSONL: prompt and responses; - or nothing reads standard input")
    .addOption(
      new Option(
        "--write <rows>",
        "training rows instead: the best response, or the best against the worst",
      ).choices(["sft", "dpo"]),
    )
    .option(
      "--min-margin <x>",
      "dpo: leave out prompts whose scores lie closer together",
      parseNumberFromZero,
    );
  return withModelOptions(withSteeringOptions(withRowOptions(command)))
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm rank --model model samples.jsonl --write sft --out rejection-sampled.jsonl
  generate-samples | armorm rank --model model --write dpo --min-margin 0.02 > preferences.jsonl`,
    );
}

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadReaders = () => import("../data/conversations.ts");

async function run(file: string | undefined, flags: RankFlags): Promise<void> {
  const { write, minMargin } = flags;
  if (minMargin !== undefined && write !== "dpo") {
    throw new InputError(
      "wrong-usage",
      "--min-margin: expected --write dpo beside it, got none",
      "add --write dpo",
    );
  }
  const { readCandidates } = await loadReaders();
  const total = await countRows(file);
  const steering = await steeringFor(flags);
  const turned = countTurned("rankings");
  const identity = { run: await runIdentity("rank", flags), write, minMargin };
  await using model = await openModel(flags);
  await runRows<ComparisonRow, ExplainedRanking>(flags, {
    what: "ranking",
    done: "ranked",
    rows: readCandidates(rowSource(file)),
    total,
    identity,
    compute: async (rows) => {
      const scores = await model.score(
        rows.flatMap(({ prompt, responses }) => answered(prompt, responses)),
        steering ? { steering } : {},
      );
      let at = 0;
      return rows.map(({ responses }) => {
        const own = scores.slice(at, at + responses.length);
        at += responses.length;
        const { ranking, pairs, unsteered } = compareScores(own, model.marginScale);
        const change = rankingChange(own);
        turned.add(change);
        const before = unsteered && {
          unsteered: { ranking: unsteered.ranking, scores: own.map((score) => score.unsteered!.score) },
          rankingChange: change,
        };
        return {
          ranking: { ranking, scores: own.map(({ score }) => score), best: ranking[0]!, ...before },
          why: pairs[0] ?? null,
        };
      });
    },
    toJson: ({ ranking, why }, row) => {
      const content =
        write === "sft"
          ? sftRow(ranking, row)
          : write === "dpo"
            ? dpoRow(ranking, row, minMargin)
            : { ...ranking, explanation: why && explainComparison(why) };
      return content ? [{ ...idOf(row), ...content }] : [];
    },
    ...(write
      ? {}
      : {
          print: (ranking: ExplainedRanking, row: ComparisonRow, index: number) =>
            printRanking(ranking, row, index, steering),
        }),
    // A row that says what went wrong has no place among training rows.
    errorsInPlace: write === undefined,
  });
  if (steering) note(turned.text());
}

const answered = (prompt: readonly Message[], responses: readonly string[]): Message[][] =>
  responses.map((content) => [...prompt, { role: "assistant", content }]);

/** Rejection sampling: a conversation that ends with the best response. */
function sftRow({ best }: Ranking, { prompt, responses }: ComparisonRow): object {
  return { messages: answered(prompt, responses)[best] };
}

/** The best against the worst, conversational; null where they tie or lie closer than `minMargin`. */
function dpoRow(
  { ranking, scores, best }: Ranking,
  { prompt, responses }: ComparisonRow,
  minMargin = 0,
): object | null {
  const worst = ranking.at(-1)!;
  const margin = scores[best]! - scores[worst]!;
  if (margin <= 0 || margin < minMargin) return null;
  const message = (i: number): Message[] => [{ role: "assistant", content: responses[i]! }];
  return {
    prompt,
    chosen: message(best),
    rejected: message(worst),
    score_chosen: scores[best],
    score_rejected: scores[worst],
    margin,
  };
}

function printRanking(
  { ranking: { ranking, scores, best, rankingChange: change }, why }: ExplainedRanking,
  row: ComparisonRow,
  index: number,
  steering: Steering | undefined,
): void {
  print(`${rowHeading(row, index)}  ${shorten(row.prompt.at(-1)!.content)}`);
  const columns = [
    { title: "" },
    { title: "score", align: "right" },
    { title: "behind", align: "right" },
    { title: "response" },
  ] as const;
  const rows = ranking.map((i) => [
    i === best ? pc.green(letter(i)) : letter(i),
    fixed(scores[i], 4),
    i === best ? "" : fixed(scores[best]! - scores[i]!, 4),
    pc.dim(shorten(row.responses[i]!, 80)),
  ]);
  print(table(columns, rows));
  // One objective alone is the margin, which stands in the table.
  if (why && Object.keys(why.contributions).length > 1) {
    print(wrap(`${letter(why.better)} against ${letter(why.worse)}: ${explainComparison(why)}`, ""));
  }
  if (steering && change) print(turnedText(change, steering, letter));
  print();
}

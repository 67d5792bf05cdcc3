import { Command } from "commander";
import pc from "picocolors";
import { hashOf } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import type { PairEvaluation, PairScorer } from "../evaluation/evaluate-pairs.ts";
import type { Accuracy } from "../evaluation/pairs.ts";
import type { RewardModel } from "../reward-model.ts";
import type { ScorerDirectory } from "../scoring/model-directory.ts";
import { dataLocations, formatNotes, withFormatOption } from "./data-options.ts";
import { EXIT, interruptSignal } from "./failure.ts";
import { parsePositiveInteger, pick } from "./flags.ts";
import { keptScores } from "./kept-scores.ts";
import { modelIdentity } from "./model-identity.ts";
import { integer, note, percent, print, printJson, table } from "./output.ts";
import { formatSeconds, startProgress } from "./progress.ts";
import { openResultFile } from "./result-file.ts";
import { type ModelFlags, openModel, withModelOptions } from "./score.ts";

interface EvaluateFlags extends ModelFlags {
  data?: string[];
  format?: string;
  embeddings?: string[];
  dropOverlaps?: boolean;
  limit?: number;
  out?: string;
  report?: string;
  json?: boolean;
}

export function evaluateCommand(): Command {
  const pairs = new Command("pairs")
    .description("accuracy on preference pairs, by subset, beside what length alone would reach")
    .option("--data <location...>", "pairs: files, folders, or org/name:split on the hub")
    .option("--embeddings <dir...>", "embedded pairs: the heads alone run, in seconds")
    .option("--drop-overlaps", "leave out pairs whose prompt the model was trained on")
    .option("--limit <n>", "only the first n pairs", parsePositiveInteger)
    .option(
      "--out <file>",
      "with --data: keep the scores there; the same command continues a run that was stopped",
    )
    .option("--report <file>", "also write a report as HTML: this evaluation beside the model's training")
    .option("--json", "print the evaluation as JSON")
    .hook("preAction", (_, action) => requireUsage(action.opts<EvaluateFlags>()));
  withModelOptions(withFormatOption(pairs))
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm evaluate pairs --model model --data llmbar.jsonl --drop-overlaps
  armorm evaluate pairs --model model --embeddings embedded/llmbar --json > llmbar.json
  armorm evaluate pairs --model model --embeddings embedded/llmbar --report llmbar.html`,
    );
  return new Command("evaluate").description("measure a model on a benchmark").addCommand(pairs);
}

function requireUsage(flags: EvaluateFlags): void {
  if ((flags.data === undefined) === (flags.embeddings === undefined)) {
    throw new InputError(
      "wrong-usage",
      "evaluate: expected one of --data and --embeddings",
      "give exactly one",
    );
  }
  if (flags.out !== undefined && flags.embeddings) {
    throw new InputError(
      "wrong-usage",
      "evaluate: --out keeps the scores of --data",
      "leave --out out: embeddings take seconds",
    );
  }
}

async function run(flags: EvaluateFlags): Promise<void> {
  const started = performance.now();
  const signal = interruptSignal();
  const progress = startProgress("evaluating", "pairs");
  const [{ evaluatePairs }, { openModelDirectory }] = await Promise.all([
    import("../evaluation/evaluate-pairs.ts"),
    import("../opening/open-model-directory.ts"),
  ]);
  const directory = await openModelDirectory(flags.model);
  const evaluate = (score: PairScorer, trainedOn: RewardModel["trainedOn"], total: number) =>
    evaluatePairs(score, trainedOn, {
      ...pick(flags, ["dropOverlaps"]),
      marginScale: directory.scorer.marginScale,
      signal,
      onProgress: (done) => progress.update(done, total),
    }).finally(() => progress.stop());
  const report = flags.data
    ? await evaluateData(flags, directory, evaluate, signal)
    : await evaluateEmbeddings(flags, directory, evaluate);
  if (flags.json) printJson(report);
  else printPairEvaluation(report);
  if (flags.report !== undefined) {
    const { writeReport } = await import("../report/write-report.ts");
    const evaluation = { name: await nameOf(flags.data ?? flags.embeddings!), evaluation: report };
    note(`see ${await writeReport(flags.model, { evaluations: [evaluation], out: flags.report })}`);
  }
  note(`evaluated in ${formatSeconds((performance.now() - started) / 1000)}`);
  if (report.rejected.some(({ kind }) => kind === "invalid")) process.exitCode = EXIT.badInput;
}

/** What the report calls the data: the names of files, folders or data sets. */
async function nameOf(locations: readonly string[]): Promise<string> {
  const { parseDataLocation } = await import("../data/location.ts");
  return locations.map((location) => parseDataLocation(location).source).join(", ");
}

type Evaluate = (
  score: PairScorer,
  trainedOn: RewardModel["trainedOn"],
  total: number,
) => Promise<PairEvaluation>;

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadPairScoring = () =>
  Promise.all([
    import("../data/pairs.ts"),
    import("../data/describe-file.ts"),
    import("../evaluation/evaluate-pairs.ts"),
  ]);

async function evaluateData(
  flags: EvaluateFlags,
  directory: ScorerDirectory,
  evaluate: Evaluate,
  signal: AbortSignal,
): Promise<PairEvaluation> {
  const [{ readPairs }, { describeFile }, { scorePairs }] = await loadPairScoring();
  const locations = await dataLocations(flags.data!, flags.format);
  const files = await Promise.all(locations.map(({ path }) => describeFile(path)));
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  await using model = await openModel(flags);
  const scoreFrom = (done: number, skip: (promptHash: string) => boolean) =>
    scorePairs(model, readPairs(locations, formatNotes(flags)), {
      ...pick(flags, ["limit"]),
      done,
      skip,
      signal,
    });
  const total = Math.min(rows, flags.limit ?? rows);
  if (flags.out === undefined) return await evaluate((skip) => scoreFrom(0, skip), model.trainedOn, total);
  const identity = {
    command: "evaluate pairs",
    model: await modelIdentity(directory, flags),
    data: files.map(({ sha256 }) => sha256),
    dropOverlaps: flags.dropOverlaps ?? false,
    ...pick(flags, ["format"]),
  };
  await using file = await openResultFile(flags.out, hashOf(identity));
  return await evaluate(
    (skip) => keptScores(file, total, (done) => scoreFrom(done, skip)),
    model.trainedOn,
    total,
  );
}

async function evaluateEmbeddings(
  flags: EvaluateFlags,
  model: ScorerDirectory,
  evaluate: Evaluate,
): Promise<PairEvaluation> {
  const [{ openEmbeddingSet }, { scorePairSets }] = await Promise.all([
    import("../embedding/embedding-set.ts"),
    import("../scoring/score-embeddings.ts"),
  ]);
  const sets = await Promise.all(flags.embeddings!.map(openEmbeddingSet));
  const rows = sets.reduce((sum, set) => sum + set.rows, 0);
  const score: PairScorer = (skip) => scorePairSets(model, sets, { ...pick(flags, ["limit"]), skip });
  return await evaluate(score, model.trainedOn, Math.min(rows, flags.limit ?? rows));
}

/** The tables of a pair evaluation. */
export function printPairEvaluation({
  n,
  ties,
  score,
  interval,
  subsets,
  baselines,
  overlaps,
  rejected,
}: PairEvaluation): void {
  const seen = overlaps
    ? `${integer(overlaps.found - overlaps.dropped)} with a prompt that training saw (${integer(overlaps.dropped)} dropped)`
    : "the model does not say which prompts training saw";
  print(`${integer(n)} pairs, ${integer(ties)} ties; ${seen}`);
  for (const kind of ["too-long", "invalid"] as const) {
    const some = rejected.filter((row) => row.kind === kind);
    if (some.length > 0) print(`rejected, ${kind}: ${integer(some.length)} (the first: ${some[0]!.reason})`);
  }
  const columns = [
    { title: "" },
    { title: "pairs", align: "right" },
    { title: "accuracy", align: "right" },
    { title: "95 % interval", align: "right" },
  ] as const;
  const row = (name: string, { n: count, accuracy, interval: [low, high] }: Accuracy) => [
    name,
    integer(count),
    percent(accuracy),
    `${percent(low)} … ${percent(high)}`,
  ];
  const model = row(pc.bold("this model"), { n, accuracy: score, interval });
  print(table(columns, [model, ...Object.entries(baselines).map(([name, accuracy]) => row(name, accuracy))]));
  if (Object.keys(subsets).length < 2) return;
  print();
  print(
    table(
      columns,
      Object.entries(subsets).map(([name, accuracy]) => row(name, accuracy)),
    ),
  );
}

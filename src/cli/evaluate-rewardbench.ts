import { Command } from "commander";
import pc from "picocolors";
import type { RewardBenchEvaluation, SubsetResult } from "../evaluation/evaluate-reward-bench.ts";
import { PUBLISHED_SCORES } from "../evaluation/published-scores.ts";
import { SECTION_NAMES } from "../evaluation/reward-bench.ts";
import { type EvaluationFlags, evaluationHead, withEvaluationOptions } from "./evaluation-run.ts";
import { intervalText, printAnalysis, printComparisons, printCounts } from "./evaluation-tables.ts";
import { type Column, integer, percent, print, printJson, table } from "./output.ts";
import { evaluatePairModels, finishPairs } from "./pair-run.ts";
import { printSteeringEffect } from "./steering-tables.ts";

interface RewardBenchFlags extends EvaluationFlags {
  referenceCounts?: boolean;
}

/** Where the official set lies on the hub. */
const OFFICIAL = "allenai/reward-bench:filtered";

export function evaluateRewardBenchCommand(): Command {
  const command = new Command("rewardbench")
    .description(
      "RewardBench: accuracy by subset and section, the four-section mean, the score with prior sets",
    )
    .option(
      "--reference-counts",
      "weigh the two xstest subsets by each other's number of pairs, as published scores did",
    );
  command.option(
    "--accuracies <file>",
    "instead of a model: sections and scores of accuracies that are known, a JSON object by subset",
  );
  return withEvaluationOptions(command, {
    unit: "pairs",
    data: `the benchmark: ${OFFICIAL}, or its Parquet or JSONL; NAME=FILE for a prior set`,
    format: true,
  })
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm evaluate rewardbench --model model --data ${OFFICIAL} --out rewardbench
  armorm evaluate rewardbench --accuracies docs/published-accuracies.json --reference-counts
  armorm embed --backbone ./backbone --data ${OFFICIAL} --out embedded/rewardbench
  armorm evaluate rewardbench --model model other --embeddings embedded/rewardbench`,
    );
}

async function run(flags: RewardBenchFlags): Promise<void> {
  if (flags.accuracies !== undefined) {
    await scoreAccuracies(flags.accuracies, flags);
    return;
  }
  const [{ reportRewardBench }, models] = await Promise.all([
    import("../evaluation/evaluate-reward-bench.ts"),
    evaluatePairModels("evaluate rewardbench", flags),
  ]);
  const { referenceCounts = false } = flags;
  const evaluations = models.map(({ directory, collected, ...about }) => ({
    ...evaluationHead(about),
    ...reportRewardBench(collected, { marginScale: directory.scorer.marginScale, referenceCounts }),
  }));
  await finishPairs(flags, models, evaluations, (comparisons) => {
    for (const evaluation of evaluations) {
      print(pc.bold(evaluation.model));
      printRewardBench(evaluation);
      print();
    }
    printTable(evaluations);
    printComparisons(comparisons);
  });
}

/** Sections and scores of accuracies that somebody else has measured. */
async function scoreAccuracies(
  path: string,
  { referenceCounts = false, json }: RewardBenchFlags,
): Promise<void> {
  const [{ rewardBench }, { readAccuracies }] = await Promise.all([
    import("../evaluation/reward-bench.ts"),
    import("../evaluation/known-accuracies.ts"),
  ]);
  const result = rewardBench(await readAccuracies(path), { referenceCounts });
  if (json) {
    printJson({ benchmark: "rewardbench", referenceCounts, ...result });
    return;
  }
  const figures: readonly (readonly [string, number])[] = [
    ...SECTION_NAMES.map((name) => [name, result.sections[name]] as const),
    ["four-section mean", result.score],
    ["prior sets", result.priorSets],
    ["with prior sets", result.scoreWithPriorSets],
  ];
  for (const [name, share] of figures) {
    const text = Number.isNaN(share) ? "–" : `${(100 * share).toFixed(2)} %`;
    print(`${name.padEnd(18)} ${text.padStart(8)}`);
  }
  printMissing(result);
}

function printMissing({ missing, unknown }: Pick<RewardBenchEvaluation, "missing" | "unknown">): void {
  if (missing.subsets.length > 0) print(pc.yellow(`missing subsets: ${missing.subsets.join(", ")}`));
  if (missing.sections.length > 0) print(pc.yellow(`no score: nothing of ${missing.sections.join(", ")}`));
  if (unknown.length > 0) print(pc.yellow(`outside the benchmark: ${unknown.join(", ")}`));
}

function printRewardBench(evaluation: RewardBenchEvaluation): void {
  printCounts(evaluation);
  print();
  const { subsets, missing, unknown, referenceCounts } = evaluation;
  const columns = [
    { title: "" },
    { title: "pairs", align: "right" },
    { title: "official", align: "right" },
    { title: "weight", align: "right" },
    { title: "accuracy", align: "right" },
    { title: "95 % interval", align: "right" },
  ] as const;
  const count = (value: number | null) => (value === null ? "" : integer(value));
  const row = (name: string, { n, officialPairs, weight, accuracy, interval }: SubsetResult): string[] => [
    `  ${name}`,
    n === officialPairs || officialPairs === null ? integer(n) : pc.yellow(integer(n)),
    count(officialPairs),
    count(weight),
    percent(accuracy),
    intervalText(interval),
  ];
  const inSection = (section: string | null) =>
    Object.entries(subsets).filter(([, s]) => s.section === section);
  const rows = SECTION_NAMES.flatMap((section) => [
    [
      pc.bold(section),
      "",
      "",
      "",
      pc.bold(percent(evaluation.sections[section])),
      intervalText(evaluation.sectionIntervals[section]),
    ],
    ...inSection(section).map(([name, subset]) => row(name, subset)),
  ]);
  const others = inSection(null);
  const priors = others.filter(([name]) => !unknown.includes(name));
  if (priors.length > 0) {
    rows.push([pc.bold("Prior Sets"), "", "", "", pc.bold(percent(evaluation.priorSets)), ""]);
    rows.push(...priors.map(([name, subset]) => row(name, subset)));
  }
  if (unknown.length > 0) {
    rows.push([pc.bold("outside the benchmark"), "", "", "", "", ""]);
    rows.push(
      ...others.filter(([name]) => unknown.includes(name)).map(([name, subset]) => row(name, subset)),
    );
  }
  print(table(columns, rows));
  print();
  const { score, interval, scoreWithPriorSets, intervalWithPriorSets } = evaluation;
  print(`${pc.bold("four-section mean")}  ${pc.bold(percent(score))}  (95 %: ${intervalText(interval)})`);
  if (missing.priorSets.length < 4) {
    print(
      `${pc.bold("with prior sets")}    ${pc.bold(percent(scoreWithPriorSets))}  (95 %: ${intervalText(intervalWithPriorSets)})`,
    );
  }
  if (referenceCounts)
    print(pc.yellow("xstest subsets weighed by each other's number of pairs, as published scores did"));
  const other = Object.values(subsets).filter(
    ({ n, officialPairs }) => officialPairs !== null && n !== officialPairs,
  );
  if (other.length > 0) {
    print(
      pc.yellow(
        `${integer(other.length)} subsets have another number of pairs than the official set: this is not that set`,
      ),
    );
  }
  printMissing({ missing, unknown: [] });
  printAnalysis(evaluation);
  printSteeringEffect(evaluation);
}

/** Models side by side, beside length alone and what others have published. */
function printTable(evaluations: readonly (RewardBenchEvaluation & { readonly model: string })[]): void {
  const columns: Column[] = [
    { title: "" },
    ...["mean", "with prior", ...SECTION_NAMES, "prior sets"].map((title) => ({
      title,
      align: "right" as const,
    })),
  ];
  type Figures = Pick<RewardBenchEvaluation, "score" | "scoreWithPriorSets" | "sections" | "priorSets">;
  const line = (name: string, { score, scoreWithPriorSets, sections, priorSets }: Figures) => [
    name,
    percent(score),
    Number.isNaN(priorSets) ? "–" : percent(scoreWithPriorSets),
    ...SECTION_NAMES.map((section) => percent(sections[section])),
    percent(priorSets),
  ];
  const [first] = evaluations;
  // Length is the same for all models; simpler mixtures are each model's own.
  const lengths = Object.entries(first!.baselineScores).filter(([name]) => name.startsWith("prefer"));
  const rows = [
    ...evaluations.flatMap((evaluation) => [
      line(pc.bold(evaluation.model), evaluation),
      ...Object.entries(evaluation.baselineScores)
        .filter(([name]) => !name.startsWith("prefer"))
        .map(([name, figures]) => line(`  ${name}`, figures)),
    ]),
    ...lengths.map(([name, figures]) => line(name, figures)),
    [pc.dim("published, not measured here"), ...columns.slice(1).map(() => "")],
    ...PUBLISHED_SCORES.map(({ model, overall, sections, priorSets }) =>
      [
        `  ${model}`,
        (SECTION_NAMES.reduce((sum, name) => sum + sections[name], 0) / 4).toFixed(1),
        overall.toFixed(1),
        ...SECTION_NAMES.map((name) => sections[name].toFixed(1)),
        priorSets.toFixed(1),
      ].map((cell) => pc.dim(cell)),
    ),
  ];
  print(table(columns, rows));
  print(pc.dim("means of published rows are those of their rounded sections"));
}

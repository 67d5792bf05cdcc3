import { Command, Option } from "commander";
import type { Balance, GatingPreset } from "../armo/gating-training.ts";
import type { Correlation } from "../armo/reward-transform.ts";
import { remedyFor } from "../armo/ridge-status.ts";
import type { TrainingReport, TrainingStage } from "../armo/training-report.ts";
import { printDiagnostics } from "./diagnostics.ts";
import { Interrupted, interruptSignal } from "./failure.ts";
import {
  parseBalance,
  parseBytes,
  parseFolds,
  parseFraction,
  parseInteger,
  parseList,
  parseMinority,
  parseNumbersFromZero,
  parsePositiveInteger,
  parsePositiveNumber,
  pick,
} from "./flags.ts";
import { fixed, integer, note, percent, print, printJson, table } from "./output.ts";
import { formatSeconds, startProgress } from "./progress.ts";

interface TrainFlags {
  ratings: string[];
  pairs: string[];
  out: string;
  reference?: string[];
  evaluation?: string[];
  dropOverlaps?: boolean;
  objectives?: string[];
  debias?: string[];
  debiasMethod?: "root" | "grid";
  debiasCorrelation?: Correlation;
  alphas?: number[];
  folds?: number;
  intercept?: boolean;
  refit?: boolean;
  memory?: number;
  validationFraction?: number;
  testFraction?: number;
  seed?: number;
  seedSensitivity?: number;
  preset: GatingPreset;
  steps?: number;
  batchSize?: number;
  hiddenDim?: number;
  learningRate?: number;
  weightDecay?: number;
  dropout?: number;
  labelSmoothing?: number;
  targetMargins?: number | true;
  balance?: Exclude<Balance, "off" | "equal"> | true;
  patience?: number;
  checkpoint?: string;
  overwrite?: boolean;
  json?: boolean;
}

export function trainCommand(): Command {
  return new Command("train")
    .description("fit the objectives, take length out of them, train the gate, and write a model directory")
    .requiredOption("--ratings <dir...>", "embedded ratings, for the regression")
    .requiredOption("--pairs <dir...>", "embedded pairs, for the gate")
    .requiredOption("--out <dir>", "folder for the model: empty or absent")
    .option(
      "--reference <dir...>",
      "embeddings over which length is taken out (default: the pairs' responses)",
    )
    .option("--evaluation <dir...>", "embedded evaluation sets: prompts shared with them are counted")
    .option("--drop-overlaps", "leave out training rows whose prompt occurs in an evaluation set")
    .option("--objectives <names>", "objectives to fit (default: all that are rated, and length)", parseList)
    .option("--debias <names>", "objectives to debias against, or none (default: length)", parseList)
    .addOption(
      new Option(
        "--debias-method <name>",
        "exact penalties, or the first of the reference's grid (default: root)",
      ).choices(["root", "grid"]),
    )
    .addOption(
      new Option(
        "--debias-correlation <name>",
        "the correlation brought to zero (default: spearman)",
      ).choices(["spearman", "pearson"]),
    )
    .option("--alphas <numbers>", "regression: penalties to try (default: 1e-4 to 1e4)", parseNumbersFromZero)
    .option("--folds <n>", "regression: choose α by so many folds of the training prompts", parseFolds)
    .option("--intercept", "regression: fit an offset per objective; it goes into the scale of its ratings")
    .option("--refit", "regression: fit once more with the validation prompts once α is chosen")
    .option(
      "--memory <size>",
      "regression: its sums may take so much, in more passes where they must (2GB)",
      parseBytes,
    )
    .option(
      "--validation-fraction <share>",
      "prompts that choose α and stop the gate (default: 0.2)",
      parseFraction,
    )
    .option("--test-fraction <share>", "prompts kept for evaluation afterwards (default: 0)", parseFraction)
    .option("--seed <n>", "decides splits, initial weights and batches (default: 0)", parseInteger)
    .option(
      "--seed-sensitivity <n>",
      "train n more gates with the next seeds, to see what results owe to the seed (default: 0)",
      parsePositiveInteger,
    )
    .addOption(
      new Option(
        "--preset <name>",
        "gate training: as in the paper, with β fitted to the rewards or from 100, or as in its code",
      )
        .choices(["fitted", "paper", "reference"])
        .default("fitted"),
    )
    .option("--steps <n>", "gate: optimizer steps", parsePositiveInteger)
    .option("--batch-size <n>", "gate: pairs per step", parsePositiveInteger)
    .option("--hidden-dim <n>", "gate: width of its hidden layers", parsePositiveInteger)
    .option("--learning-rate <x>", "gate: initial learning rate of the cosine", parsePositiveNumber)
    .option("--weight-decay <x>", "gate: decoupled weight decay", parseFraction)
    .option("--dropout <share>", "gate: share of hidden units dropped", parseFraction)
    .option("--label-smoothing <share>", "gate: share of preferences taken to be wrong", parseMinority)
    .option(
      "--target-margins [scale]",
      "gate: aim at each pair's own margin, times the scale (default: 1), in logits",
      parsePositiveNumber,
    )
    .option(
      "--balance [weights]",
      "gate: draw subsets equally often, or by weight: code=2,chat=1",
      parseBalance,
    )
    .option("--patience <n>", "gate: evaluations without improvement before it stops", parsePositiveInteger)
    .option("--checkpoint <dir>", "keep gate training here as it goes: the same command goes on after a stop")
    .option("--overwrite", "replace a model that armorm has written to --out")
    .option("--json", "print the training report as JSON")
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm train --ratings embedded/ratings --pairs embedded/pairs --out model
  armorm train --ratings r --pairs p --evaluation bench --drop-overlaps --test-fraction 0.1 --out model
  armorm train --ratings r --pairs p --preset paper --checkpoint run --out model`,
    );
}

async function run(flags: TrainFlags): Promise<void> {
  const [{ trainModel }, { openEmbeddingSet }, { writeReport }] = await Promise.all([
    import("../armo/train-model.ts"),
    import("../embedding/embedding-set.ts"),
    import("../report/write-report.ts"),
  ]);
  const open = (directories: readonly string[]) => Promise.all(directories.map(openEmbeddingSet));
  const debias = flags.debias?.length === 1 && flags.debias[0] === "none" ? [] : flags.debias;
  const started = performance.now();
  if (flags.seedSensitivity !== undefined) {
    note(
      `the gate is trained ${integer(flags.seedSensitivity + 1)} times: once to be kept, and once for each further seed`,
    );
  }
  let progress = startProgress("", "");
  let stage: TrainingStage | undefined;
  const seconds = stopwatch();
  const report = await trainModel({
    ...pick(flags, [
      "out",
      "overwrite",
      "dropOverlaps",
      "objectives",
      "validationFraction",
      "testFraction",
      "seed",
      "seedSensitivity",
    ]),
    ratings: await open(flags.ratings),
    pairs: await open(flags.pairs),
    ...(flags.reference ? { reference: await open(flags.reference) } : {}),
    ...(flags.evaluation ? { evaluation: await open(flags.evaluation) } : {}),
    ...(debias ? { debias } : {}),
    regression: pick(flags, ["alphas", "folds", "intercept", "refit", "memory"]),
    debiasing: {
      ...(flags.debiasMethod ? { method: flags.debiasMethod } : {}),
      ...(flags.debiasCorrelation ? { correlation: flags.debiasCorrelation } : {}),
    },
    gating: {
      ...(flags.targetMargins
        ? { targetMargins: { scale: flags.targetMargins === true ? 1 : flags.targetMargins } }
        : {}),
      ...(flags.balance ? { balance: flags.balance === true ? ("equal" as const) : flags.balance } : {}),
      ...pick(flags, [
        "preset",
        "steps",
        "batchSize",
        "hiddenDim",
        "learningRate",
        "weightDecay",
        "dropout",
        "labelSmoothing",
        "patience",
      ]),
    },
    ...(flags.checkpoint ? { checkpoint: { directory: flags.checkpoint } } : {}),
    signal: interruptSignal(),
    onStage: (next) => {
      stage = next;
      seconds.begin(next);
      progress.stop();
      progress = startProgress(stage, stage === "gating" || stage === "seeds" ? "steps" : "rows");
    },
    onProgress: (done, total) => progress.update(done, total),
  })
    .catch((error) => {
      if (!(error instanceof Interrupted) || !flags.checkpoint || stage !== "gating") throw error;
      throw new Interrupted(`interrupted; the same command goes on from ${flags.checkpoint}`);
    })
    .finally(() => progress.stop());
  const page = await writeReport(flags.out);
  if (flags.json) printJson(report);
  else {
    printTrainingReport(report);
    print(seconds.taken());
  }
  note(`${flags.out} written in ${formatSeconds((performance.now() - started) / 1000)}; see ${page}`);
}

/** The tables that a training run ends with. */
function printTrainingReport(report: TrainingReport): void {
  const { ratings, pairs } = report.rows;
  for (const [what, rows] of [
    ["ratings", ratings],
    ["pairs", pairs],
  ] as const) {
    const overlaps = `${integer(rows.overlaps)} share a prompt with the evaluation sets, ${integer(rows.dropped)} dropped, ${integer(rows.remaining)} left`;
    print(`${what}: ${integer(rows.used)} rows used, ${integer(rows.test)} kept for testing; ${overlaps}`);
  }
  print();
  print(objectiveTable(report));
  for (const { name, reason, remedy } of report.dropped) print(`not fitted: ${name} (${reason}: ${remedy})`);
  for (const { name, caution } of report.objectives) {
    if (caution) print(`careful: ${name} (${caution}: ${remedyFor(caution)})`);
  }
  if (report.passes > 1) print(`regression: ${integer(report.passes)} passes over the ratings, by --memory`);
  print();
  print(`on ${integer(report.validationPairs)} validation pairs, the preferred response wins by`);
  const accuracies = Object.entries(report.accuracy).map(([name, accuracy]) => [name, percent(accuracy)]);
  print(table([{ title: "" }, { title: "accuracy", align: "right" }], accuracies));
  if (report.diagnostics) printDiagnostics(report.diagnostics);
}

/** How long each stage took; `taken` ends the last one. */
function stopwatch() {
  const begun: { readonly stage: string; readonly at: number }[] = [];
  return {
    begin: (stage: string) => void begun.push({ stage, at: performance.now() }),
    taken(): string {
      const end = performance.now();
      return begun
        .map(({ stage, at }, i) => `${stage} ${formatSeconds(((begun[i + 1]?.at ?? end) - at) / 1000)}`)
        .join(", ");
    },
  };
}

function objectiveTable({ objectives, transform, debias, correlation }: TrainingReport): string {
  const columns = [
    { title: "objective" },
    { title: "rows", align: "right" },
    { title: "α", align: "right" },
    { title: "error", align: "right" },
    { title: "R²", align: "right" },
    ...debias.flatMap((target) => [
      { title: `${correlation === "pearson" ? "r" : "ρ"}(${target})`, align: "right" as const },
      { title: "debiased", align: "right" as const },
      { title: "held out", align: "right" as const },
      { title: "λ", align: "right" as const },
    ]),
    { title: "" },
  ] as const;
  const rows = objectives.map((objective, k) => {
    const { penalties, before, after, heldOutAfter, status } = transform[k]!;
    const cells = debias.flatMap((_, v) =>
      status === "target"
        ? ["", "", "", ""]
        : [fixed(before[v], 2), fixed(after[v], 2), fixed(heldOutAfter[v], 2), fixed(penalties[v], 2)],
    );
    return [
      objective.name,
      integer(objective.trainRows),
      String(objective.alpha),
      fixed(objective.validationError, 4),
      fixed(objective.r2, 2),
      ...cells,
      status === "ok" ? "" : status,
    ];
  });
  return table(columns, rows);
}

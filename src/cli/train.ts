import { isAbsolute, join, resolve } from "node:path";
import { Command, Option } from "commander";
import type { EmbeddingManifest } from "../embedding/manifest.ts";
import { download, watchPull } from "./downloads.ts";
import { watchEmbedding } from "./embedding-progress.ts";
import { Interrupted, interruptSignal } from "./failure.ts";
import {
  parseBalance,
  parseBytes,
  parseCount,
  parseFolds,
  parseFraction,
  parseInteger,
  parseList,
  parseMinority,
  parseNumbersFromZero,
  parsePositiveInteger,
  parsePositiveNumber,
} from "./flags.ts";
import { integer, note, print, printJson } from "./output.ts";
import { formatSeconds, startProgress } from "./progress.ts";
import { watchQuantizing } from "./quantizing.ts";
import { applyFlags, type TrainFlags } from "./train-flags.ts";
import { printTrainingReport } from "./training-tables.ts";

export function trainCommand(): Command {
  return new Command("train")
    .description("fit the objectives, take length out of them, train the gate, and write a model directory")
    .option(
      "--config <file>",
      "YAML or JSON with the whole run, embedding included (docs/training.md); other options override it",
    )
    .option("--ratings <dir...>", "embedded ratings, for the regression")
    .option(
      "--statistics <file...>",
      "in the place of --ratings: what `armorm statistics` has written of all shards, in any order",
    )
    .option("--pairs <dir...>", "embedded pairs, for the gate")
    .option("--out <dir>", "folder for the model: empty or absent")
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
      parseCount,
    )
    .addOption(
      new Option(
        "--preset <name>",
        "gate training: as in the paper, with β fitted to the rewards (default) or from 100, or as in its code",
      ).choices(["fitted", "paper", "reference"]),
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
  armorm train --ratings r --pairs p --preset paper --checkpoint run --out model
  armorm train --statistics shard-*.safetensors --pairs p --out model
  armorm train --config train.yaml --seed 2 --out model-2`,
    );
}

async function run(flags: TrainFlags): Promise<void> {
  const [
    { readConfiguration },
    { trainFromConfiguration },
    { openEmbedder },
    { locateData },
    { writeReport },
  ] = await Promise.all([
    import("../configuration/read-configuration.ts"),
    import("../configuration/train-from-configuration.ts"),
    import("../embedding/embedder.ts"),
    import("../data/data-files.ts"),
    import("../report/write-report.ts"),
  ]);
  const placed = flags.config === undefined ? null : await readConfiguration(flags.config);
  // Paths on the command line start from the current folder, those in the file from the file's.
  const here = placed ? (path: string) => (path === "" ? path : resolve(path)) : (path: string) => path;
  const configuration = applyFlags(placed?.configuration ?? null, flags, here);
  const started = performance.now();
  const furtherSeeds = configuration.seedSensitivity ?? 0;
  if (furtherSeeds > 0) {
    note(
      `the gate is trained ${integer(furtherSeeds + 1)} times: once to be kept, and once for each further seed`,
    );
  }
  const seconds = stopwatch();
  let progress = startProgress("", "");
  let embedding = watchEmbedding(flags);
  let begun = 0;
  let resumes = flags.config !== undefined;
  let checkpoint: string | undefined;
  let stage = "";
  const report = await trainFromConfiguration(configuration, {
    ...(placed ? { folder: placed.folder } : {}),
    overwrite: flags.overwrite ?? false,
    signal: interruptSignal(),
    locators: {
      checkpoint: (location) => download(location),
      data: async (location) => (await watchPull((watch) => locateData(location, watch))).name,
    },
    embedding: {
      openEmbedder: (location, options) =>
        watchQuantizing((watch) => openEmbedder(location, { ...options, ...watch })),
      onFormat: (...said) => embedding.hooks.onFormat?.(...said),
      onDoubts: (doubts) => embedding.hooks.onDoubts?.(doubts),
      onPlan: (plan) => embedding.hooks.onPlan?.(plan),
      onProgress: (at) => embedding.hooks.onProgress?.(at),
      onSet: () => {
        begun = performance.now();
        embedding = watchEmbedding(flags);
      },
      onSetDone: (directory, manifest, made) => {
        embedding.stop();
        const how = made ? `in ${formatSeconds((performance.now() - begun) / 1000)}` : "there already";
        note(`${directory}: ${describeSet(manifest)}, ${how}`);
      },
    },
    onCheckpoint: (directory) => {
      checkpoint = directory;
    },
    onStage: (next) => {
      stage = next;
      seconds.begin(next);
      progress.stop();
      progress = startProgress(next, next === "gating" || next === "seeds" ? "steps" : "rows");
    },
    onProgress: (done, total) => progress.update(done, total),
  })
    .catch((error) => {
      if (!(error instanceof Interrupted)) throw error;
      if (stage === "gating") resumes = checkpoint !== undefined;
      if (!resumes) throw error;
      const from = stage === "gating" ? ` from ${checkpoint}` : "";
      throw new Interrupted(`interrupted; the same command goes on${from}`);
    })
    .finally(() => {
      embedding.stop();
      progress.stop();
    });
  const { out = "" } = configuration;
  const model = placed && !isAbsolute(out) ? join(placed.folder, out) : out;
  const page = await writeReport(model);
  if (flags.json) printJson(report);
  else {
    printTrainingReport(report);
    print(seconds.taken());
  }
  note(`${model} written in ${formatSeconds((performance.now() - started) / 1000)}; see ${page}`);
}

/** `1,200 of 1,203 ratings, 3 rejected (the first: …)` */
function describeSet({ rowsOut, rowsIn, kind, rejections }: EmbeddingManifest): string {
  const rows = `${integer(rowsOut)} of ${integer(rowsIn)} ${kind}`;
  const [first] = rejections;
  return first ? `${rows}, ${integer(rejections.length)} rejected (the first: ${first.reason})` : rows;
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

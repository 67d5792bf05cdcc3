import { Command } from "commander";
import type { DescribedSums } from "../armo/collect-statistics.ts";
import type { RowDivision } from "../armo/row-division.ts";
import { parseShard, showShard } from "../embedding/shard.ts";
import { interruptSignal } from "./failure.ts";
import { parseFolds, parseFraction, parseInteger, parseThreads, parseWeights } from "./flags.ts";
import { integer, print, printJson } from "./output.ts";
import { startProgress } from "./progress.ts";

interface CollectFlags {
  ratings: string[];
  out: string;
  shard?: string;
  validationFraction?: number;
  testFraction?: number;
  seed?: number;
  folds?: number;
  dropOverlaps?: string[];
  sourceWeights?: Record<string, number>;
  threads?: number;
  json?: boolean;
}

interface MergeFlags {
  out: string;
  threads?: number;
  json?: boolean;
}

export function statisticsCommand(): Command {
  return new Command("statistics")
    .description(
      "what the regression needs of ratings, shard by shard: train --statistics takes it in their place",
    )
    .addCommand(collectCommand())
    .addCommand(mergeCommand());
}

function collectCommand(): Command {
  return new Command("collect")
    .description("add up embedded ratings, or those of one shard, into one file")
    .requiredOption(
      "--ratings <dir...>",
      "embedded ratings: complete, or a folder with the parts of the shard",
    )
    .requiredOption("--out <file>", "the file of statistics; replaced if it is there")
    .option("--shard <i/n>", "only the parts of one of n shards, or auto, as armorm embed counts them")
    .option(
      "--validation-fraction <share>",
      "prompts that choose α and stop the gate (default: 0.2)",
      parseFraction,
    )
    .option("--test-fraction <share>", "prompts kept for evaluation afterwards (default: 0)", parseFraction)
    .option("--seed <n>", "decides the splits (default: 0)", parseInteger)
    .option("--folds <n>", "choose α by so many folds of the training prompts", parseFolds)
    .option(
      "--drop-overlaps <dir...>",
      "leave out rows whose prompt occurs in these embedded evaluation sets",
    )
    .option(
      "--source-weights <weights>",
      "how often ratings of a source count: ultrafeedback=0.5,mine=2",
      parseWeights,
    )
    .option("--threads <n>", "threads of the matrix products", parseThreads)
    .option("--json", "print what was written as JSON")
    .action(collect)
    .addHelpText(
      "after",
      `
Objectives, α, an intercept, a second fit to all rows and debiasing are chosen later, by train.

Examples:
  armorm statistics collect --ratings embedded/ratings --shard 3/8 --out statistics-3.safetensors
  armorm train --statistics statistics-*.safetensors --pairs embedded/pairs --out model`,
    );
}

function mergeCommand(): Command {
  return new Command("merge")
    .description("add the statistics of all shards into one file, in the order of the data")
    .argument("<files...>", "what `statistics collect` has written, in any order")
    .requiredOption("--out <file>", "the file of the sums; replaced if it is there")
    .option("--threads <n>", "threads of the matrix products", parseThreads)
    .option("--json", "print what was written as JSON")
    .action(merge)
    .addHelpText(
      "after",
      `
The bytes are those of one \`statistics collect\` of everything. train --statistics adds shards up by itself, too.

Example:
  armorm statistics merge statistics-*.safetensors --out statistics.safetensors`,
    );
}

async function collect({ shard, json, dropOverlaps = [], ...options }: CollectFlags): Promise<void> {
  const [{ collectTrainingStatistics }, { openEmbeddingSet }] = await Promise.all([
    import("../armo/collect-statistics.ts"),
    import("../embedding/embedding-set.ts"),
  ]);
  const progress = startProgress("adding up", "rows");
  const part = shard === undefined ? null : parseShard(shard, process.env);
  const { sets, division } = await collectTrainingStatistics({
    ...options,
    ...(part === null ? {} : { shard: part }),
    dropOverlapsWith: await Promise.all(dropOverlaps.map(openEmbeddingSet)),
    signal: interruptSignal(),
    onProgress: progress.update,
  }).finally(() => progress.stop());
  printSums(options.out, sets, division, part === null ? "" : ` of shard ${showShard(part)}`, json);
}

async function merge(files: readonly string[], { out, threads, json }: MergeFlags): Promise<void> {
  const { mergeTrainingStatistics } = await import("../armo/training-statistics.ts");
  const progress = startProgress("adding up", "blocks");
  const { sets, division } = await mergeTrainingStatistics(files, out, {
    ...(threads === undefined ? {} : { threads }),
    signal: interruptSignal(),
    onProgress: progress.update,
  }).finally(() => progress.stop());
  printSums(out, sets, division, "", json);
}

function printSums(
  out: string,
  sets: readonly Pick<DescribedSums, "directory" | "partCount" | "rows" | "tokens">[],
  division: RowDivision,
  which: string,
  json = false,
): void {
  if (json) {
    const found = sets.map(({ directory, partCount, rows, tokens }) => ({
      directory,
      partCount,
      rows,
      tokens,
    }));
    printJson({ division, sets: found });
    return;
  }
  for (const { directory, rows } of sets) {
    const left = [
      ...(rows.test > 0 ? [`${integer(rows.test)} kept for testing`] : []),
      ...(rows.dropped > 0 ? [`${integer(rows.dropped)} shared with evaluation sets left out`] : []),
      ...(rows.all === 0 ? ["no part of the set is its share"] : []),
    ];
    print(
      `${directory}: ${integer(rows.used)} of ${integer(rows.all)} rows${which}${left.map((text) => `, ${text}`).join("")}`,
    );
  }
  const { validationFraction, seed, folds } = division;
  const how = folds === null ? `validation fraction ${validationFraction}` : `${folds} folds`;
  print(`${out} written: ${how}, seed ${seed}`);
}

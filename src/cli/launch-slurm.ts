import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import type { MergeResult } from "../embedding/merge-shards.ts";
import { InputError } from "../errors.ts";
import { printManifest } from "./embed.ts";
import { parsePositiveInteger } from "./flags.ts";
import { readEmbedCommand } from "./launched-embed.ts";
import { printMissing } from "./merge.ts";
import { count, note, print } from "./output.ts";
import {
  mergeScript,
  ranges,
  readLaunch,
  type SlurmLaunch,
  shardScript,
  submit,
  unfinishedJobs,
} from "./slurm-jobs.ts";

interface SlurmFlags {
  shards?: number;
  partition?: string;
  time?: string;
  cpus?: number;
  mem?: string;
  sbatch?: string[];
  attempts: number;
  folder?: string;
  resume?: string;
  attempt: number;
  dryRun?: boolean;
}

export function slurmCommand(): Command {
  return new Command("slurm")
    .description("submit shards of an embed command as a job array, and their merge after them")
    .argument("[command...]", "behind --: the embed command, with all its options but --shard")
    .option("--shards <n>", "tasks of the array", parsePositiveInteger)
    .option("--partition <name>", "partition of the cluster (default: the cluster's)")
    .option("--time <limit>", "of each task, as Slurm writes it: 30, 2:00:00, 1-12 (default: the cluster's)")
    .option("--cpus <n>", "processors of each task, and threads of its backbone", parsePositiveInteger)
    .option("--mem <size>", "memory of each task, as Slurm writes it: 16G (default: the cluster's)")
    .option("--sbatch <option...>", "further options of sbatch, as in --sbatch=--account=lab")
    .option(
      "--attempts <n>",
      "how often a shard is submitted before it is left missing",
      parsePositiveInteger,
      3,
    )
    .option("--folder <dir>", "where scripts and logs go (default: the embed command's --out and .launch)")
    .option("--resume <dir>", "folder of a launch: submit the shards whose parts are missing, or merge")
    .addOption(
      new Option("--attempt <n>", "which submission this is; the scripts say so")
        .argParser(parsePositiveInteger)
        .default(1)
        .hideHelp(),
    )
    .option("--dry-run", "print the scripts; submit and merge nothing")
    .action(run)
    .addHelpText(
      "after",
      `
A task that was killed is not started again by Slurm: the merge job looks for missing parts and submits their shards alone.

Examples:
  armorm launch slurm --shards 8 --cpus 16 --time 12:00:00 -- embed --backbone B --data D --out embedded/ratings
  armorm launch slurm --resume embedded/ratings.launch`,
    );
}

async function run(words: readonly string[], flags: SlurmFlags): Promise<void> {
  if (flags.resume !== undefined) return await resume(resolve(flags.resume), words, flags);
  if (flags.shards === undefined) {
    throw new InputError(
      "bad-launch",
      "launch: expected --shards, got none",
      "say how many tasks share the work",
    );
  }
  const { options, out, threads } = readEmbedCommand(words);
  const { partition = null, time = null, cpus = null, mem = null, sbatch = [] } = flags;
  const launch: SlurmLaunch = {
    format: "armorm-launch",
    version: 1,
    shards: flags.shards,
    attempts: flags.attempts,
    workingDirectory: process.cwd(),
    out: resolve(out),
    embed: cpus === null || threads !== undefined ? options : [...options, "--threads", String(cpus)],
    partition,
    time,
    cpus,
    memory: mem,
    sbatch,
    jobs: null,
  };
  const folder = resolve(flags.folder ?? `${launch.out}.launch`);
  const all = Array.from({ length: launch.shards }, (_, i) => i + 1);
  if (flags.dryRun) return printScripts(folder, launch, all);
  if (existsSync(folder)) {
    throw new InputError(
      "bad-launch",
      `launch: expected a new folder, got ${folder}, which is there`,
      `continue that launch with armorm launch slurm --resume ${folder}, or choose another --folder`,
    );
  }
  printSubmitted(folder, await submit(folder, launch, all, 1), all);
}

async function resume(folder: string, words: readonly string[], flags: SlurmFlags): Promise<void> {
  const { shards, cpus, partition, time, mem, sbatch } = flags;
  if (words.length > 0 || shards !== undefined || cpus !== undefined || flags.folder !== undefined) {
    throw new InputError(
      "bad-launch",
      "launch: expected --resume without a command, --shards, --cpus and --folder, got one of them",
      "the folder knows them; a new launch needs another --folder",
    );
  }
  const begun = await readLaunch(folder);
  const launch: SlurmLaunch = {
    ...begun,
    partition: partition ?? begun.partition,
    time: time ?? begun.time,
    memory: mem ?? begun.memory,
    sbatch: sbatch ?? begun.sbatch,
  };
  const [unfinished] = unfinishedJobs(launch);
  if (unfinished !== undefined) {
    throw new InputError(
      "launch-running",
      `${folder}: expected a launch whose jobs have ended, got job ${unfinished} in the queue`,
      "wait for it, or cancel it with scancel",
    );
  }
  const merged = await mergeBegun(launch, flags.dryRun ?? false);
  if (merged?.manifest) return printManifest(merged.manifest, launch.out);
  if (merged?.missing.length === 0) return print(`# every part is there: without --dry-run they are merged`);
  if (merged !== null) printMissing(launch.out, merged.missing, merged.partCount);
  const missing = await shardsToSubmit(launch, merged);
  if (flags.dryRun) return printScripts(folder, launch, missing);
  printSubmitted(folder, await submit(folder, launch, missing, flags.attempt), missing);
}

/** Merges what shards have made, or says what it would find; null where no shard has begun. */
async function mergeBegun({ out }: SlurmLaunch, verifyOnly: boolean): Promise<MergeResult | null> {
  const { mergeShards } = await import("../embedding/merge-shards.ts");
  try {
    return await mergeShards(out, { verifyOnly, onNote: note });
  } catch (error) {
    if (error instanceof InputError && error.code === "not-an-embedding-set") return null;
    throw error;
  }
}

/** The shards that make what is missing: of the launch's count, whatever others have been started by hand. */
async function shardsToSubmit({ shards }: SlurmLaunch, merged: MergeResult | null): Promise<number[]> {
  if (merged === null) return Array.from({ length: shards }, (_, i) => i + 1);
  const { shardOf } = await import("../embedding/shard.ts");
  const found = merged.missing.flatMap(({ parts }) =>
    parts.map(({ index }) => shardOf(index, shards, merged.partCount).index),
  );
  return [...new Set(found)].sort((a, b) => a - b);
}

function printSubmitted(folder: string, { jobs }: SlurmLaunch, shards: readonly number[]): void {
  print(
    `submitted ${count(shards.length, "shard")} (${ranges(shards)}) as job ${jobs!.shards}, their merge as job ${jobs!.merge}`,
  );
  print(`scripts and logs: ${folder}`);
}

function printScripts(folder: string, launch: SlurmLaunch, shards: readonly number[]): void {
  print(`# sbatch --parsable --array=${ranges(shards)} ${folder}/shard.sh`);
  print(shardScript(folder, launch));
  print(`# sbatch --parsable --dependency=afterany:JOB ${folder}/merge-1.sh`);
  print(mergeScript(folder, launch, 1));
}

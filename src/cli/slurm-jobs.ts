// A launch on Slurm: its folder, its scripts, and the commands of Slurm.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { shellWords } from "./shell-words.ts";

/** `launch.json` in the folder of a launch. */
export interface SlurmLaunch {
  readonly format: "armorm-launch";
  readonly version: 1;
  readonly shards: number;
  /** How often a shard is submitted before the last merge says what is missing. */
  readonly attempts: number;
  /** Absolute: jobs begin there. */
  readonly workingDirectory: string;
  /** Absolute. */
  readonly out: string;
  /** Options of `embed`. */
  readonly embed: readonly string[];
  readonly partition: string | null;
  readonly time: string | null;
  readonly cpus: number | null;
  readonly memory: string | null;
  /** Further options of sbatch. */
  readonly sbatch: readonly string[];
  /** Of the last submission; `merge` is null until it is submitted too. */
  readonly jobs: { readonly shards: string; readonly merge: string | null } | null;
}

const FILE = "launch.json";

/** Whole or not at all: without its `launch.json` a launch cannot be resumed. */
const writeLaunch = async (folder: string, launch: SlurmLaunch): Promise<void> => {
  await mkdir(join(folder, "logs"), { recursive: true });
  const temporary = join(folder, `${FILE}.tmp`);
  await writeFile(temporary, `${JSON.stringify(launch, null, 1)}\n`);
  await rename(temporary, join(folder, FILE));
};

/** @throws {InputError} `not-a-launch` */
export async function readLaunch(folder: string): Promise<SlurmLaunch> {
  try {
    const launch = JSON.parse(await readFile(join(folder, FILE), "utf8"));
    if (launch?.format === "armorm-launch" && launch.version === 1) return launch;
  } catch {
    // neither is a launch
  }
  throw new InputError(
    "not-a-launch",
    `${folder}: expected the folder of a launch, got no readable ${FILE}`,
    "give the folder that `armorm launch slurm` has named",
  );
}

const armorm = (...words: readonly string[]): string =>
  `exec ${shellWords([process.execPath, process.argv[1]!, ...words])}`;

/** The script of every shard; its task id is the number of its shard. */
export function shardScript(folder: string, launch: SlurmLaunch): string {
  const { embed, shards, cpus, memory } = launch;
  const resources = [
    ...(cpus === null ? [] : [`--cpus-per-task=${cpus}`]),
    ...(memory === null ? [] : [`--mem=${memory}`]),
  ];
  const log = logFile(folder, "shard-%a-%A.log");
  return script(launch, "armorm-embed", log, resources, [
    `${armorm("embed", ...embed)} --shard "$SLURM_ARRAY_TASK_ID/${shards}"`,
  ]);
}

/** The script after the `attempt`-th submission: merge, and submit what is missing unless this was the last one. */
export function mergeScript(folder: string, launch: SlurmLaunch, attempt: number): string {
  const log = logFile(folder, `merge-${attempt}-%j.log`);
  const again = ["launch", "slurm", "--resume", folder, "--attempt", String(attempt + 1)];
  const last = attempt >= launch.attempts;
  return script(launch, "armorm-merge", log, [], [last ? armorm("merge", launch.out) : armorm(...again)]);
}

/** @throws {InputError} `bad-launch` for a path that Slurm would not read as it is. */
function logFile(folder: string, name: string): string {
  if (!/[\\\n]/.test(folder)) return join(folder.replaceAll("%", "%%"), "logs", name);
  throw new InputError(
    "bad-launch",
    `launch: expected a folder without backslashes and line breaks, which Slurm cannot write logs to, got ${JSON.stringify(folder)}`,
    "choose another --folder",
  );
}

/** An option as Slurm reads it behind `#SBATCH`. */
const directive = (option: string): string =>
  /^[\w@%+=:,./-]+$/.test(option) ? option : `"${option.replace(/["\\]/g, "\\$&")}"`;

function script(
  { partition, time, sbatch, workingDirectory }: SlurmLaunch,
  name: string,
  log: string,
  resources: readonly string[],
  lines: readonly string[],
): string {
  const options = [
    `--job-name=${name}`,
    `--output=${log}`,
    ...(partition === null ? [] : [`--partition=${partition}`]),
    ...(time === null ? [] : [`--time=${time}`]),
    ...resources,
    ...sbatch,
  ];
  return [
    "#!/bin/bash",
    ...options.map((option) => `#SBATCH ${directive(option)}`),
    `cd ${shellWords([workingDirectory])} || exit 1`,
    ...lines,
    "",
  ].join("\n");
}

/**
 * Submits the array of these shards and the merge after it, which runs however they end. Keeps the job numbers, that of the array
 * before the merge is submitted. Where Slurm refuses either of them, or a file cannot be written, nothing is left in the queue, and
 * no folder that was not there.
 *
 * @throws {InputError} `array-queued` with the numbers of jobs that could not be taken back; their scripts and logs stay.
 */
export async function submit(
  folder: string,
  launch: SlurmLaunch,
  shards: readonly number[],
  attempt: number,
): Promise<SlurmLaunch> {
  const [shardFile, mergeFile] = [join(folder, "shard.sh"), join(folder, `merge-${attempt}.sh`)];
  const [shardText, mergeText] = [shardScript(folder, launch), mergeScript(folder, launch, attempt)];
  const isNew = !existsSync(folder);
  const queued: string[] = [];
  try {
    await writeLaunch(folder, launch);
    await writeFile(shardFile, shardText);
    await writeFile(mergeFile, mergeText);
    const array = sbatch([`--array=${ranges(shards)}`, shardFile]);
    queued.push(array);
    await writeLaunch(folder, { ...launch, jobs: { shards: array, merge: null } });
    const merge = sbatch([`--dependency=afterany:${array}`, mergeFile]);
    queued.push(merge);
    const submitted = { ...launch, jobs: { shards: array, merge } };
    await writeLaunch(folder, submitted);
    return submitted;
  } catch (error) {
    takeBack(queued, error as Error);
    if (isNew) await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Cancels jobs because of an error. @throws {InputError} `array-queued` */
function takeBack(jobs: readonly string[], { message }: Error): void {
  if (jobs.length === 0) return;
  // The merge first: it waits for the end of the array, however that comes.
  const latestFirst = jobs.toReversed();
  if (spawnSync("scancel", latestFirst).status === 0) return;
  throw new InputError(
    "array-queued",
    `${message}; what was submitted is in the queue as job ${jobs.join(" and ")}, which could not be cancelled`,
    `cancel it (scancel ${latestFirst.join(" ")}), or wait until it has ended, and give --resume`,
  );
}

/** `1-3,5,8-9` */
export function ranges(numbers: readonly number[]): string {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

function sbatch(words: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync("sbatch", ["--parsable", ...words], {
    encoding: "utf8",
    env: outside(),
  });
  if (error !== undefined) {
    throw new InputError(
      "no-slurm",
      `sbatch: expected Slurm's command, got ${(error as NodeJS.ErrnoException).code ?? error.message}`,
      "run this where jobs are submitted, or look at the scripts with --dry-run",
    );
  }
  const [id] = stdout.trim().split(";");
  if (status === 0 && id) return id;
  throw new InputError(
    "sbatch-failed",
    `sbatch: expected a job number, got ${stderr.trim().split("\n").join(" / ") || `exit code ${status}`}`,
    "mend what Slurm refuses (an array has at most MaxArraySize - 1 tasks: scontrol show config) and give the command again",
  );
}

/** Jobs of a launch that Slurm still holds, other than the one that asks. */
export function unfinishedJobs({ jobs }: SlurmLaunch): string[] {
  const ids = jobs === null ? [] : [jobs.shards, ...(jobs.merge === null ? [] : [jobs.merge])];
  return ids.filter((id) => {
    if (id === process.env.SLURM_JOB_ID) return false;
    // Slurm forgets jobs after a while, and then refuses to know the number.
    const { status, stdout } = spawnSync("squeue", ["--noheader", "--jobs", id], { encoding: "utf8" });
    return status === 0 && stdout.trim() !== "";
  });
}

/** The environment without what Slurm says about the job that asks: the new jobs are not steps of it. */
const outside = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("SLURM_") || name === "SLURM_CONF"),
  );

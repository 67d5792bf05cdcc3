// Several processes make one embedding set: each embeds its own stretch of the parts.

import { InputError } from "../errors.ts";

/** One of `count` processes, counted from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** A run in one process. */
export const WHOLE: Shard = { index: 1, count: 1 };

/** `3/8` */
export const showShard = ({ index, count }: Shard): string => `${index}/${count}`;

/**
 * The parts of a shard, from `first` up to, not including, `end`; none where there are more shards than parts.
 *
 * @example
 * shardParts({ index: 2, count: 3 }, 10); // { first: 3, end: 6 }
 */
export function shardParts({ index, count }: Shard, partCount: number): { first: number; end: number } {
  return {
    first: Math.floor(((index - 1) * partCount) / count),
    end: Math.floor((index * partCount) / count),
  };
}

/** The shard that makes part `part`, counted from 0. */
export function shardOf(part: number, count: number, partCount: number): Shard {
  return { index: Math.floor(((part + 1) * count - 1) / partCount) + 1, count };
}

const AUTO_REMEDY =
  "start it in a Slurm job array, or as a Kubernetes Indexed Job with --shard auto/COUNT, or name the shard, as in --shard 3/8";

/**
 * Reads which shard a process is.
 *
 * `i/n` counts from 1. `auto` asks Slurm (`SLURM_ARRAY_TASK_ID`, `_MIN`, `_MAX`, `_COUNT` of an array of consecutive
 * numbers, from whatever number it counts), else a Kubernetes Indexed Job (`JOB_COMPLETION_INDEX`, from 0, and
 * `JOB_COMPLETION_COUNT`, which Kubernetes does not set itself). `auto/n` names the count.
 *
 * @throws {InputError} `bad-shard` for another text, a shard outside of its count, and for `auto` where nothing says which.
 */
export function parseShard(text: string, environment: NodeJS.ProcessEnv): Shard {
  const [, name, total] = /^(auto|\d{1,9})(?:\/(\d{1,9}))?$/.exec(text) ?? [];
  const count = total === undefined ? null : Number(total);
  if (name === undefined || (name !== "auto" && count === null)) {
    throw refuse(`i/n, auto or auto/n, got ${JSON.stringify(text)}`, "count from 1, as in --shard 3/8");
  }
  if (name !== "auto") return within(Number(name), count!, "name a shard from 1 up to the number of shards");
  const found = slurmShard(environment) ?? kubernetesShard(environment, count);
  if (found === null) {
    throw refuse("SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX to be set, got neither", AUTO_REMEDY);
  }
  if (count !== null && count !== found.count) {
    throw refuse(
      `${count} shards, got a job of ${found.count}`,
      "make the two numbers the same, or say auto",
    );
  }
  return within(found.index, found.count, AUTO_REMEDY);
}

function slurmShard(environment: NodeJS.ProcessEnv): Shard | null {
  if (environment.SLURM_ARRAY_TASK_ID === undefined) return null;
  const read = (name: string) => wholeNumber(environment, `SLURM_ARRAY_TASK_${name}`);
  const [id, count, minimum] = [read("ID"), read("COUNT"), read("MIN")];
  const maximum = environment.SLURM_ARRAY_TASK_MAX === undefined ? minimum + count - 1 : read("MAX");
  if (maximum - minimum + 1 !== count) {
    throw refuse(
      `a job array of consecutive numbers, got ${count} from ${minimum} to ${maximum}`,
      "submit it as --array=1-N, or name the shards: --shard $SLURM_ARRAY_TASK_ID/N",
    );
  }
  return { index: id - minimum + 1, count };
}

function kubernetesShard(environment: NodeJS.ProcessEnv, asked: number | null): Shard | null {
  if (environment.JOB_COMPLETION_INDEX === undefined) return null;
  const index = wholeNumber(environment, "JOB_COMPLETION_INDEX") + 1;
  if (environment.JOB_COMPLETION_COUNT === undefined && asked !== null) return { index, count: asked };
  return { index, count: wholeNumber(environment, "JOB_COMPLETION_COUNT") };
}

function wholeNumber(environment: NodeJS.ProcessEnv, name: string): number {
  const text = environment[name];
  if (text !== undefined && /^\d{1,9}$/.test(text)) return Number(text);
  throw refuse(
    `a whole number in ${name}, got ${text === undefined ? "none" : JSON.stringify(text)}`,
    AUTO_REMEDY,
  );
}

function within(index: number, count: number, remedy: string): Shard {
  if (index >= 1 && index <= count) return { index, count };
  throw refuse(`a shard from 1 to ${count}, got ${index}`, remedy);
}

const refuse = (what: string, remedy: string): InputError =>
  new InputError("bad-shard", `--shard: expected ${what}`, remedy);

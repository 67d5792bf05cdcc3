// The `embed …` behind `launch … --`: read before it waits in a queue.

import { InputError } from "../errors.ts";
import { embedCommand } from "./embed.ts";

/** An embed command that will be run as shards. */
export interface LaunchedEmbed {
  /** As given, without the word `embed`. */
  readonly options: readonly string[];
  readonly out: string;
  readonly threads: number | undefined;
}

/** @throws {InputError} `bad-launch` for anything but a whole `embed` command without `--shard`. */
export function readEmbedCommand(words: readonly string[]): LaunchedEmbed {
  const [name, ...options] = words;
  if (name !== "embed") throw refuse(`the command to run behind --, got ${name ?? "none"}`);
  const command = embedCommand().exitOverride();
  const { operands, unknown } = command.parseOptions([...options]);
  const [strange] = [...operands, ...unknown];
  if (strange !== undefined) throw refuse(`options of embed, got ${strange}`);
  const given = command.opts<{
    out?: string;
    backbone?: string;
    data?: string[];
    shard?: string;
    threads?: number;
  }>();
  const lacking = (["backbone", "data", "out"] as const).find((option) => given[option] === undefined);
  if (lacking !== undefined) throw refuse(`embed with --${lacking}, got none`);
  if (given.shard !== undefined) throw refuse("embed without --shard, which each job gets, got one");
  return { options, out: given.out!, threads: given.threads };
}

const refuse = (what: string): InputError =>
  new InputError(
    "bad-launch",
    `launch: expected ${what}`,
    "give the whole embed command, as in: armorm launch slurm --shards 8 -- embed --backbone B --data D --out DIR",
  );

import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** One claim about speed or memory, measured against a peer on the same machine in the same run. */
export interface Claim {
  readonly claim: string;
  readonly ours: number;
  /** Null where the peer is not installed. */
  readonly peer: number | null;
  readonly unit: "s" | "ms" | "MB";
  /** peer / ours: above 1 is better for us. */
  readonly ratio: number | null;
  /** What the ratio is expected to reach; null where nothing is expected of it. */
  readonly bar: number | null;
}

/** A claim from two durations, or two sizes. */
export function claim(
  text: string,
  ours: number,
  peer: number | null,
  unit: Claim["unit"],
  bar: number | null,
): Claim {
  const round = (value: number) => Number(value.toPrecision(4));
  return {
    claim: text,
    ours: round(ours),
    peer: peer === null ? null : round(peer),
    unit,
    ratio: peer === null ? null : round(peer / ours),
    bar,
  };
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
};

/** Runs a peer written in Python and gives what it prints as JSON; null where Python or its packages are missing. */
export function runPeer<T>(script: string, args: readonly (string | number)[]): T | null {
  for (const python of ["python3", "/usr/bin/python3"]) {
    const path = join(import.meta.dirname, "peers", script);
    const { status, stdout } = spawnSync(python, [path, ...args.map(String)], { encoding: "utf8" });
    if (status === 0) return JSON.parse(stdout) as T;
  }
  return null;
}

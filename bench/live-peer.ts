// A peer in a process of its own that waits for its turn. It prints a line when it is ready, then one with the seconds of
// a run for every line that it reads.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Work } from "./rounds.ts";

export interface LivePeer extends AsyncDisposable {
  /** What it runs on, for the text of a claim. */
  readonly version: string;
  readonly run: Work;
}

/** Starts `bench/peers/<script>`; null, after its reason on stderr, where it ends before it is ready. */
export async function startPeer(
  program: string,
  script: string,
  args: readonly (string | number)[],
  environment: Readonly<Record<string, string>> = {},
): Promise<LivePeer | null> {
  const child = spawn(program, [join(import.meta.dirname, "peers", script), ...args.map(String)], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string | undefined;
  const failed = once(child, "error").then(() => undefined);
  const ready = await Promise.race([next(), failed]);
  if (ready === undefined) return null;
  return {
    version: JSON.parse(ready).version,
    async run() {
      child.stdin.write("\n");
      const answer = await next();
      if (answer === undefined) throw new Error(`${script}: the peer ended in the middle of a run`);
      return JSON.parse(answer).seconds;
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill();
  await exited;
}

/** A peer in Python, of the first interpreter that has the package it needs. */
export async function startPythonPeer(
  script: string,
  needs: string,
  args: readonly (string | number)[],
): Promise<LivePeer | null> {
  for (const python of ["python3", "/usr/bin/python3"]) {
    if (spawnSync(python, ["-c", `import ${needs}`]).status === 0) return startPeer(python, script, args);
  }
  return null;
}

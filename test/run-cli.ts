import { spawn } from "node:child_process";
import { join } from "node:path";

const main = join(import.meta.dirname, "../dist/cli/main.js");

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly input?: string;
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the built command line in a process of its own, as a user would, without colours. */
export function runCli(args: readonly string[], { input = "", cwd, env = {} }: CliOptions = {}) {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, NO_COLOR: "1", ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  child.stdin.end(input);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const result = new Promise<CliResult>((resolve) => {
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return Object.assign(result, {
    kill: (signal: NodeJS.Signals = "SIGKILL") => child.kill(signal),
    /** What it has written so far. */
    stderr: () => stderr,
  });
}

// A server in a process of its own, over the model of the demo.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PROGRAM = join(import.meta.dirname, "../dist/cli/main.js");

/** Trains the demo's model on the embedded backbone into a folder, in about half a minute. @returns The model's directory. */
export function trainDemoModel(folder: string): string {
  if (!existsSync(PROGRAM)) throw new Error(`serve: expected ${PROGRAM}; run npm run build`);
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, "demo", "--out", folder], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`serve: the demo ended with ${status}: ${stderr}`);
  return join(folder, "model");
}

export interface ServedModel extends AsyncDisposable {
  readonly url: string;
  /** Of the process that listens; the model's is its child. */
  readonly pid: number;
}

/** `armorm serve` on a free port of this machine, once it listens. */
export async function startServer(model: string, flags: readonly string[]): Promise<ServedModel> {
  const args = [PROGRAM, "serve", "--model", model, "--port", "0", ...flags];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  const url = await listeningUrl(child);
  return {
    url,
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    },
  };
}

async function listeningUrl(child: ChildProcess): Promise<string> {
  const lines: string[] = [];
  // Goes on reading for as long as the server writes: a full pipe would stop it.
  const reader = createInterface({ input: child.stderr! });
  return new Promise((resolve, reject) => {
    child.once("exit", (code) =>
      reject(new Error(`serve: the server ended with ${code}: ${lines.join("\n")}`)),
    );
    reader.on("line", (line) => {
      if (lines.length < 20) lines.push(line);
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
      if (url !== undefined) resolve(url);
    });
  });
}

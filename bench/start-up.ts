// From the start of the process to the first hidden state of a 1 B shape in int8: the first start quantizes the checkpoint
// and keeps the result, the second finds it.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Claim, claim } from "./claim.ts";
import { writeRandomCheckpoint } from "./random-checkpoint.ts";
import { temporaryFolder } from "./temporary.ts";

const ROOT = join(import.meta.dirname, "..");

export async function measureStartUp(): Promise<Claim[]> {
  // Threads that quantize run from the built package alone.
  const built = join(ROOT, "dist/backbone/backbone.js");
  if (!existsSync(built)) throw new Error(`start-up: expected ${built}; run npm run build`);
  using folder = await temporaryFolder();
  const checkpoint = join(folder.path, "checkpoint");
  await writeRandomCheckpoint(checkpoint, "llama-3.2-1b");
  const environment = { ...process.env, ARMORM_CACHE: join(folder.path, "cache") };
  const first = start(checkpoint, environment);
  const second = start(checkpoint, environment);
  const memory = [first, second]
    .map(({ peakBytes }) => (peakBytes === null ? "?" : (peakBytes / 1e9).toFixed(2)))
    .join(" and ");
  const text = `start-up, Llama-3.2-1B shape, int8 (peak memory ${memory} GB): second start against the first, both here`;
  return [claim(text, second.seconds, first.seconds, "s", null)];
}

function start(checkpoint: string, env: NodeJS.ProcessEnv): { seconds: number; peakBytes: number | null } {
  const script = join(import.meta.dirname, "start-up-process.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, checkpoint], {
    env,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`start-up: the process ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

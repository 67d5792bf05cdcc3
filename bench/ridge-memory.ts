// Stage 1 keeps statistics, not rows: four times the rows need no more memory. N rows, H hidden size, K objectives.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type Claim, claim } from "./claim.ts";

export async function measureRidgeMemory(): Promise<Claim[]> {
  const [N, H, K] = [16_384, 512, 19];
  const once = peakMegabytes(N, H, K);
  const fourTimes = peakMegabytes(4 * N, H, K);
  const embeddings = (rows: number) => Math.round((rows * H * 4) / 1e6);
  const text = `ridge, peak memory, ${H} wide: ${4 * N} rows (${embeddings(4 * N)} MB of embeddings) against ${N} (${embeddings(N)} MB), both here`;
  return [claim(text, fourTimes, once, "MB", 0.9)];
}

function peakMegabytes(...sizes: readonly number[]): number {
  const script = join(import.meta.dirname, "ridge-memory-process.ts");
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", script, ...sizes.map(String)],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`ridge-memory: the process ended with ${status}: ${stderr}`);
  return JSON.parse(stdout).peakBytes / 1e6;
}

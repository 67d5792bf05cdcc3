// What the finished heads do on validation pairs. N pairs, H hidden size, K objectives.

import { type CalibrationBin, calibrationBins } from "./calibration.ts";
import { openBatchedGate } from "./gate-batches.ts";
import { createGateMeans, type GateMeans } from "./gate-means.ts";
import { adjustedDifferences, type GatingData, gatherRows, type PromptSource } from "./gating-batches.ts";
import type { Heads } from "./heads.ts";

export interface ValidationPairs {
  readonly prompts: PromptSource;
  /** Rewards `[N, K]`, before the transform. */
  readonly rewards: Pick<GatingData, "chosen" | "rejected">;
  /** The pairs to look at. */
  readonly named: ArrayLike<number>;
  /** The group of pair `n`: its subset, or its source. */
  readonly groupOf: (n: number) => string;
}

export interface ValidationFindings {
  /** Mean gating output by group. */
  readonly gating: GateMeans;
  /** Null for heads without a margin scale. */
  readonly calibration: readonly CalibrationBin[] | null;
}

const CHUNK_ROWS = 1024;

/** Runs the gate over the named pairs, in chunks that bound the memory. */
export async function validateHeads(
  { objectives, hiddenSize: H, transform, gate, marginScale }: Heads,
  { prompts, rewards, named, groupOf }: ValidationPairs,
): Promise<ValidationFindings> {
  const K = objectives.length;
  const differences = adjustedDifferences(rewards, transform, K); // [N, K]
  const means = createGateMeans();
  const margins: number[] = [];
  await using batched = await openBatchedGate(gate);
  const all = Array.from(named);
  for (let from = 0; from < all.length; from += CHUNK_ROWS) {
    const rows = all.slice(from, from + CHUNK_ROWS);
    const chunk = new Float32Array(rows.length * H);
    const wanted = new Float64Array(rows.length * K);
    await prompts.gather(rows, chunk);
    gatherRows(differences, rows, wanted, K);
    const gatingOutput = await batched.run(chunk); // [n, K]
    for (const [i, row] of rows.entries()) {
      const weights = gatingOutput.subarray(i * K, (i + 1) * K);
      means.add(groupOf(row), Object.fromEntries(objectives.map(({ name }, k) => [name, weights[k]!])));
      margins.push(weights.reduce((sum, weight, k) => sum + weight * wanted[i * K + k]!, 0));
    }
  }
  return {
    gating: means.means(),
    calibration: marginScale === null ? null : calibrationBins(margins, marginScale),
  };
}

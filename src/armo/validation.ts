// What the finished heads do on validation pairs. N pairs, V of them for validation, K objectives.

import { type Calibration, calibrationOf } from "./calibration.ts";
import { diagnose, type TrainingDiagnostics } from "./diagnostics.ts";
import { gateWeights } from "./gate-batches.ts";
import { createGateMeans, type GateMeans } from "./gate-means.ts";
import { adjustedDifferences, gatherRows, type PromptSource } from "./gating-batches.ts";
import type { Heads } from "./heads.ts";
import { openClusters, type PromptName } from "./prompt-clusters.ts";
import type { PairRewards } from "./training-pairs.ts";

export interface ValidationPairs {
  readonly prompts: PromptSource;
  /** Of all N pairs, before the transform. */
  readonly rewards: PairRewards;
  /** The pairs to look at. */
  readonly named: readonly number[];
  /** The group of pair `n`: its subset, or its source. */
  readonly groupOf: (n: number) => string;
  /** The prompt of pair `n`: equal for equal prompts. */
  readonly keyOf: (n: number) => bigint;
  /** Where the prompts of pairs are to be found. */
  readonly lookUp: (pairs: readonly number[]) => Promise<ReadonlyMap<number, PromptName>>;
  /** Decides where clusters begin. */
  readonly seed: number;
}

export interface ValidationFindings {
  /** Mean gating output by group. */
  readonly gating: GateMeans;
  /** Null for heads without a margin scale. */
  readonly calibration: Calibration | null;
  /** Null without validation pairs. */
  readonly diagnostics: Omit<TrainingDiagnostics, "seeds"> | null;
}

/** Runs the gate over the named pairs. Memory: 40 K bytes per pair beside what the clusters take. */
export async function validateHeads(heads: Heads, pairs: ValidationPairs): Promise<ValidationFindings> {
  const { objectives, hiddenSize, gate, marginScale } = heads;
  const { prompts, named, groupOf, keyOf, seed } = pairs;
  const K = objectives.length;
  const assignment =
    named.length === 0 ? null : await openClusters(prompts, named, keyOf, hiddenSize, { seed });
  const weights = await gateWeights(gate, prompts, named, (chunk) => assignment?.add(chunk)); // [V, K]
  const differences = validationDifferences(heads, pairs); // [V, K]
  const margins = marginsOf(weights, differences, gate.logitScale, K); // [V]

  const means = createGateMeans();
  for (const [n, row] of named.entries()) {
    const output = objectives.map(({ name }, k) => [name, gate.logitScale * weights[n * K + k]!] as const);
    means.add(groupOf(row), Object.fromEntries(output));
  }
  return {
    gating: means.means(),
    calibration: marginScale === null ? null : calibrationOf(margins, marginScale),
    diagnostics:
      assignment && (await diagnose(heads, { ...pairs, assignment, weights, differences, margins })),
  };
}

/** Adjusted rewards of the named pairs `[V, K]`, chosen − rejected. */
export function validationDifferences(
  { transform, objectives }: Pick<Heads, "transform" | "objectives">,
  { rewards, named }: Pick<ValidationPairs, "rewards" | "named">,
): Float64Array {
  const K = objectives.length;
  const differences = new Float64Array(named.length * K);
  gatherRows(adjustedDifferences(rewards, transform, K), named, differences, K);
  return differences;
}

/** Σ_k g_k · difference_k of every pair, g = weights · logitScale. */
export function marginsOf(
  weights: Float32Array,
  differences: Float64Array,
  logitScale: number,
  K: number,
): number[] {
  return Array.from({ length: weights.length / K }, (_, n) => {
    let margin = 0;
    for (let k = 0; k < K; k++) margin += logitScale * weights[n * K + k]! * differences[n * K + k]!;
    return margin;
  });
}

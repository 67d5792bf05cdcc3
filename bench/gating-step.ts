// A training step of the gate at the paper's size. H hidden size, K objectives, B pairs.

import { availableParallelism } from "node:os";
import { trainGating } from "../src/armo/gating-training.ts";
import { createRandom } from "../src/random.ts";
import { type Claim, claim, median, runPeer } from "./claim.ts";

const [H, K, B, N] = [4096, 19, 1024, 4096];
const STEPS = 8;

export async function measureGatingStep(): Promise<Claim[]> {
  const once = await ourStep(B);
  const torch = runPeer<{ once: number; twice: number }>("gating_step.py", [STEPS, availableParallelism()]);
  // The gate on both responses of a pair is the gate on twice as many rows.
  const twice = await ourStep(2 * B);
  const again = await ourStep(B);
  const ours = Math.min(once, again);
  const size = "4096 → 1024³ → 19, batch 1024";
  return [
    claim(`gating step, ${size}: PyTorch, same work`, ours, torch && torch.once * 1000, "ms", 2),
    claim(
      `gating step, ${size}: PyTorch, the reference's formulation`,
      ours,
      torch && torch.twice * 1000,
      "ms",
      4,
    ),
    claim(`gating step, ${size}: gate once per pair against twice, both here`, ours, twice, "ms", 1.5),
  ];
}

/** Median milliseconds of a step, batches, gradients and update included. */
async function ourStep(batchSize: number): Promise<number> {
  const random = createRandom(1);
  const noise = (length: number) => Float32Array.from({ length }, () => 2 * random.uniform() - 1);
  const data = { promptEmbeddings: noise(N * H), chosen: noise(N * K), rejected: noise(N * K) };
  const ends: number[] = [];
  await trainGating(data, {
    hiddenSize: H,
    numObjectives: K,
    preset: "reference",
    dropout: 0,
    batchSize,
    steps: STEPS + 3,
    onProgress: () => ends.push(performance.now()),
  });
  return median(ends.slice(3).map((end, i) => end - ends[i + 2]!));
}

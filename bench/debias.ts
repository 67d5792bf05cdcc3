// Penalties by root against the reference's search on its grid. N rows, K objectives.

import { fitRewardTransform } from "../src/armo/reward-transform.ts";
import { createRandom } from "../src/random.ts";
import { type Claim, claim, runPeer } from "./claim.ts";

export async function measureDebias(): Promise<Claim[]> {
  const [N, K] = [100_000, 19];
  const random = createRandom(3);
  const rewards = new Float64Array(N * K);
  for (let n = 0; n < N; n++) {
    const length = random.normal();
    for (let k = 0; k < K; k++) rewards[n * K + k] = random.normal() + (0.1 + 0.03 * k) * length;
    rewards[n * K + 4] = length;
  }
  const start = performance.now();
  fitRewardTransform(rewards, { numObjectives: K, targets: [4] });
  const ours = (performance.now() - start) / 1000;
  const peer = runPeer<{ seconds: number }>("debias.py", [N, K]);
  return [
    claim(
      `debiasing, ${N} × ${K}: exact roots against the reference's grid with scipy`,
      ours,
      peer?.seconds ?? null,
      "s",
      10,
    ),
  ];
}

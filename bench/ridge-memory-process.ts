// Fits stage 1 on rows made as they are read, and prints the process's peak memory. N rows, H hidden size, K objectives.

import { fitRidge, type RatedRows } from "../src/armo/ridge.ts";
import { createRandom } from "../src/random.ts";

const [N, H, K] = process.argv.slice(2).map(Number) as [number, number, number];
const CHUNK = 1024;

function* rows(): Generator<RatedRows> {
  const random = createRandom(2);
  const noise = (length: number) => Float32Array.from({ length }, () => 2 * random.uniform() - 1);
  for (let done = 0; done < N; done += CHUNK)
    yield { embeddings: noise(CHUNK * H), labels: noise(CHUNK * K) };
}

await fitRidge(rows(), { hiddenSize: H });
console.log(JSON.stringify({ peakBytes: process.resourceUsage().maxRSS * 1024 }));

// Stage 1: all objectives and penalties from one set of statistics. N rows, H hidden size, K objectives.

import { fitRidge } from "../src/armo/ridge.ts";
import { createRandom } from "../src/random.ts";
import { type Claim, claim, runPeer } from "./claim.ts";

const ALPHAS = [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1e3, 1e4];
const PATTERNS = 6;

export async function measureRidge(): Promise<Claim[]> {
  const K = 19;
  const large = { N: 8192 * 2, H: 2048, K };
  const rows = ratedRows(large.N, large.H, K);
  const ours = await seconds(() => fitRidge(rows, { hiddenSize: large.H, alphas: ALPHAS }));
  const peer = runPeer<{ seconds: number }>("ridge.py", [large.N, large.H, K, PATTERNS, ALPHAS.length]);

  const small = { N: 4096, H: 512 };
  const few = ratedRows(small.N, small.H, K);
  const together = await seconds(() => fitRidge(few, { hiddenSize: small.H, alphas: ALPHAS }));
  const apart = await seconds(async () => {
    for (let k = 0; k < K; k++) {
      const labels = Float32Array.from({ length: small.N }, (_, n) => few.labels[n * K + k]!);
      for (const alpha of ALPHAS) {
        await fitRidge({ embeddings: few.embeddings, labels }, { hiddenSize: small.H, alphas: [alpha] });
      }
    }
  });
  return [
    claim(
      `ridge, ${large.N} × ${large.H}, ${K} objectives in ${PATTERNS} label patterns, 9 α: scikit-learn, one fit each`,
      ours,
      peer?.seconds ?? null,
      "s",
      20,
    ),
    claim(
      `ridge, ${small.N} × ${small.H}, ${K} objectives, 9 α: from statistics against each α and objective by itself, both here`,
      together,
      apart,
      "s",
      5,
    ),
  ];
}

function ratedRows(N: number, H: number, K: number) {
  const random = createRandom(2);
  const noise = (length: number) => Float32Array.from({ length }, () => 2 * random.uniform() - 1);
  const labels = noise(N * K).map((value, i) =>
    Math.floor(i / K) % PATTERNS === (i % K) % PATTERNS ? value : Number.NaN,
  );
  return { embeddings: noise(N * H), labels };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

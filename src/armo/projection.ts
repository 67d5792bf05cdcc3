// Embeddings → rewards in bulk, for training. N rows, H hidden size, K objectives.

import { Graph } from "../engine/graph.ts";
import { gemm } from "../engine/operators.ts";
import { openSession } from "../engine/session.ts";

/** Rewards of many embeddings at once. */
export interface Projection extends AsyncDisposable {
  /** `[N, H]` → `[N, K]`, in f32. */
  project(embeddings: Float32Array): Promise<Float32Array>;
}

/** rewards = embeddings · Wᵀ, on the engine. @param weights `[K, H]`. */
export async function openProjection(weights: Float32Array, hiddenSize: number): Promise<Projection> {
  const graph = new Graph();
  const embeddings = graph.input("embeddings", "f32", ["N", hiddenSize]);
  const w = graph.constant(weights, [weights.length / hiddenSize, hiddenSize]);
  graph.output("rewards", gemm(embeddings, w, { transB: true })); // [N, K]
  const session = await openSession(graph);
  return {
    async project(data) {
      if (data.length === 0) return new Float32Array(0);
      const shape = [data.length / hiddenSize, hiddenSize];
      const { rewards } = await session.run({ embeddings: { data, shape } });
      return rewards!.data as Float32Array;
    },
    [Symbol.asyncDispose]: () => session.close(),
  };
}

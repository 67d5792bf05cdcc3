// Prompt embeddings → gating outputs in bulk, for reports. N prompts, H hidden size, K objectives.

import { Graph } from "../engine/graph.ts";
import * as op from "../engine/operators.ts";
import { openSession } from "../engine/session.ts";
import { gateOf } from "./gating-network.ts";
import type { Gate } from "./heads.ts";

/** The gate for many prompts at once. */
export interface BatchedGate extends AsyncDisposable {
  /** `[N, H]` → `[N, K]`, in f32: as `runGate`, to f32's precision. */
  run(promptEmbeddings: Float32Array): Promise<Float32Array>;
}

/** g = softmax(MLP(p) / temperature) · logitScale, on the engine. */
export async function openBatchedGate({ layers, temperature, logitScale }: Gate): Promise<BatchedGate> {
  const graph = new Graph();
  const H = layers[0]!.inputs;
  const parameters = layers.flatMap(({ weight, bias, inputs, outputs }) => [
    graph.constant(weight, [outputs, inputs]),
    graph.constant(bias, [outputs]),
  ]);
  const mixed = gateOf(graph.input("prompts", "f32", ["N", H]), parameters, temperature);
  graph.output("gate", op.mul(mixed, op.scalar(mixed, logitScale))); // [N, K]
  const session = await openSession(graph);
  return {
    async run(data) {
      const { gate } = await session.run({ prompts: { data, shape: [data.length / H, H] } });
      return gate!.data as Float32Array;
    },
    [Symbol.asyncDispose]: () => session.close(),
  };
}

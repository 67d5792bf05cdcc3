// Prompt embeddings → the gate's weights in bulk, for reports. V prompts, H hidden size, K objectives.

import { Graph } from "../engine/graph.ts";
import { openSession, type Session } from "../engine/session.ts";
import type { PromptSource } from "./gating-batches.ts";
import { gateOf } from "./gating-network.ts";
import type { Gate } from "./heads.ts";

const CHUNK_ROWS = 1024;

/**
 * softmax(MLP(p) / temperature) of the named prompts, `[V, K]`, on the engine in f32: as `runGate` without its factor, to f32's
 * precision. In chunks that bound the memory.
 *
 * @param onChunk Is given the prompt embeddings `[n, H]` of each chunk, in order, and may write to them.
 */
export async function gateWeights(
  gate: Gate,
  prompts: PromptSource,
  named: readonly number[],
  onChunk: (promptEmbeddings: Float32Array) => void = () => {},
): Promise<Float32Array> {
  const [H, K] = [gate.layers[0]!.inputs, gate.layers.at(-1)!.outputs];
  const session = await openSession(graphOf(gate));
  try {
    const weights = new Float32Array(named.length * K);
    for (let from = 0; from < named.length; from += CHUNK_ROWS) {
      const rows = named.slice(from, from + CHUNK_ROWS);
      const chunk = new Float32Array(rows.length * H);
      await prompts.gather(rows, chunk);
      weights.set(await run(session, chunk, [rows.length, H]), from * K);
      onChunk(chunk);
    }
    return weights;
  } finally {
    await session.close();
  }
}

function graphOf({ layers, temperature }: Gate): Graph {
  const graph = new Graph();
  const parameters = layers.flatMap(({ weight, bias, inputs, outputs }) => [
    graph.constant(weight, [outputs, inputs]),
    graph.constant(bias, [outputs]),
  ]);
  const prompts = graph.input("prompts", "f32", ["N", layers[0]!.inputs]);
  graph.output("weights", gateOf(prompts, parameters, temperature)); // [N, K]
  return graph;
}

async function run(session: Session, data: Float32Array, shape: readonly number[]): Promise<Float32Array> {
  const { weights } = await session.run({ prompts: { data, shape } });
  return weights!.data as Float32Array;
}

// The forward pass of the heads as one ONNX graph, for runtimes that do not run this package: browsers, servers, phones.
// N responses, H hidden size, K objectives.

import { Graph, type Value } from "../engine/graph.ts";
import { div, gemm, mul, reduceSum, relu, scalar, softmax } from "../engine/operators.ts";
import { VERSION } from "../version.ts";
import type { Heads } from "./heads.ts";

/** What the graph takes, `[N, H]` each. */
export const HEAD_INPUTS = ["embedding", "prompt_embedding"] as const;
/** What it gives, `[N, K]` each, and the score `[N]`. */
export const HEAD_OUTPUTS = [
  "rewards",
  "adjusted_rewards",
  "gating_output",
  "coefficients",
  "contributions",
  "score",
] as const;

/**
 * The heads as the bytes of an ONNX model: regression, transform, gate and score.
 *
 * Inputs are `embedding` and `prompt_embedding`, f32 `[N, H]`: the hidden states of the last and of the gating token. Outputs are
 * `rewards`, `adjusted_rewards`, `gating_output`, `coefficients` and `contributions`, f32 `[N, K]` in the order of the objectives,
 * and `score`, f32 `[N]`. `metadata_props` holds `objectives` (JSON, with sources and scales), `margin_scale` (a number, or empty
 * where there is none) and `armorm_version`, and whatever is added.
 *
 * Sums are accumulated in f32, where `scoreEmbedding` does so in f64: results differ by rounding.
 *
 * @param metadata More entries for `metadata_props`, such as the backbone's name and licence.
 *
 * Size: 4 bytes a parameter; 25 MB for the published 8B model's heads.
 */
export function encodeHeads(heads: Heads, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const { objectives, hiddenSize: H, marginScale, gate } = heads;
  const K = objectives.length;
  const graph = new Graph();
  const embedding = graph.input("embedding", "f32", ["N", H]);
  const promptEmbedding = graph.input("prompt_embedding", "f32", ["N", H]);
  const transform = graph.constant(heads.transform, [K, K]);

  const rewards = gemm(embedding, graph.constant(heads.regression, [K, H]), { transB: true }); // W · x
  let activation: Value = promptEmbedding;
  for (const [i, { weight, bias, inputs, outputs }] of gate.layers.entries()) {
    const layer = gemm(activation, graph.constant(weight, [outputs, inputs]), {
      bias: graph.constant(bias, [outputs]),
      transB: true,
    });
    activation = i < gate.layers.length - 1 ? relu(layer) : layer;
  }
  const shares = softmax(div(activation, scalar(activation, gate.temperature)));
  const gatingOutput = mul(shares, scalar(shares, gate.logitScale));
  const coefficients = gemm(gatingOutput, transform, { transB: true }); // g @ Tᵀ
  const contributions = mul(coefficients, rewards);

  graph.output("rewards", rewards);
  graph.output("adjusted_rewards", gemm(rewards, transform)); // rewards @ T
  graph.output("gating_output", gatingOutput);
  graph.output("coefficients", coefficients);
  graph.output("contributions", contributions);
  graph.output("score", reduceSum(contributions, [1]));
  return graph.encode({
    portable: true,
    metadata: {
      armorm_version: VERSION,
      objectives: JSON.stringify(objectives),
      margin_scale: marginScale === null ? "" : String(marginScale),
      ...metadata,
    },
  });
}

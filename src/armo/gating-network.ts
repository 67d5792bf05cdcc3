/*
 * The gate and its loss on the engine: one training step, and the margins of validation pairs.
 *
 *   B  pairs of a batch      H  hidden size      D  width of a hidden layer      K  objectives
 *
 * Both responses of a pair share their prompt, so the gate runs once per pair, and the loss needs of the rewards only
 * their difference, chosen − rejected.
 */

import { gradients } from "../engine/differentiate.ts";
import { Graph, type Value } from "../engine/graph.ts";
import * as op from "../engine/operators.ts";
import type { Weights } from "../engine/optimizer.ts";
import { type Feed, openSession } from "../engine/session.ts";
import type { Parameter } from "./gating-parameters.ts";

export interface GatingNetworkOptions {
  readonly batchSize: number;
  readonly temperature: number;
  readonly dtype: "f32" | "f64";
  /** Whether hidden units are multiplied by `masks`. */
  readonly dropout: boolean;
}

export interface GatingNetwork extends AsyncDisposable {
  /** Input of the next step `[B, H]`. */
  readonly prompts: Float32Array;
  /** Input of the next step `[B, K]`: adjusted rewards, chosen − rejected. */
  readonly differences: Weights;
  /** Input of the next step, per hidden layer `[B, D]`: 0, or 1 / (1 − dropout). Empty without dropout. */
  readonly masks: readonly Weights[];
  /** Results of the last step, one per parameter. */
  readonly gradients: readonly Weights[];
  /** Computes the loss of the batch, and the gradients at the parameters as they are now. */
  step(): Promise<number>;
  /**
   * Margins without the scale `[n]`, for validation.
   *
   * @param prompts `[n, H]` @param differences `[n, K]`
   */
  margins(prompts: Float32Array, differences: Weights): Promise<Weights>;
}

/**
 * loss = mean softplus(−scale · margin),  margin = Σ_k softmax(MLP(prompt) / temperature)_k · difference_k
 *
 * The scale is β or the factor on the gate's output: to the loss they are the same.
 * Memory: parameters and gradients, and the activations of one batch. Nothing is allocated per step.
 */
export async function openGatingNetwork(
  parameters: readonly Parameter[],
  { batchSize: B, temperature, dtype, dropout }: GatingNetworkOptions,
): Promise<GatingNetwork> {
  const weights = parameters.filter(({ shape }) => shape.length === 2);
  const H = weights[0]!.shape[1]!;
  const K = weights.at(-1)!.shape[0]!;
  const hidden = weights.slice(0, -1).map(({ shape }) => shape[0]!);
  const zeros = (count: number) => (dtype === "f32" ? new Float32Array(count) : new Float64Array(count));

  const graph = new Graph();
  const inputs = {
    prompts: graph.input("prompts", "f32", [B, H]),
    differences: graph.input("differences", dtype, [B, K]),
    masks: dropout ? hidden.map((D, i) => graph.input(`mask${i}`, dtype, [B, D])) : [],
    parameters: parameters.map(({ name, shape }) => graph.input(name, dtype, shape)),
  };
  const scale = inputs.parameters.at(-1)!;
  const margin = marginOf(inputs, temperature);
  const loss = op.reduceMean(op.softplus(op.neg(op.mul(margin, scale)))); // −log σ(m) = softplus(−m)
  graph.output("loss", loss);
  for (const [i, gradient] of gradients(loss, inputs.parameters).entries()) {
    graph.output(`d ${parameters[i]!.name}`, gradient);
  }
  const training = await openSession(graph);

  const forward = new Graph();
  const pairs = {
    prompts: forward.input("prompts", "f32", ["N", H]),
    differences: forward.input("differences", dtype, ["N", K]),
    masks: [],
    // All but the scale, which whoever reads the margins applies.
    parameters: parameters.slice(0, -1).map(({ name, shape }) => forward.input(name, dtype, shape)),
  };
  forward.output("margins", marginOf(pairs, temperature));
  const validation = await openSession(forward);

  const prompts = new Float32Array(B * H);
  const differences = zeros(B * K);
  const masks = dropout ? hidden.map((D) => zeros(B * D)) : [];
  const gradientBuffers = parameters.map(({ data }) => zeros(data.length));
  const lossBuffer = zeros(1);
  const feeds: Record<string, Feed> = {
    ...parameterFeeds(parameters),
    prompts: { data: prompts, shape: [B, H] },
    differences: { data: differences, shape: [B, K] },
    ...Object.fromEntries(masks.map((data, i) => [`mask${i}`, { data, shape: [B, hidden[i]!] }])),
  };
  const into: Record<string, Feed> = {
    loss: { data: lossBuffer, shape: [] },
    ...Object.fromEntries(
      parameters.map(({ name, shape }, i) => [`d ${name}`, { data: gradientBuffers[i]!, shape }]),
    ),
  };
  const forwardFeeds = parameterFeeds(parameters.slice(0, -1));

  return {
    prompts,
    differences,
    masks,
    gradients: gradientBuffers,
    async step() {
      await training.run(feeds, into);
      return lossBuffer[0]!;
    },
    async margins(prompts, differences) {
      const n = differences.length / K;
      const { margins } = await validation.run({
        ...forwardFeeds,
        prompts: { data: prompts, shape: [n, H] },
        differences: { data: differences, shape: [n, K] },
      });
      return margins!.data as Weights;
    },
    async [Symbol.asyncDispose]() {
      await training.close();
      await validation.close();
    },
  };
}

interface GatingInputs {
  readonly prompts: Value;
  readonly differences: Value;
  readonly masks: readonly Value[];
  /** Weight and bias of each layer. */
  readonly parameters: readonly Value[];
}

function marginOf({ prompts, differences, masks, parameters }: GatingInputs, temperature: number): Value {
  const gate = gateOf(op.cast(prompts, differences.dtype), parameters, temperature, masks); // [B, K]
  return op.reduceSum(op.mul(gate, differences), [1]); // [B]
}

/**
 * softmax(MLP(prompt) / temperature) as a graph: `[B, H]` → `[B, K]`.
 *
 * @param parameters Weight `[out, in]` and bias of each layer; what follows the last whole layer is not read.
 * @param masks Multiply the hidden activations.
 */
export function gateOf(
  prompts: Value,
  parameters: readonly Value[],
  temperature: number,
  masks: readonly Value[] = [],
): Value {
  const layers = Math.floor(parameters.length / 2);
  let activation = prompts;
  for (let i = 0; i < layers; i++) {
    const bias = parameters[2 * i + 1]!;
    activation = op.gemm(activation, parameters[2 * i]!, { transB: true, bias }); // [B, D], at last [B, K]
    if (i === layers - 1) break;
    activation = op.relu(activation);
    const mask = masks[i];
    if (mask) activation = op.mul(activation, mask);
  }
  return op.softmax(op.div(activation, op.scalar(activation, temperature)));
}

function parameterFeeds(parameters: readonly Parameter[]): Record<string, Feed> {
  return Object.fromEntries(parameters.map(({ name, shape, data }) => [name, { data, shape }]));
}

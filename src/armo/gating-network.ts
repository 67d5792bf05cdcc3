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
import type { GatingBatch } from "./gating-batches.ts";
import { type LossOptions, lossOf } from "./gating-loss.ts";
import type { Parameter } from "./gating-parameters.ts";

export interface GatingNetworkOptions extends LossOptions {
  readonly batchSize: number;
  readonly temperature: number;
  readonly dtype: "f32" | "f64";
  /** Whether hidden units are multiplied by `masks`. */
  readonly dropout: boolean;
  /** Whether batches carry target margins. */
  readonly targets: boolean;
  /** Whether the scale is a factor of scores, or β, which is none. */
  readonly scaledScores: boolean;
}

export interface GatingNetwork extends AsyncDisposable {
  /** Of the next step, per hidden layer `[B, D]`: 0, or 1 / (1 − dropout). Empty without dropout. */
  readonly masks: readonly Weights[];
  /** Results of the last step, one per parameter. */
  readonly gradients: readonly Weights[];
  /** Computes the loss of a batch of B pairs, and the gradients at the parameters as they are now. */
  step(batch: GatingBatch): Promise<number>;
  /** What the loss reads of n pairs, for validation: margins `[n]` without the scale; score sums with centering. */
  look(batch: GatingBatch): Promise<{ readonly margins: Weights; readonly scoreSums: Weights | null }>;
}

/**
 * The loss of gating-loss.ts, with margin = Σ_k softmax(MLP(prompt) / temperature)_k · difference_k.
 *
 * Memory: parameters and gradients, and the activations of one batch. Nothing is allocated per step.
 */
export async function openGatingNetwork(
  parameters: readonly Parameter[],
  { batchSize: B, temperature, dtype, dropout, targets, scaledScores, ...lossOptions }: GatingNetworkOptions,
): Promise<GatingNetwork> {
  const weights = parameters.filter(({ shape }) => shape.length === 2);
  const H = weights[0]!.shape[1]!;
  const K = weights.at(-1)!.shape[0]!;
  const hidden = weights.slice(0, -1).map(({ shape }) => shape[0]!);
  const zeros = (count: number) => (dtype === "f32" ? new Float32Array(count) : new Float64Array(count));
  const centered = lossOptions.centering > 0;

  const declare = (graph: Graph, n: number | string): GatingInputs => ({
    prompts: graph.input("prompts", "f32", [n, H]),
    differences: graph.input("differences", dtype, [n, K]),
    sums: centered ? graph.input("sums", dtype, [n, K]) : null,
    masks: [],
    // All but the scale, which whoever reads the margins applies.
    parameters: parameters.slice(0, -1).map(({ name, shape }) => graph.input(name, dtype, shape)),
  });
  const graph = new Graph();
  const inputs = {
    ...declare(graph, B),
    masks: dropout ? hidden.map((D, i) => graph.input(`mask${i}`, dtype, [B, D])) : [],
  };
  const target = targets ? graph.input("targets", dtype, [B]) : null;
  const scale = graph.input(parameters.at(-1)!.name, dtype, [1]);
  const { margin, sum } = mix(inputs, temperature);
  const scoreSum = sum && scaledScores ? op.mul(sum, scale) : sum;
  const loss = lossOf({ margin, scale, target, scoreSum }, lossOptions);
  graph.output("loss", loss);
  for (const [i, gradient] of gradients(loss, [...inputs.parameters, scale]).entries()) {
    graph.output(`d ${parameters[i]!.name}`, gradient);
  }
  const training = await openSession(graph);

  const forward = new Graph();
  const looked = mix(declare(forward, "N"), temperature);
  forward.output("margins", looked.margin);
  if (looked.sum) forward.output("score sums", looked.sum);
  const validation = await openSession(forward);

  const masks = dropout ? hidden.map((D) => zeros(B * D)) : [];
  const gradientBuffers = parameters.map(({ data }) => zeros(data.length));
  const lossBuffer = zeros(1);
  const feeds: Record<string, Feed> = {
    ...parameterFeeds(parameters),
    ...Object.fromEntries(masks.map((data, i) => [`mask${i}`, { data, shape: [B, hidden[i]!] }])),
  };
  const into: Record<string, Feed> = {
    loss: { data: lossBuffer, shape: [] },
    ...Object.fromEntries(
      parameters.map(({ name, shape }, i) => [`d ${name}`, { data: gradientBuffers[i]!, shape }]),
    ),
  };
  const forwardFeeds = parameterFeeds(parameters.slice(0, -1));
  const batchFeeds = ({ prompts, differences, targets, sums }: GatingBatch): Record<string, Feed> => {
    const n = differences.length / K;
    return {
      prompts: { data: prompts, shape: [n, H] },
      differences: { data: differences, shape: [n, K] },
      ...(targets ? { targets: { data: targets, shape: [n] } } : {}),
      ...(sums ? { sums: { data: sums, shape: [n, K] } } : {}),
    };
  };

  return {
    masks,
    gradients: gradientBuffers,
    async step(batch) {
      await training.run({ ...feeds, ...batchFeeds(batch) }, into);
      return lossBuffer[0]!;
    },
    async look(batch) {
      const results = await validation.run({ ...forwardFeeds, ...batchFeeds(batch) });
      const { margins, "score sums": sums } = results;
      if (!sums) return { margins: margins!.data as Weights, scoreSums: null };
      const factor = scaledScores ? parameters.at(-1)!.data[0]! : 1;
      return {
        margins: margins!.data as Weights,
        scoreSums: (sums.data as Float64Array).map((sum) => factor * sum),
      };
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
  /** Null where scores are not centered. */
  readonly sums: Value | null;
  readonly masks: readonly Value[];
  /** Weight and bias of each layer. */
  readonly parameters: readonly Value[];
}

/** Margins, and sums of the scores of both responses, `[B]`; neither with the scale. */
function mix(
  { prompts, differences, sums, masks, parameters }: GatingInputs,
  temperature: number,
): { margin: Value; sum: Value | null } {
  const gate = gateOf(op.cast(prompts, differences.dtype), parameters, temperature, masks); // [B, K]
  const weigh = (rewards: Value) => op.reduceSum(op.mul(gate, rewards), [1]);
  return { margin: weigh(differences), sum: sums && weigh(sums) };
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

// What an ArmoRM adds to its backbone, as plain data. H hidden size, K objectives.

import { type Tensor, toFloat32 } from "../checkpoint/dtypes.ts";
import { InputError } from "../errors.ts";
import type { Objective } from "../reward-model.ts";

/** A linear layer: `y = weight · x + bias`. */
export interface LinearLayer {
  /** `[outputs, inputs]` */
  readonly weight: Float32Array;
  /** `[outputs]` */
  readonly bias: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
}

/** The network that mixes objectives: prompt embedding `[H]` → gating output `[K]`. */
export interface Gate {
  /** ReLU between them, none after the last. */
  readonly layers: readonly LinearLayer[];
  /** Divides the logits before the softmax, > 0. */
  readonly temperature: number;
  /** Multiplies the softmax. */
  readonly logitScale: number;
}

/** Everything between a backbone's hidden states and a score. */
export interface Heads {
  readonly objectives: readonly Objective[];
  readonly hiddenSize: number;
  /** W `[K, H]`: rewards = W · embedding. */
  readonly regression: Float32Array;
  /** T `[K, K]`, row = source, column = result: adjusted rewards = rewards @ T. */
  readonly transform: Float32Array;
  readonly gate: Gate;
  /** β of the Bradley–Terry loss, P(chosen ≻ rejected) = σ(β · margin); null where training had none. */
  readonly marginScale: number | null;
}

/** The objectives of the published 8B model, in its order, with the inverse of HelpSteer's scaling from its card. */
export const PUBLISHED_OBJECTIVES: readonly Objective[] = [
  ...["helpfulness", "correctness", "coherence", "complexity", "verbosity"].map((name) => ({
    name: `helpsteer-${name}`,
    source: "helpsteer",
    scale: { multiply: 5, add: -0.5 },
  })),
  { name: "ultrafeedback-overall_score", source: "ultrafeedback" },
  { name: "ultrafeedback-instruction_following", source: "ultrafeedback" },
  { name: "ultrafeedback-truthfulness", source: "ultrafeedback" },
  { name: "ultrafeedback-honesty", source: "ultrafeedback" },
  { name: "ultrafeedback-helpfulness", source: "ultrafeedback" },
  { name: "beavertails-is_safe", source: "beavertails" },
  { name: "prometheus-score", source: "prometheus" },
  { name: "argilla-overall_quality", source: "argilla" },
  { name: "argilla-judge_lm", source: "argilla" },
  { name: "code-complexity", source: "code" },
  { name: "code-style", source: "code" },
  { name: "code-explanation", source: "code" },
  { name: "code-instruction-following", source: "code" },
  { name: "code-readability", source: "code" },
];

/** Names of the tensors, those of the published checkpoint; `margin_scale` is ours. */
const REGRESSION = "regression_layer.weight";
const TRANSFORM = "reward_transform_matrix";
const LOGIT_SCALE = "gating.logit_scale";
const MARGIN_SCALE = "margin_scale";
const layerName = (i: number, what: "weight" | "bias") => `gating.layers.${i}.${what}`;

/** Whether a tensor of a checkpoint belongs to the heads. */
export const isHeadTensor = (name: string): boolean =>
  name === REGRESSION || name === TRANSFORM || name === MARGIN_SCALE || name.startsWith("gating.");

/** The heads as tensors under the published names. */
export function headsToTensors(heads: Heads): Map<string, Tensor> {
  const { objectives, hiddenSize, regression, transform, gate, marginScale } = heads;
  const K = objectives.length;
  const f32 = (data: Float32Array, ...shape: number[]): Tensor => ({ dtype: "F32", shape, data });
  const tensors = new Map<string, Tensor>([
    [REGRESSION, f32(regression, K, hiddenSize)],
    [TRANSFORM, f32(transform, K, K)],
    [LOGIT_SCALE, f32(Float32Array.of(gate.logitScale), 1)],
  ]);
  for (const [i, { weight, bias, inputs, outputs }] of gate.layers.entries()) {
    tensors.set(layerName(i, "weight"), f32(weight, outputs, inputs));
    tensors.set(layerName(i, "bias"), f32(bias, outputs));
  }
  if (marginScale !== null) tensors.set(MARGIN_SCALE, f32(Float32Array.of(marginScale), 1));
  return tensors;
}

/**
 * Heads from tensors under the published names.
 *
 * @param about Names and temperature, which stand in the configuration. @param where For messages.
 * @throws {InputError} `bad-heads` for a missing tensor, a shape that does not fit, or a number that is not finite.
 */
export function headsFromTensors(
  tensors: ReadonlyMap<string, Tensor>,
  about: {
    readonly objectives: readonly Objective[];
    readonly hiddenSize: number;
    readonly temperature: number;
  },
  where: string,
): Heads {
  const { objectives, hiddenSize, temperature } = about;
  const K = objectives.length;
  const names = objectives.map(({ name }) => name);
  const repeated = names.find((name, k) => names.indexOf(name) !== k);
  if (repeated !== undefined) throw badHeads(where, "each objective name once", `${repeated} twice`);
  const take = (name: string, ...shape: number[]): Float32Array => {
    requireShape(tensors, name, shape, where);
    const data = toFloat32(tensors.get(name)!);
    if (!data.every(Number.isFinite)) throw badHeads(where, `finite numbers in ${name}`, "NaN or infinity");
    return data;
  };
  const layers: LinearLayer[] = [];
  for (let inputs = hiddenSize; tensors.has(layerName(layers.length, "weight")); ) {
    const i = layers.length;
    const outputs = tensors.get(layerName(i, "weight"))!.shape[0] ?? 0;
    layers.push({
      weight: take(layerName(i, "weight"), outputs, inputs),
      bias: take(layerName(i, "bias"), outputs),
      inputs,
      outputs,
    });
    inputs = outputs;
  }
  if (layers.at(-1)?.outputs !== K) {
    throw badHeads(
      where,
      `a gate with ${K} outputs`,
      layers.length === 0 ? "none" : `${layers.at(-1)!.outputs}`,
    );
  }
  if (!(temperature > 0)) throw badHeads(where, "a gating temperature above 0", String(temperature));
  return {
    objectives,
    hiddenSize,
    regression: take(REGRESSION, K, hiddenSize),
    transform: take(TRANSFORM, K, K),
    gate: { layers, temperature, logitScale: tensors.has(LOGIT_SCALE) ? take(LOGIT_SCALE, 1)[0]! : 1 },
    marginScale: tensors.has(MARGIN_SCALE) ? take(MARGIN_SCALE, 1)[0]! : null,
  };
}

/** Sizes of the heads as a configuration states them. */
export interface HeadSizes {
  readonly objectives: number;
  readonly hiddenSize: number;
  /** Width of the gate's hidden layers, and their number. */
  readonly gatingHiddenDim: number;
  readonly gatingHiddenLayers: number;
}

type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** Checks tensors of heads, before they are read, against the sizes that a configuration states. @throws {InputError} `bad-heads` */
export function requireHeadSizes(tensors: Shapes, sizes: HeadSizes, where: string): void {
  const { objectives: K, hiddenSize: H, gatingHiddenDim: D, gatingHiddenLayers } = sizes;
  requireShape(tensors, REGRESSION, [K, H], where);
  requireShape(tensors, TRANSFORM, [K, K], where);
  const layers = [...tensors.keys()].filter((name) => /^gating\.layers\.\d+\.weight$/.test(name)).length;
  if (layers !== gatingHiddenLayers + 1) {
    throw badHeads(where, `a gate of ${gatingHiddenLayers} hidden layers and one more`, `${layers} layers`);
  }
  for (let i = 0; i < layers; i++) {
    const [inputs, outputs] = [i === 0 ? H : D, i === layers - 1 ? K : D];
    requireShape(tensors, layerName(i, "weight"), [outputs, inputs], where);
    requireShape(tensors, layerName(i, "bias"), [outputs], where);
  }
}

function requireShape(tensors: Shapes, name: string, shape: readonly number[], where: string): void {
  const tensor = tensors.get(name);
  if (!tensor) throw badHeads(where, `a tensor ${name} [${shape.join(", ")}]`, "none");
  if (tensor.shape.join() !== shape.join()) {
    throw badHeads(where, `${name} [${shape.join(", ")}]`, `[${tensor.shape.join(", ")}]`);
  }
}

function badHeads(where: string, expected: string, got: string): InputError {
  return new InputError(
    "bad-heads",
    `${where}: expected ${expected}, got ${got}`,
    "check that config.json and the tensors belong together",
  );
}

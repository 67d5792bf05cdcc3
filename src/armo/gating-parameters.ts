// The gate's parameters while they are trained: a linear layer after another, and one scale. H hidden size, K objectives.

import { type Tensor, toFloat64 } from "../checkpoint/dtypes.ts";
import type { Weights } from "../engine/optimizer.ts";
import type { Random } from "../random.ts";
import type { Gate } from "./heads.ts";

export type GatingPreset = "fitted" | "paper" | "reference";

/** Tensors by name: `layers.0.weight`, …, and `margin_scale` (`logit_scale` with the preset `reference`). */
export type InitialTensors = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

/** One array that training updates in place. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Weights;
}

export interface GateShape {
  /** H, the hidden layers' width once per hidden layer, K. */
  readonly widths: readonly number[];
  readonly preset: GatingPreset;
  readonly initialScale: number;
  readonly dtype: "f32" | "f64";
}

/** What the scale of a preset is called: β of the loss, or the factor on the gate's output. */
const SCALES = { fitted: "margin_scale", paper: "margin_scale", reference: "logit_scale" } as const;

/**
 * Creates the parameters: weight `[out, in]` and bias `[out]` of each layer, then the scale `[1]`.
 *
 * @param initial Tensors to start from. @param random Without them: uniform in ±1/√in, as PyTorch's `nn.Linear` starts.
 * @throws {TypeError} If one of the tensors is missing, unknown or of another shape.
 */
export function createParameters(
  { widths, preset, initialScale, dtype }: GateShape,
  initial: InitialTensors | undefined,
  random: Random,
): Parameter[] {
  const given = initial && withoutPrefix(initial);
  const zeros = (count: number) => (dtype === "f32" ? new Float32Array(count) : new Float64Array(count));
  const create = (name: string, shape: readonly number[], inputs: number): Parameter => {
    const data = zeros(shape.reduce((product, d) => product * d, 1));
    if (given) {
      const tensor = given.get(name);
      if (tensor?.shape.join() !== shape.join()) {
        throw new TypeError(
          `trainGating: initial ${name} must be [${shape.join(", ")}], got ${tensor ? `[${tensor.shape.join(", ")}]` : "none"}`,
        );
      }
      data.set(toFloat64(tensor));
    } else {
      const bound = 1 / Math.sqrt(inputs);
      for (let i = 0; i < data.length; i++) data[i] = (2 * random.uniform() - 1) * bound;
    }
    return { name, shape, data };
  };
  const parameters = widths.slice(1).flatMap((outputs, i) => {
    const inputs = widths[i]!;
    return [
      create(`layers.${i}.weight`, [outputs, inputs], inputs),
      create(`layers.${i}.bias`, [outputs], inputs),
    ];
  });
  parameters.push({ name: SCALES[preset], shape: [1], data: zeros(1).fill(initialScale) });
  for (const name of given?.keys() ?? []) {
    if (!parameters.some((parameter) => parameter.name === name)) {
      throw new TypeError(
        `trainGating: initial has no use for ${name} with ${widths.length - 1} layers, preset ${preset}`,
      );
    }
  }
  return parameters;
}

/** The size of the gate whose tensors these are. */
export function initialSize(initial: InitialTensors): { hiddenLayers: number; hiddenDim: number } {
  const tensors = withoutPrefix(initial);
  let layers = 0;
  while (tensors.has(`layers.${layers}.weight`)) layers++;
  const first = tensors.get("layers.0.weight");
  if (!first) throw new TypeError("trainGating: initial must hold layers.0.weight, got none");
  return { hiddenLayers: layers - 1, hiddenDim: first.shape[0] ?? 0 };
}

/** The preset's scale among the tensors, if it is there. */
export function initialScale(initial: InitialTensors | undefined, preset: GatingPreset): number | undefined {
  const tensor = initial && withoutPrefix(initial).get(SCALES[preset]);
  return tensor && toFloat64(tensor)[0];
}

/** The parameters as a gate, and β where the scale is one. */
export function toGate(
  parameters: readonly Parameter[],
  { preset, temperature }: { readonly preset: GatingPreset; readonly temperature: number },
): { gate: Gate; marginScale: number | null } {
  const scale = parameters.at(-1)!.data[0]!;
  const layers = [];
  for (let i = 0; i + 2 < parameters.length; i += 2) {
    const [weight, bias] = [parameters[i]!, parameters[i + 1]!];
    layers.push({
      weight: Float32Array.from(weight.data),
      bias: Float32Array.from(bias.data),
      inputs: weight.shape[1]!,
      outputs: weight.shape[0]!,
    });
  }
  const logitScale = preset === "reference" ? scale : 1;
  return { gate: { layers, temperature, logitScale }, marginScale: preset === "reference" ? null : scale };
}

function withoutPrefix(initial: InitialTensors): Map<string, Tensor> {
  const entries = initial instanceof Map ? [...initial] : Object.entries(initial);
  return new Map(entries.map(([name, tensor]) => [name.replace(/^gating\./, ""), tensor]));
}

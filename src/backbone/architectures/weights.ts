// Taking a family's tensors out of a checkpoint by name, and noticing those that nobody took.

import type { TensorRange } from "../../checkpoint/safetensors-header.ts";
import { InputError } from "../../errors.ts";
import type { Linear } from "../decoder.ts";
import { unsupported } from "./config-fields.ts";

const WRAPPER_PREFIX = "model.";
const FLOAT_DTYPES = ["F32", "F16", "BF16"];

export interface Weights {
  /** The tensor of that name (without the wrapper's `model.`), which must have that shape and a float dtype. */
  take(name: string, shape: readonly number[]): TensorRange;
  /** `name.weight [outputs, inputs]`, and `name.bias [outputs]` if wanted. */
  takeLinear(name: string, outputs: number, inputs: number, bias: boolean): Linear;
  /** Refuses backbone tensors that were not taken, `ignored` ones excepted: they would take part in the computation. */
  requireAllTaken(ignored: RegExp): void;
}

/**
 * The backbone's tensors of a checkpoint, with or without heads: causal, classification and reward models keep them
 * under `model.`, a bare model under no prefix.
 */
export function openWeights(tensors: ReadonlyMap<string, TensorRange>): Weights {
  const wrapped = [...tensors.keys()].some((name) => name.startsWith(WRAPPER_PREFIX));
  const prefix = wrapped ? WRAPPER_PREFIX : "";
  const taken = new Set<string>();

  const take = (name: string, shape: readonly number[]): TensorRange => {
    const range = tensors.get(prefix + name);
    if (range === undefined) {
      throw new InputError(
        "missing-tensor",
        `checkpoint: expected tensor ${prefix}${name}, got none`,
        "the checkpoint is incomplete, an adapter, or of another family: download all its files",
      );
    }
    if (range.shape.length !== shape.length || range.shape.some((size, axis) => size !== shape[axis])) {
      throw new InputError(
        "wrong-shape",
        `checkpoint: expected ${range.name} to be [${shape.join(", ")}], got [${range.shape.join(", ")}]`,
        "config.json and weights do not belong together: download the checkpoint again",
      );
    }
    if (!FLOAT_DTYPES.includes(range.dtype)) throw unsupported(`${range.name} stored as ${range.dtype}`);
    taken.add(range.name);
    return range;
  };

  return {
    take,
    takeLinear: (name, outputs, inputs, bias) => ({
      weight: take(`${name}.weight`, [outputs, inputs]),
      bias: bias ? take(`${name}.bias`, [outputs]) : null,
    }),
    requireAllTaken(ignored) {
      for (const name of tensors.keys()) {
        const ours = wrapped ? name.startsWith(WRAPPER_PREFIX) : name.startsWith("layers.");
        if (ours && !taken.has(name) && !ignored.test(name)) throw unsupported(`tensor ${name}`);
      }
    },
  };
}

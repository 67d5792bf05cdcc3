// Taking a family's tensors out of a checkpoint by name, and noticing those that nobody took.

import { isFloatDtype } from "../../checkpoint/dtypes.ts";
import type { TensorRange } from "../../checkpoint/safetensors-header.ts";
import { InputError } from "../../errors.ts";
import type { Linear } from "../decoder.ts";
import { unsupported } from "./config-fields.ts";

const WRAPPER_PREFIX = "model.";
// What training code has registered beside the parameters and older versions have saved: rotary tables, attention masks,
// position numbers. All of it follows from the configuration.
const BUFFERS =
  /(^|\.)(rotary_emb\.(inv_freq|original_inv_freq|cos_cached|sin_cached)|self_attn\.(bias|masked_bias)|position_ids|causal_mask|normalizer)$/;

export interface Weights {
  /** The tensor of that name (without the wrapper's `model.`), which must have that shape and a float dtype. */
  take(name: string, shape: readonly number[]): TensorRange;
  /** A tensor outside the backbone, by its full name. */
  takeUnwrapped(name: string, shape: readonly number[]): TensorRange;
  /** `name.weight [outputs, inputs]`, and `name.bias [outputs]` if wanted. */
  takeLinear(name: string, outputs: number, inputs: number, bias: boolean): Linear;
  /** One matrix `name.weight [Σ sizes, inputs]` as several, cut between rows: ranges of the same bytes. */
  takeRows(name: string, sizes: readonly number[], inputs: number): Linear[];
  /** Refuses backbone tensors that were not taken, stray buffers excepted: they would take part in the computation. */
  requireAllTaken(): void;
}

/**
 * The backbone's tensors of a checkpoint, with or without heads: causal, classification and reward models keep them
 * under `model.`, a bare model under no prefix.
 */
export function openWeights(tensors: ReadonlyMap<string, TensorRange>): Weights {
  const wrapped = [...tensors.keys()].some((name) => name.startsWith(WRAPPER_PREFIX));
  const prefix = wrapped ? WRAPPER_PREFIX : "";
  const taken = new Set<string>();

  const takeUnwrapped = (name: string, shape: readonly number[]): TensorRange => {
    const range = tensors.get(name);
    if (range === undefined) {
      throw new InputError(
        "missing-tensor",
        `checkpoint: expected tensor ${name}, got none`,
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
    if (!isFloatDtype(range.dtype)) throw unsupported(`${range.name} stored as ${range.dtype}`);
    taken.add(name);
    return range;
  };
  const take = (name: string, shape: readonly number[]) => takeUnwrapped(prefix + name, shape);

  return {
    take,
    takeUnwrapped,
    takeLinear: (name, outputs, inputs, bias) => ({
      weight: take(`${name}.weight`, [outputs, inputs]),
      bias: bias ? take(`${name}.bias`, [outputs]) : null,
    }),
    takeRows(name, sizes, inputs) {
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const whole = take(`${name}.weight`, [total, inputs]);
      let start = 0;
      return sizes.map((rows) => {
        const weight = rowsOf(whole, start, rows);
        start += rows;
        return { weight, bias: null };
      });
    },
    requireAllTaken() {
      for (const name of tensors.keys()) {
        const ours = wrapped ? name.startsWith(WRAPPER_PREFIX) : name.startsWith("layers.");
        if (!ours || taken.has(name) || BUFFERS.test(name)) continue;
        throw new InputError(
          "unexpected-tensor",
          `checkpoint: expected the tensors that config.json speaks of, got tensor ${name} besides`,
          "config.json and weights do not belong together, or the model is of another family than it says",
        );
      }
    },
  };
}

/** Rows `start … start + rows − 1` of a matrix, as a range of its bytes under a name of their own. */
function rowsOf(matrix: TensorRange, start: number, rows: number): TensorRange {
  const rowBytes = matrix.length / matrix.shape[0]!;
  return {
    ...matrix,
    name: `${matrix.name}[${start}:${start + rows}]`,
    shape: [rows, ...matrix.shape.slice(1)],
    offset: matrix.offset + start * rowBytes,
    length: rows * rowBytes,
  };
}

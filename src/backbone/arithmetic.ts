// Where and in which numbers a backbone computes.

import { chooseDevice, computesF16, type Device } from "../engine/devices.ts";
import { InputError } from "../errors.ts";
import { type Decoder, parameterCount } from "./decoder.ts";
import type { GraphOptions } from "./decoder-graph.ts";
import type { QuantizedDtype } from "./quantization/blocks.ts";

/**
 * Arithmetic of the linear layers. f32: as stored, widened. f16: matrix products and attention in f16, for GPUs; on the CPU it is
 * f32 arithmetic on values rounded to f16, no faster than f32. int8: weights in blocks of 128, about 2 % error in a hidden state.
 * int4: weights in blocks of 32, 0.6 times the memory of int8 and about six times its error (docs/experiments.md).
 */
export type BackboneDtype = "f32" | "f16" | QuantizedDtype;

export interface ArithmeticOptions {
  /**
   * Default: `auto`; on the CPU f32 below {@link AUTO_INT8_PARAMETERS} and int8 from there on, on a GPU f16, or f32 where it
   * has no f16.
   */
  readonly dtype?: "auto" | BackboneDtype;
  /** Default: `auto`, CUDA where it is installed and starts, else the CPU. WebGPU must be asked for. */
  readonly device?: "auto" | Device;
  /** Called with a line about what is unusual but no error. */
  readonly onNote?: (note: string) => void;
}

/** Parameters from which `auto` computes in int8 on the CPU: f32 would take 4 GB and half the speed. */
export const AUTO_INT8_PARAMETERS = 1e9;

const DTYPES: readonly unknown[] = ["auto", "f32", "f16", "int8", "int4"];

export interface Arithmetic {
  readonly device: Device;
  readonly dtype: BackboneDtype;
  readonly graph: Omit<GraphOptions, "quantized">;
}

/**
 * Decides for a decoder, and starts the device.
 *
 * @throws {InputError} `missing-device`, `unknown-device`; `unsupported-dtype`, also for f16 on a GPU without it.
 */
export async function chooseArithmetic(
  decoder: Decoder,
  { dtype = "auto", device: wanted = "auto", onNote }: ArithmeticOptions,
): Promise<Arithmetic> {
  if (!DTYPES.includes(dtype)) {
    throw new InputError(
      "unsupported-dtype",
      `openBackbone: expected dtype ${DTYPES.join(", ")}, got ${JSON.stringify(dtype)}`,
      "leave dtype out",
    );
  }
  const device = await chooseDevice(wanted, onNote);
  if (device === "cpu") {
    const large = parameterCount(decoder) >= AUTO_INT8_PARAMETERS;
    const chosen = dtype === "auto" ? (large ? "int8" : "f32") : dtype;
    return { device, dtype: chosen, graph: { compute: chosen === "f16" ? "f16" : "f32" } };
  }
  const half = await computesF16(device);
  if (dtype === "f16" && !half) {
    throw new InputError(
      "unsupported-dtype",
      `device ${device}: expected a GPU that computes in f16, got one that does not`,
      "use dtype f32, or leave dtype out",
    );
  }
  const chosen = dtype === "auto" ? (half ? "f16" : "f32") : dtype;
  const compute = half && chosen !== "f32" ? "f16" : "f32";
  // WebGPU's attention operator leaves score caps out, and CUDA's has no f32.
  const elementary = device === "webgpu" || compute === "f32";
  return {
    device,
    dtype: chosen,
    graph: { compute, attention: elementary ? "elementary" : "operator", widenEmbedding: !half },
  };
}

// Element types of safetensors: size, typed array, and their values as ordinary floats.
// F16 and BF16 have no typed array on Node 20, so their raw bits travel as Uint16Array; the 8-bit floats are opaque bytes.

const ELEMENTS = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
  F8_E8M0: Uint8Array,
  U16: Uint16Array,
  I16: Int16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  U32: Uint32Array,
  I32: Int32Array,
  F32: Float32Array,
  U64: BigUint64Array,
  I64: BigInt64Array,
  F64: Float64Array,
} as const;

export type SafetensorsDtype = keyof typeof ELEMENTS;

export type TensorData =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | BigUint64Array
  | BigInt64Array
  | Float64Array;

/** A dense tensor in memory, row-major. `data` holds raw bits for F16 and BF16 (`toFloat32` decodes them). */
export interface Tensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export function isSafetensorsDtype(name: unknown): name is SafetensorsDtype {
  return typeof name === "string" && Object.hasOwn(ELEMENTS, name);
}

/** The types that weights are stored in as they are; integers and 8-bit floats are codes that need scales. */
const FLOATS: readonly SafetensorsDtype[] = ["F32", "F16", "BF16", "F64"];

export const isFloatDtype = (dtype: SafetensorsDtype): boolean => FLOATS.includes(dtype);

/** Bytes per element. */
export function elementBytes(dtype: SafetensorsDtype): number {
  return ELEMENTS[dtype].BYTES_PER_ELEMENT;
}

/** The typed array class that holds elements of `dtype`. */
export function elementArray(dtype: SafetensorsDtype): (typeof ELEMENTS)[SafetensorsDtype] {
  return ELEMENTS[dtype];
}

/**
 * The tensor's values as float32, row-major.
 *
 * F32 comes back as the same array, not a copy. F16 and BF16 are exact; F64 and integers round to nearest; BOOL is 0 or 1.
 *
 * @throws {TypeError} For the 8-bit floats, which mean nothing without their scales.
 */
export function toFloat32(tensor: Tensor): Float32Array {
  if (tensor.dtype === "F32") return tensor.data as Float32Array;
  if (tensor.dtype === "BF16") return bf16ToFloat32(tensor.data as Uint16Array);
  if (tensor.dtype === "F16") return f16ToFloat32(tensor.data as Uint16Array);
  return Float32Array.from(numbers(tensor));
}

/** The tensor's values as float64, row-major: like `toFloat32`, and F64 comes back as the same array. */
export function toFloat64(tensor: Tensor): Float64Array {
  if (tensor.dtype === "F64") return tensor.data as Float64Array;
  if (tensor.dtype === "F16" || tensor.dtype === "BF16") return Float64Array.from(toFloat32(tensor));
  return Float64Array.from(numbers(tensor));
}

function numbers(tensor: Tensor): ArrayLike<number> {
  if (tensor.dtype.startsWith("F8_")) {
    throw new TypeError(
      `toFloat32: dtype must be a number type wider than 8-bit floats, got ${tensor.dtype}`,
    );
  }
  const { data } = tensor;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Array.from(data, Number);
  return data;
}

/** The nearest bfloat16 of each value, ties to even, as raw bits: what `toFloat32` decodes. NaN stays NaN. */
export function toBf16(values: Float32Array): Uint16Array {
  const wide = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const narrow = new Uint16Array(values.length);
  for (let i = 0; i < wide.length; i++) {
    const bits = wide[i]!;
    narrow[i] = Number.isNaN(values[i]) ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
  return narrow;
}

// bfloat16 is the upper half of a float32.
function bf16ToFloat32(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i]! << 16;
  return new Float32Array(wide.buffer);
}

let f16Values: Float32Array | undefined;

function f16ToFloat32(bits: Uint16Array): Float32Array {
  f16Values ??= Float32Array.from({ length: 65_536 }, (_, pattern) => f16Value(pattern));
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) values[i] = f16Values[bits[i]!]!;
  return values;
}

// 1 sign bit, 5 exponent bits with bias 15, 10 fraction bits.
function f16Value(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >> 10) & 0x1f;
  const fraction = pattern & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

import { parse } from "node:path";
import { PbfWriter } from "pbf";

/** Element types, named as in the literature; ONNX numbers are in `ELEMENT_TYPES`. */
export type DType = "f32" | "f64" | "f16" | "bf16" | "i64" | "i32" | "u8" | "bool";

/** A number, or the name of a dimension that is known when the graph runs: `"T"`, or a product such as `"B*S"`. */
export type Dim = number | string;

/** What a typed array becomes when it is a constant of a graph. */
export type ConstantData =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Uint8Array
  | Uint16Array;

/** An attribute that ONNX declares as float, also when its value is integral. */
export interface FloatAttribute {
  readonly float: number;
}
/** Attributes of a node: a plain number is an ONNX int, `float(x)` a float. */
export type Attribute = number | FloatAttribute | string | readonly number[];

/** Marks an attribute as float: `float(1)` and `1` are different attributes to ONNX. */
export const float = (value: number): FloatAttribute => ({ float: value });

/** A tensor inside a graph. Its dtype and shape are known while the graph is being written. */
export interface Value {
  readonly graph: Graph;
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

/** One operator application. `null` inputs are optional inputs left out. */
export interface Node {
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A range of bytes inside a file, used as the data of an initializer. */
export interface ByteRange {
  /** Absolute path without symbolic links. */
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

interface Initializer {
  readonly value: Value;
  readonly dims: readonly number[];
  readonly data: Uint8Array | ByteRange;
}

/** ONNX `TensorProto.DataType`. */
export const ELEMENT_TYPES: Readonly<Record<DType, number>> = {
  f32: 1,
  u8: 2,
  i32: 6,
  i64: 7,
  bool: 9,
  f16: 10,
  f64: 11,
  bf16: 16,
};

/** The domain of ONNX Runtime's own operators. */
export const CONTRIB = "com.microsoft";

const OPSET = 23;
const IR_VERSION = 10;
/** What ONNX Runtime has read since version 1.12, natively and in browsers. */
const PORTABLE_OPSET = 17;
const PORTABLE_IR_VERSION = 8;

/** How a graph is encoded. */
export interface EncodeOptions {
  /**
   * For files that leave this machine: opset 17 and IR version 8 instead of the newest. The graph must be made of operators that
   * are defined there as they are in opset 23 (linear algebra, elementwise, softmax, reductions), with no external data. Default
   * false.
   */
  readonly portable?: boolean;
  /** Entries of the model's `metadata_props`. Default: none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * An ONNX graph while it is being written.
 *
 * Every value carries its dtype and shape; the functions of `operators.ts` check them as nodes are added, so a wrong
 * graph fails where it is written and not when it runs. Weights are constants, or ranges of bytes in files that ONNX
 * Runtime maps (external data), which makes the encoded graph small whatever the size of the checkpoint.
 */
export class Graph {
  readonly nodes: Node[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: { readonly name: string; readonly value: Value }[] = [];
  #initializers: Initializer[] = [];
  #external = new Map<string, Value>();
  #names = new Set<string>();
  #count = 0;

  /** Declares an input of the graph. */
  input(name: string, dtype: DType, shape: readonly Dim[]): Value {
    const value = this.#value(dtype, shape, name);
    this.inputs.push(value);
    return value;
  }

  /** Names a value as an output of the graph. Only outputs asked for are computed by a session. */
  output(name: string, value: Value): void {
    this.#owns(value);
    this.outputs.push({ name, value });
  }

  /**
   * A constant.
   *
   * @param data Elements in row-major order; a `number[]` needs `dtype` f32, f64 or i64.
   * @param shape Its dimensions; their product is the number of elements.
   * @param dtype Default: that of the typed array (`Uint16Array` has none).
   * @throws {TypeError} `constant: expected 6 elements for [2, 3], got 5`
   */
  constant(data: ConstantData | readonly number[], shape: readonly number[], dtype?: DType): Value {
    const array = toTypedArray(data, dtype);
    const count = shape.reduce((product, d) => product * d, 1);
    if (array.length !== count) {
      throw new TypeError(`constant: expected ${count} elements for ${show(shape)}, got ${array.length}`);
    }
    const value = this.#value(dtype ?? dtypeOf(array), shape);
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    this.#initializers.push({ value, dims: shape, data: bytes });
    return value;
  }

  /**
   * The elements of a constant of integers, such as the axes of a reduction.
   *
   * @throws {TypeError} `integers: expected an i64 constant, got v3`
   */
  integers(value: Value): number[] {
    const constant = this.#initializers.find((initializer) => initializer.value === value);
    if (value.dtype !== "i64" || !(constant?.data instanceof Uint8Array)) {
      throw new TypeError(`integers: expected an i64 constant, got ${value.name}`);
    }
    const { buffer, byteOffset, byteLength } = constant.data;
    return Array.from(new BigInt64Array(buffer, byteOffset, byteLength / 8), Number);
  }

  /** A tensor that lies in a file. The same name gives the same value, so that tied weights are stored once. */
  external(name: string, dtype: DType, shape: readonly number[], range: ByteRange): Value {
    const known = this.#external.get(name);
    if (known) return known;
    const value = this.#value(dtype, shape, name);
    this.#initializers.push({ value, dims: shape, data: range });
    this.#external.set(name, value);
    return value;
  }

  /**
   * Adds one node with outputs of the given types. Prefer the checked functions of `operators.ts`.
   *
   * @throws {TypeError} If an input belongs to another graph.
   */
  node(
    opType: string,
    inputs: readonly (Value | null)[],
    outputs: readonly { readonly dtype: DType; readonly shape: readonly Dim[] }[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): Value[] {
    for (const input of inputs) if (input) this.#owns(input);
    const values = outputs.map(({ dtype, shape }) => this.#value(dtype, shape));
    this.nodes.push({ opType, domain, inputs, outputs: values, attributes });
    return values;
  }

  /**
   * The graph as the bytes of an ONNX model (opset 23, unless it is to be portable). Nodes that no output needs are left out.
   *
   * @throws {TypeError} `encode: a portable graph must be made of standard operators, got com.microsoft.MatMulNBits`
   */
  encode({ portable = false, metadata = {} }: EncodeOptions = {}): Uint8Array {
    const nodes = this.#needed();
    const own = nodes.find(({ domain }) => domain !== "");
    if (portable && own) {
      throw new TypeError(
        `encode: a portable graph must be made of standard operators, got ${own.domain}.${own.opType}`,
      );
    }
    const used = new Set(nodes.flatMap((node) => node.inputs));
    for (const { value } of this.outputs) used.add(value);
    const initializers = this.#initializers.filter(({ value }) => used.has(value));
    const inFile = initializers.find(({ data }) => !(data instanceof Uint8Array));
    if (portable && inFile) {
      throw new TypeError(`encode: a portable graph must hold its data, got ${inFile.value.name} in a file`);
    }
    const writer = new PbfWriter();
    writer.writeVarintField(1, portable ? PORTABLE_IR_VERSION : IR_VERSION);
    writer.writeStringField(2, "armorm");
    writer.writeMessage(
      7,
      (graph: null, w) => {
        void graph;
        for (const node of nodes) w.writeMessage(1, writeNode, node);
        for (const { name, value } of this.outputs) w.writeMessage(1, writeNode, alias(name, value));
        w.writeStringField(2, "armorm");
        for (const initializer of initializers) w.writeMessage(5, writeInitializer, initializer);
        for (const value of this.inputs) w.writeMessage(11, writeValueInfo, value);
        for (const { name, value } of this.outputs) w.writeMessage(12, writeValueInfo, { ...value, name });
      },
      null,
    );
    writer.writeMessage(8, writeOpset, { domain: "", version: portable ? PORTABLE_OPSET : OPSET });
    if (!portable) writer.writeMessage(8, writeOpset, { domain: CONTRIB, version: 1 });
    for (const entry of Object.entries(metadata)) writer.writeMessage(14, writeStringEntry, entry);
    return writer.finish();
  }

  #needed(): Node[] {
    const wanted = new Set<Value>(this.outputs.map(({ value }) => value));
    const kept: Node[] = [];
    for (const node of this.nodes.toReversed()) {
      if (!node.outputs.some((value) => wanted.has(value))) continue;
      kept.push(node);
      for (const input of node.inputs) if (input) wanted.add(input);
    }
    return kept.reverse();
  }

  #value(dtype: DType, shape: readonly Dim[], name = `v${this.#count++}`): Value {
    if (this.#names.has(name)) throw new TypeError(`graph: the name ${name} is already taken`);
    this.#names.add(name);
    return { graph: this, name, dtype, shape: [...shape] };
  }

  #owns(value: Value): void {
    if (value.graph !== this) throw new TypeError(`graph: value ${value.name} belongs to another graph`);
  }
}

/** `[2, T]`, for messages. */
export const show = (shape: readonly Dim[]): string => `[${shape.join(", ")}]`;

function toTypedArray(data: ConstantData | readonly number[], dtype: DType | undefined): ConstantData {
  if (ArrayBuffer.isView(data)) return data;
  if (dtype === "f32") return Float32Array.from(data);
  if (dtype === "f64") return Float64Array.from(data);
  if (dtype === "i64") return BigInt64Array.from(data, BigInt);
  throw new TypeError(`constant: an array of numbers needs dtype f32, f64 or i64, got ${dtype}`);
}

function dtypeOf(data: ConstantData): DType {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Float64Array) return "f64";
  if (data instanceof BigInt64Array) return "i64";
  if (data instanceof Int32Array) return "i32";
  if (data instanceof Uint8Array) return "u8";
  throw new TypeError("constant: a Uint16Array needs dtype f16 or bf16");
}

// An output has the name its reader asked for; Identity costs nothing, ONNX Runtime removes it.
const alias = (name: string, value: Value): Node => ({
  opType: "Identity",
  domain: "",
  inputs: [value],
  outputs: [{ ...value, name }],
  attributes: {},
});

// The field numbers below are those of onnx.proto (ONNX IR version 10).
function writeNode(node: Node, w: PbfWriter): void {
  for (const input of node.inputs) w.writeStringField(1, input?.name ?? "");
  for (const output of node.outputs) w.writeStringField(2, output.name);
  w.writeStringField(4, node.opType);
  for (const attribute of Object.entries(node.attributes)) w.writeMessage(5, writeAttribute, attribute);
  if (node.domain !== "") w.writeStringField(7, node.domain);
}

function writeAttribute([name, value]: [string, Attribute], w: PbfWriter): void {
  w.writeStringField(1, name);
  if (typeof value === "number") {
    w.writeVarintField(3, value);
    w.writeVarintField(20, 2);
  } else if (typeof value === "string") {
    w.writeStringField(4, value);
    w.writeVarintField(20, 3);
  } else if ("float" in value) {
    w.writeFloatField(2, value.float);
    w.writeVarintField(20, 1);
  } else {
    for (const item of value) w.writeVarintField(8, item);
    w.writeVarintField(20, 7);
  }
}

function writeInitializer({ value, dims, data }: Initializer, w: PbfWriter): void {
  for (const d of dims) w.writeVarintField(1, d);
  w.writeVarintField(2, ELEMENT_TYPES[value.dtype]);
  w.writeStringField(8, value.name);
  if (data instanceof Uint8Array) {
    w.writeBytesField(9, data);
    return;
  }
  // Sessions set the folder of external data to the root, so a location is a real path without its root.
  const location = data.file.slice(parse(data.file).root.length);
  for (const entry of Object.entries({ location, offset: data.offset, length: data.length })) {
    w.writeMessage(13, writeStringEntry, entry);
  }
  w.writeVarintField(14, 1);
}

function writeStringEntry([key, value]: [string, string | number], w: PbfWriter): void {
  w.writeStringField(1, key);
  w.writeStringField(2, String(value));
}

function writeValueInfo({ name, dtype, shape }: Pick<Value, "name" | "dtype" | "shape">, w: PbfWriter): void {
  w.writeStringField(1, name);
  w.writeMessage(2, writeTensorType, { dtype, shape });
}

function writeTensorType(type: Pick<Value, "dtype" | "shape">, w: PbfWriter): void {
  w.writeMessage(1, writeElementAndShape, type);
}

function writeElementAndShape({ dtype, shape }: Pick<Value, "dtype" | "shape">, w: PbfWriter): void {
  w.writeVarintField(1, ELEMENT_TYPES[dtype]);
  w.writeMessage(2, writeShape, shape);
}

function writeShape(shape: readonly Dim[], w: PbfWriter): void {
  for (const d of shape) w.writeMessage(1, writeDim, d);
}

function writeDim(d: Dim, w: PbfWriter): void {
  if (typeof d === "number") w.writeVarintField(1, d);
  else w.writeStringField(2, d);
}

function writeOpset({ domain, version }: { domain: string; version: number }, w: PbfWriter): void {
  w.writeStringField(1, domain);
  w.writeVarintField(2, version);
}

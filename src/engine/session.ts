import { parse } from "node:path";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { type Device, executionProviders, startDevice } from "./devices.ts";
import type { DType, Graph } from "./graph.ts";
import { ort } from "./runtime.ts";

/** The data of a tensor that goes into a graph or comes out of it. f16 and bf16 do not cross this border: cast inside. */
export type TensorData = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;

/** A tensor at the border of a graph: elements in row-major order and the shape they have in this run. */
export interface Feed {
  readonly data: TensorData;
  readonly shape: readonly number[];
}

export interface SessionOptions {
  /** Where the graph runs; nodes that the device has no kernel for run on the CPU. Default: `cpu`. */
  readonly device?: Device;
  /** Threads for one operator. Default: ONNX Runtime's choice, one per physical core. */
  readonly threads?: number;
  /** ONNX Runtime session configuration entries, e.g. `{ "session.disable_prepacking": "1" }`. */
  readonly config?: Readonly<Record<string, string>>;
}

/** A graph that ONNX Runtime has loaded. */
export interface Session {
  /**
   * Runs the graph. Blocks the event loop while it computes.
   *
   * @param feeds One tensor per graph input, checked against the dtype and rank that the graph declares.
   * @param into Buffers for outputs whose size the caller knows: they are written in place, and no memory is allocated.
   * @throws {TypeError} `run: input x must be f32 [B, 16], got f64 [8, 16]`
   */
  run(
    feeds: Readonly<Record<string, Feed>>,
    into?: Readonly<Record<string, Feed>>,
  ): Promise<Record<string, Feed>>;
  close(): Promise<void>;
}

const ORT_TYPES = {
  f32: "float32",
  f64: "float64",
  i64: "int64",
  i32: "int32",
  u8: "uint8",
  bool: "bool",
} as const;

/**
 * Loads a graph.
 *
 * @throws {InputError} `missing-device` where the device is not there or does not start.
 */
export async function openSession(graph: Graph, options: SessionOptions = {}): Promise<Session> {
  const { device = "cpu" } = options;
  await startDevice(device);
  const session = await ort.InferenceSession.create(graph.encode(), {
    executionProviders: executionProviders(device),
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
    logSeverityLevel: 4, // What is logged as an error is thrown, too.
    // With the root as the folder of external data, weights load from wherever a checkpoint lies: caches full of
    // symbolic links, read-only folders, several folders at once.
    extra: nestKeys({
      "session.model_external_initializers_file_folder_path": parse(process.cwd()).root,
      ...options.config,
    }),
  });
  const inputs = new Map(graph.inputs.map((value) => [value.name, value]));
  return {
    async run(feeds, into = {}) {
      const tensors: Record<string, Tensor> = {};
      for (const [name, value] of inputs) {
        const feed = feeds[name];
        if (!feed) throw new TypeError(`run: input ${name} is missing`);
        if (!matches(value.dtype, value.shape, feed)) {
          const got = `${dtypeOf(feed.data)} [${feed.shape.join(", ")}] of ${feed.data.length} elements`;
          throw new TypeError(
            `run: input ${name} must be ${value.dtype} [${value.shape.join(", ")}], got ${got}`,
          );
        }
        tensors[name] = toTensor(feed, value.dtype);
      }
      const fetches: Record<string, Tensor | null> = {};
      for (const { name, value } of graph.outputs) {
        const buffer = into[name];
        fetches[name] = buffer ? toTensor(buffer, value.dtype) : null;
      }
      const results = await session.run(tensors, fetches as InferenceSession.OnnxValueMapType);
      return Object.fromEntries(
        graph.outputs.map(({ name }) => {
          // A preallocated output is written in place, but the tensor returned for it is a copy: hand back the buffer.
          const buffer = into[name];
          if (buffer) return [name, buffer];
          const tensor = results[name] as Tensor;
          return [name, { data: tensor.data as TensorData, shape: tensor.dims }];
        }),
      );
    },
    async close() {
      await session.release();
    },
  };
}

function dtypeOf(data: TensorData): DType {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Float64Array) return "f64";
  if (data instanceof BigInt64Array) return "i64";
  return data instanceof Int32Array ? "i32" : "u8";
}

function matches(dtype: DType, shape: readonly (number | string)[], feed: Feed): boolean {
  const stored = dtype === "bool" ? "u8" : dtype;
  const count = feed.shape.reduce((product, d) => product * d, 1);
  return (
    dtypeOf(feed.data) === stored &&
    count === feed.data.length &&
    shape.length === feed.shape.length &&
    shape.every((d, axis) => typeof d === "string" || d === feed.shape[axis])
  );
}

function toTensor({ data, shape }: Feed, dtype: DType): Tensor {
  if (dtype === "f16" || dtype === "bf16") {
    throw new TypeError(`run: ${dtype} tensors stay inside the graph; add a cast to f32`);
  }
  return new ort.Tensor(ORT_TYPES[dtype], data as Float32Array, shape);
}

// The binding takes configuration entries as nested objects: { session: { key: "1" } } for "session.key".
function nestKeys(config: Readonly<Record<string, string>>): Record<string, Record<string, string>> {
  const nested: Record<string, Record<string, string>> = {};
  for (const [key, value] of Object.entries(config)) {
    const dot = key.indexOf(".");
    const group = key.slice(0, dot);
    nested[group] = { ...nested[group], [key.slice(dot + 1)]: value };
  }
  return nested;
}

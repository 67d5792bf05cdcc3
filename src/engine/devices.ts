// What graphs can run on, and how to add what is not there.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { InputError } from "../errors.ts";
import { Graph } from "./graph.ts";
import { add, cast } from "./operators.ts";
import { ort } from "./runtime.ts";

export const DEVICES = ["cpu", "cuda", "webgpu"] as const;
export type Device = (typeof DEVICES)[number];

/** The command that adds CUDA to onnxruntime-node; its install script takes the variable before `.npmrc`. */
export const ADD_CUDA = "ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node";

/** What brings a device that is installed to its feet. */
export const STARTING: Readonly<Record<Exclude<Device, "cpu">, string>> = {
  cuda: "CUDA needs NVIDIA's driver, CUDA 12 and cuDNN 9 where the linker finds them: apt-get install cuda-toolkit-12 cudnn9-cuda-12, from NVIDIA's repository",
  webgpu:
    "WebGPU needs a GPU's driver, on Linux for Vulkan: apt-get install libvulkan1 mesa-vulkan-drivers (AMD, Intel), or NVIDIA's",
};

/** In the order in which ONNX Runtime asks them: a node without a kernel on the device runs on the CPU. */
export const executionProviders = (device: Device): string[] =>
  device === "cpu" ? ["cpu"] : [device, "cpu"];

/** Whether onnxruntime-node has the device for this platform, be its files installed or not. */
export const isOffered = (device: Device): boolean => backendOf(device) !== undefined;

/** Whether the installed onnxruntime-node has the device's files. Nothing is started. */
export const isInstalled = (device: Device): boolean =>
  isOffered(device) && (backendOf(device)!.bundled || existsSync(cudaLibrary()));

const backendOf = (device: Device) => ort.listSupportedBackends().find(({ name }) => name === device);

/**
 * Starts a device by running a graph of one addition on it, once per process.
 *
 * @throws {InputError} `missing-device`, with what adds it.
 *
 * Cost: nothing on the CPU; up to seconds where a GPU's driver is loaded.
 */
export function startDevice(device: Device): Promise<void> {
  let start = started.get(device);
  if (start === undefined) {
    start = device === "cpu" ? Promise.resolve() : startGpu(device);
    started.set(device, start);
  }
  return start;
}

const started = new Map<Device, Promise<void>>();

/** Whether a device that has started computes in f16; some GPUs and software drivers do not. */
export async function computesF16(device: Device): Promise<boolean> {
  try {
    return await computesTwoPlusTwo(device, "f16");
  } catch {
    return false;
  }
}

/**
 * The device to compute on, started. `auto`: CUDA if it is installed and starts, else the CPU. WebGPU must be asked for.
 *
 * @param onNote Called with a line where CUDA is installed and does not start.
 * @throws {InputError} `missing-device` for a device that was asked for by name; `unknown-device`.
 */
export async function chooseDevice(
  device: "auto" | Device,
  onNote?: (note: string) => void,
): Promise<Device> {
  if (device !== "auto") {
    if (!DEVICES.includes(device)) {
      throw new InputError(
        "unknown-device",
        `device: expected auto, ${DEVICES.join(", ")}, got ${JSON.stringify(device)}`,
        "leave device out",
      );
    }
    await startDevice(device);
    return device;
  }
  if (!isInstalled("cuda")) return "cpu";
  try {
    await startDevice("cuda");
    return "cuda";
  } catch (error) {
    onNote?.(`${(error as Error).message}; computing on the CPU`);
    return "cpu";
  }
}

async function startGpu(device: Exclude<Device, "cpu">): Promise<void> {
  if (!isInstalled(device)) throw notInstalled(device);
  try {
    if (!(await computesTwoPlusTwo(device, "f32"))) throw new Error("2 + 2 is not 4 there");
  } catch (error) {
    throw new InputError(
      "missing-device",
      `device ${device}: expected it to start, got: ${reasonOf(error, device)}`,
      `${STARTING[device]}; or use --device cpu`,
    );
  }
}

async function computesTwoPlusTwo(device: Device, dtype: "f32" | "f16"): Promise<boolean> {
  const graph = new Graph();
  const x = cast(graph.input("x", "f32", [1]), dtype);
  graph.output("y", cast(add(x, x), "f32"));
  const session = await ort.InferenceSession.create(graph.encode(), {
    executionProviders: executionProviders(device),
    logSeverityLevel: 4,
  });
  try {
    const { y } = await session.run({ x: new ort.Tensor("float32", Float32Array.of(2), [1]) });
    return y!.data[0] === 4;
  } finally {
    await session.release();
  }
}

function notInstalled(device: Device): InputError {
  const offered = isOffered(device);
  const where = `${process.platform} ${process.arch}`;
  return new InputError(
    "missing-device",
    offered
      ? `device ${device}: expected its files in onnxruntime-node, got none`
      : `device ${device}: expected a platform that onnxruntime-node has it for, got ${where}`,
    offered ? `${ADD_CUDA}; ${STARTING.cuda}; or use --device cpu` : "use --device cpu",
  );
}

/** In one line why a device did not start. */
function reasonOf(error: unknown, device: Device): string {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
  if (device === "cuda" && line.includes("Failed to load shared library")) return missingLibrary() ?? line;
  // Source locations and conditions come before the sentence.
  return line.replace(/^.* was false\. /, "");
}

/** ONNX Runtime says that CUDA's library did not load, the dynamic linker says why. */
function missingLibrary(): string | null {
  try {
    process.dlopen({ exports: {} }, cudaLibrary());
  } catch (error) {
    const message = (error as Error).message;
    if (message.includes("cannot open shared object file")) return message.split("\n")[0]!;
  }
  return null;
}

function cudaLibrary(): string {
  const main = createRequire(import.meta.url).resolve("onnxruntime-node"); // dist/index.js
  const folder = join(dirname(main), "../bin/napi-v6", process.platform, process.arch);
  return join(folder, "libonnxruntime_providers_cuda.so");
}

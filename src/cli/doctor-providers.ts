import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Device } from "../engine/devices.ts";
import type { Check } from "./doctor-check.ts";

/** How a device answered. */
export type StartedDevice =
  | { readonly starts: true; readonly f16: boolean }
  | { readonly starts: false; readonly reason: string };

/** What the installed onnxruntime-node can compute on, whether it starts, and how to add the rest. */
export async function providersCheck(): Promise<Check> {
  const { ADD_CUDA, isInstalled, isOffered, STARTING } = await import("../engine/devices.ts");
  const nvidiaGpu = existsSync("/proc/driver/nvidia/gpus");
  const found: Record<string, StartedDevice | "not installed"> = { cpu: { starts: true, f16: false } };
  const messages = ["cpu"];
  const remedies: string[] = [];
  for (const device of ["cuda", "webgpu"] as const) {
    const state = isInstalled(device) ? await tryDevice(device) : "not installed";
    found[device] = state;
    if (state === "not installed") {
      messages.push(`${device} not installed`);
      if (device === "cuda" && isOffered(device)) remedies.push(`${ADD_CUDA} adds CUDA`);
    } else if (state.starts) {
      messages.push(`${device} starts, ${state.f16 ? "with" : "without"} f16`);
    } else {
      messages.push(`${device} does not start`);
      remedies.push(STARTING[device]);
    }
  }
  const works = (name: string) => {
    const state = found[name]!;
    return state !== "not installed" && state.starts;
  };
  const providers = Object.keys(found).filter(works);
  const used = works("cuda") ? "cuda" : "cpu";
  return {
    name: "providers",
    status: nvidiaGpu && used === "cpu" ? "warning" : "ok",
    message: `${messages.join("; ")}; --device auto computes on ${used}${nvidiaGpu && used === "cpu" ? " though an NVIDIA GPU is there" : ""}`,
    ...(remedies.length === 0 ? {} : { remedy: remedies.join("\n") }),
    figures: { providers, used, nvidiaGpu, devices: found },
  };
}

/** More than a driver takes; a device that hangs is of no use. */
const PATIENCE_MS = 30_000;

function tryDevice(device: Device): Promise<StartedDevice> {
  const extension = extname(import.meta.url);
  const child = fork(fileURLToPath(new URL(`./doctor-device${extension}`, import.meta.url)), [device], {
    execArgv: extension === ".ts" ? process.execArgv : [],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    timeout: PATIENCE_MS,
  });
  return new Promise((resolve) => {
    child.once("message", (answer: StartedDevice) => resolve(answer));
    child.once("error", ({ message }) => resolve({ starts: false, reason: message }));
    child.once("exit", (code, signal) => {
      resolve({ starts: false, reason: `its process ended with ${signal ?? `exit code ${code}`}` });
    });
  });
}

import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform, totalmem } from "node:os";
import { cacheCheck } from "./doctor-cache.ts";
import { type Check, gib } from "./doctor-check.ts";
import { embeddedBackboneCheck, onnxRuntimeCheck, tokenizerCheck } from "./doctor-engine.ts";
import { providersCheck } from "./doctor-providers.ts";
import { remoteCheck } from "./doctor-remote.ts";

/** A check that throws has failed, with the error as its message. */
type Run = () => Check | Promise<Check>;

const guarded =
  (name: string, remedy: string, run: Run): (() => Promise<Check>) =>
  async () => {
    try {
      return await run();
    } catch (error) {
      const message = error instanceof Error ? error.message.split("\n")[0]! : String(error);
      return { name, status: "failed", message, remedy, figures: {} };
    }
  };

const REINSTALL = "install armorm again (npm ci, or npm install armorm), for this platform and Node.js";

/** In the order in which one rests on another. */
export const CHECKS: readonly (() => Promise<Check>)[] = [
  guarded("node", REINSTALL, nodeCheck),
  guarded("machine", REINSTALL, machineCheck),
  guarded("onnxruntime", REINSTALL, onnxRuntimeCheck),
  guarded("tokenizer", REINSTALL, tokenizerCheck),
  guarded("backbone", REINSTALL, embeddedBackboneCheck),
  guarded("providers", REINSTALL, providersCheck),
  guarded("remote", REINSTALL, remoteCheck),
  guarded("cache", "set HF_HOME to a folder that can be written", cacheCheck),
];

function nodeCheck(): Check {
  const { engines } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const needed: string = engines.node; // ">=20.19"
  const number = (version: string) => version.split(".").map(Number);
  const [major = 0, minor = 0] = number(process.versions.node);
  const [leastMajor = 0, leastMinor = 0] = number(needed.replace(/^\D+/, ""));
  const enough = major > leastMajor || (major === leastMajor && minor >= leastMinor);
  const figures = { version: process.versions.node, needed };
  const message = `Node.js ${process.versions.node}, needed ${needed}`;
  if (enough) return { name: "node", status: "ok", message, figures };
  return { name: "node", status: "failed", message, remedy: "install a newer Node.js", figures };
}

const GIB = 2 ** 30;
/** Below this the embedded backbone and a small training run still fit, an 8 B model in no way. */
const LITTLE_MEMORY = 2 * GIB;

function machineCheck(): Check {
  // In a container the limit of its control group counts, where there is one.
  const limit = process.constrainedMemory?.() ?? 0;
  const memory = limit > 0 && limit < totalmem() ? limit : totalmem();
  const available = Math.min(process.availableMemory?.() ?? memory, memory);
  const threads = availableParallelism();
  const figures = {
    platform: platform(),
    arch: arch(),
    threads,
    memoryBytes: memory,
    availableBytes: available,
  };
  const model = cpus()[0]?.model.trim() ?? "";
  const message = `${platform()} ${arch()}, ${threads} threads${model ? ` (${model})` : ""}, ${gib(available)} of ${gib(memory)} memory free`;
  if (available >= LITTLE_MEMORY) return { name: "machine", status: "ok", message, figures };
  const remedy = "a backbone of n billion parameters takes 4n GB; smaller ones, or more memory, are needed";
  return { name: "machine", status: "warning", message, remedy, figures };
}

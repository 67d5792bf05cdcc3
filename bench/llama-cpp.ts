// Where llama.cpp comes from: no dependency of this package, but of this measurement.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const PACKAGE = "node-llama-cpp@3.22.1";

/** A folder with node-llama-cpp, installed into `temporary` when that was asked for; null where there is none. */
export function llamaCppFolder(temporary: string): string | null {
  const { ARMORM_BENCH_LLAMA_CPP: known } = process.env;
  if (known) return known;
  if (!process.argv.includes("--with-llama-cpp")) return null;
  // The registry's package carries binaries for the CPU; its install script would look for others, or build them.
  const flags = ["--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--no-save"];
  const binaries = `@node-llama-cpp/${{ darwin: "mac", win32: "win" }[process.platform as string] ?? process.platform}`;
  const platform = `${binaries}-${process.arch}@${PACKAGE.split("@")[1]}`;
  const { status, stderr } = spawnSync(
    "npm",
    ["install", "--prefix", temporary, ...flags, PACKAGE, platform],
    {
      encoding: "utf8",
    },
  );
  if (status === 0 && existsSync(join(temporary, "node_modules/node-llama-cpp"))) return temporary;
  console.error(stderr);
  return null;
}

// Where llama.cpp comes from: no dependency of this package, but of this measurement.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

const VERSION = "3.22.1";

/** Packages with the CPU's binaries, by platform and architecture. */
const BINARIES: Readonly<Record<string, string>> = {
  "linux-x64": "linux-x64",
  "linux-arm64": "linux-arm64",
  "darwin-x64": "mac-x64",
  "darwin-arm64": "mac-arm64-metal",
  "win32-x64": "win-x64",
};

/** A folder with node-llama-cpp, installed into `temporary` when that was asked for; null where there is none. */
export async function llamaCppFolder(temporary: string): Promise<string | null> {
  const { ARMORM_BENCH_LLAMA_CPP: known } = process.env;
  if (known) return known;
  const binaries = BINARIES[`${process.platform}-${process.arch}`];
  if (!process.argv.includes("--with-llama-cpp") || binaries === undefined) return null;
  await mkdir(temporary, { recursive: true });
  // Its optional packages hold 700 MB for other processors, and its install script would look for still others.
  const packages = [`node-llama-cpp@${VERSION}`, `@node-llama-cpp/${binaries}@${VERSION}`];
  const flags = ["--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"];
  const { status, stderr } = spawnSync("npm", ["install", "--prefix", temporary, ...flags, ...packages], {
    encoding: "utf8",
    timeout: 300_000,
  });
  if (status === 0 && existsSync(join(temporary, "node_modules/node-llama-cpp"))) return temporary;
  console.error(stderr);
  return null;
}

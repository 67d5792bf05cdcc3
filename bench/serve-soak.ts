// Whether the server's memory stays flat: minutes of load from 64 clients, with the memory of its processes every ten seconds.
//
//     npx tsx bench/serve-soak.ts [minutes]        default 5

import { readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { loadServer } from "./serve-load.ts";
import { startServer, trainDemoModel } from "./served-model.ts";
import { temporaryFolder } from "./temporary.ts";

const minutes = Number(process.argv[2] ?? 5);
if (!(minutes > 0)) throw new RangeError(`serve-soak: expected minutes above 0, got ${process.argv[2]}`);

using folder = await temporaryFolder();
await using server = await startServer(trainDemoModel(folder.path), []);
const load = loadServer(server.url, minutes * 60);
const start = performance.now();
const stop = new AbortController();
const watching = (async () => {
  while (!stop.signal.aborted) {
    const sizes = await memory(server.pid);
    const seconds = ((performance.now() - start) / 1000).toFixed(0).padStart(4);
    console.log(
      `${seconds} s  ${sizes.map(({ pid, bytes }) => `${pid} ${(bytes / 1e6).toFixed(0)} MB`).join("  ")}`,
    );
    await setTimeout(10_000, undefined, { signal: stop.signal }).catch(() => {});
  }
})();
const { requests, p99 } = await load.finally(() => stop.abort());
await watching;
console.log(`${requests} requests, none failed, p99 ${p99} ms`);

/** Resident memory of a process and its children. */
async function memory(pid: number): Promise<{ readonly pid: number; readonly bytes: number }[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const sizes = await Promise.all(
    pids.map(async (each) => {
      const status = await readFile(`/proc/${each}/status`, "utf8").catch(() => "");
      const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
      return each === pid || field("PPid") === pid ? [{ pid: each, bytes: field("VmRSS") * 1024 }] : [];
    }),
  );
  return sizes.flat();
}

// A start of the built package: the first hidden state of a checkpoint, by int8 weights from the cache or made for it.
//
//     node start-up-process.mjs CHECKPOINT
//
// Prints {"seconds", "peakBytes"}: since the process began, and the most memory it held (null where the system does not say).

import { readFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";

const { openBackbone } = await import(new URL("../dist/backbone/backbone.js", import.meta.url).href);
const backbone = await openBackbone(process.argv[2], { dtype: "int8" });
await backbone.hiddenStates([{ ids: [1, 2, 3, 4, 5, 6, 7, 8], positions: [7] }]);
const seconds = performance.now() / 1000; // Counted from the start of the process.
const status = await readFile("/proc/self/status", "utf8").catch(() => "");
const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
console.log(JSON.stringify({ seconds, peakBytes: peak === undefined ? null : 1024 * Number(peak) }));
await backbone.close();

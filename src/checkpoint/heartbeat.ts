// Files that are touched for as long as this process lives, also while native code blocks its event loop.

import { Worker } from "node:worker_threads";

/** Between two touches of a file. */
export const HEARTBEAT_MS = 10_000;

// As text: a worker in a file of its own would have to be found again as TypeScript and as JavaScript. A file that
// holds something else by now belongs to somebody else.
const SOURCE = `
const { readFileSync, utimesSync } = require("node:fs");
const { parentPort, workerData } = require("node:worker_threads");
const files = new Map();
parentPort.on("message", ({ path, text }) => void (text === null ? files.delete(path) : files.set(path, text)));
setInterval(() => {
  const now = new Date();
  for (const [path, text] of files) {
    try {
      if (readFileSync(path, "utf8") === text) utimesSync(path, now, now);
    } catch {}
  }
}, workerData);`;

let worker: Worker | null = null;

/**
 * Touches a file every ten seconds while it holds `text`.
 *
 * A thread does it: ONNX Runtime blocks the event loop for as long as a run takes, which may be minutes.
 *
 * @returns Ends it.
 */
export function startHeartbeat(path: string, text: string): () => void {
  if (worker === null) {
    const started = new Worker(SOURCE, { eval: true, workerData: HEARTBEAT_MS });
    started.on("error", () => {}); // without a heart the lock goes stale, which is what it is for
    started.unref();
    worker = started;
  }
  const beating = worker;
  beating.postMessage({ path, text });
  return () => beating.postMessage({ path, text: null });
}

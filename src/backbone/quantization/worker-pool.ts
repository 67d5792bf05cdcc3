// Tasks on several threads, in any order.

import { once } from "node:events";
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { InputError } from "../../errors.ts";
import { runTask, type Task } from "./tasks.ts";
import type { Answer } from "./worker.ts";

/** Below this, starting threads takes longer than they save. */
const SMALL_BYTES = 64 * 2 ** 20;
const MOST_WORKERS = 8;

export interface RunTasksOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each task. */
  readonly onDone?: (task: Task) => void;
}

/**
 * Does all tasks, on one thread per core where there is much to do, else on this one.
 *
 * @returns Results in the order of the tasks.
 * @throws What the first failing task throws; the others are not waited for.
 */
export async function runTasks(
  tasks: readonly Task[],
  bytes: number,
  { signal, onDone }: RunTasksOptions = {},
): Promise<string[]> {
  const results: string[] = new Array(tasks.length);
  let next = 0;
  const drain = async (run: (task: Task) => Promise<string> | string): Promise<void> => {
    while (next < tasks.length) {
      signal?.throwIfAborted();
      const index = next++;
      const task = tasks[index]!;
      results[index] = await run(task);
      onDone?.(task);
      await setImmediate();
    }
  };
  if (bytes < SMALL_BYTES || !canStartWorkers()) {
    await drain(runTask);
    return results;
  }
  const count = Math.min(MOST_WORKERS, availableParallelism(), tasks.length);
  const workers = Array.from({ length: count }, startWorker);
  try {
    await Promise.all(workers.map(({ ask }) => drain(ask)));
  } finally {
    await Promise.all(workers.map(({ end }) => end()));
  }
  return results;
}

const EXTENSION = extname(import.meta.url);
const WORKER = new URL(`./worker${EXTENSION}`, import.meta.url);

/** A worker cannot run sources in TypeScript. */
const canStartWorkers = (): boolean => EXTENSION === ".js";

function startWorker() {
  const worker = new Worker(WORKER);
  const failed = once(worker, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => {}); // It may fail while nothing is asked of it.
  return {
    end: () => worker.terminate(),
    async ask(task: Task): Promise<string> {
      worker.postMessage(task);
      const [answer] = (await Promise.race([once(worker, "message"), failed])) as [Answer];
      if ("result" in answer) return answer.result;
      const { message, code, remedy } = answer;
      if (remedy !== null) throw new InputError(code ?? "", message, remedy);
      throw Object.assign(new Error(message), code === undefined ? {} : { code });
    },
  };
}

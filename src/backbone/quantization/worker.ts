// The program of a worker thread that does tasks, one at a time (worker-pool.ts starts it). No native parts run here.

import { parentPort } from "node:worker_threads";
import { InputError } from "../../errors.ts";
import { runTask, type Task } from "./tasks.ts";

/** What a worker answers: a result, or an error as plain data. */
export type Answer =
  | { readonly result: string }
  | { readonly message: string; readonly code: string | undefined; readonly remedy: string | null };

parentPort?.on("message", (task: Task) => {
  parentPort?.postMessage(answer(task));
});

function answer(task: Task): Answer {
  try {
    return { result: runTask(task) };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { message, code, remedy: error instanceof InputError ? error.remedy : null };
  }
}

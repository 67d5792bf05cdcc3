// A reward model in a process of its own: ONNX Runtime blocks the event loop of the process in which it computes, and a
// worker thread that ends during a run takes the whole process with it.

import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readTrainingPrompts } from "../armo/training-prompts.ts";
import type { LocatedCheckpoint } from "../checkpoint/location.ts";
import type { Score } from "../reward-model.ts";
import type { LocalModelOptions, LocalRewardModel } from "../scoring/local-model.ts";
import {
  chunksOf,
  fromPlainError,
  type OpenedModel,
  type Ranked,
  type Reply,
  type Request,
  type Task,
} from "./model-messages.ts";

/**
 * `openRewardModel` with `isolate: true`: the same model, the same bits and the same errors, from a child process.
 *
 * An aborted call rejects at once; the child stops between two batches. When the child dies, calls reject, and the model
 * must be opened again. The child ends with `close`, or with this process, however that ends. A model that is idle
 * does not keep this process alive.
 *
 * Cost: a start of some 100 ms, and the memory of another Node process.
 */
export async function openIsolatedModel(
  { directory, name: location }: LocatedCheckpoint,
  { onQuantize: onProgress, onNote, signal, ...options }: LocalModelOptions,
): Promise<LocalRewardModel> {
  const remote = startModelProcess();
  try {
    const watch = { onProgress, onNote, signal };
    const { value } = await remote.call({ method: "open", location, options }, [], watch);
    const { objectives, marginScale, transform, knowsPrompts } = value as OpenedModel;
    const trainedOn = knowsPrompts ? (await readTrainingPrompts(directory)).trainedOn : null;
    return {
      objectives,
      marginScale,
      transform,
      trainedOn,
      async score(conversations, { signal, onProgress, ...options } = {}) {
        return (await remote.call({ method: "score", options }, conversations, { signal, onProgress }))
          .scores;
      },
      async scoreTokens(ids, { signal, onProgress, ...options } = {}) {
        return (await remote.call({ method: "scoreTokens", options }, ids, { signal, onProgress })).scores;
      },
      async compare(prompt, responses, { signal, onProgress, ...options } = {}) {
        const watch = { signal, onProgress };
        const { scores, value } = await remote.call({ method: "compare", prompt, options }, responses, watch);
        return { responses: scores, ...(value as Ranked) };
      },
      close: remote.close,
      [Symbol.asyncDispose]: remote.close,
    };
  } catch (error) {
    await remote.close();
    throw error;
  }
}

interface CallResult {
  readonly scores: Score[];
  readonly value: unknown;
}

interface ModelProcess {
  /** Runs a task in the child, on a list that is sent in chunks. */
  call(task: Task, items?: Iterable<unknown>, options?: CallOptions): Promise<CallResult>;
  close(): Promise<void>;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly onNote?: ((line: string) => void) | undefined;
}

interface PendingCall extends Omit<CallOptions, "signal"> {
  readonly scores: Score[];
  resolve(result: CallResult): void;
  reject(reason: unknown): void;
}

function startModelProcess(): ModelProcess {
  const child = forkModelProcess();
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const calls = new Map<number, PendingCall>();
  let lastCall = 0;
  let ended: Error | null = null;
  let closing = false;

  const end = (reason: Error) => {
    ended ??= reason;
    for (const { reject } of calls.values()) reject(ended);
  };
  child.on("error", end);
  child.once("exit", (code, signal) => {
    const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
    const why = signal === "SIGKILL" ? "the machine may be out of memory; " : "";
    end(new Error(`isolated model: the model's process ${how}; ${why}open the model again`));
  });

  // Resolves when the message has left. A child that cannot be reached is about to be reported by `exit`.
  const post = (request: Request) =>
    new Promise<void>((resolve) => {
      child.send(request, () => resolve());
    });

  child.on("message", (reply: Reply) => {
    const call = calls.get(reply.call);
    if (!call) return; // It was aborted here while the child was still at it.
    switch (reply.kind) {
      case "progress":
        try {
          call.onProgress?.(reply.done, reply.total);
        } catch (error) {
          call.reject(error);
        }
        break;
      case "note":
        call.onNote?.(reply.line);
        break;
      case "scores":
        call.scores.push(...reply.scores);
        void post({ kind: "next", call: reply.call });
        break;
      case "done":
        call.resolve({ scores: call.scores, value: reply.value });
        break;
      case "failed":
        call.reject(fromPlainError(reply.error));
    }
  });

  const sendCall = async (call: number, task: Task, items: Iterable<unknown>): Promise<void> => {
    for (const chunk of chunksOf(items)) {
      await post({ kind: "items", call, items: chunk });
      await setImmediate(); // Lets the caller's other work through between chunks.
      if (!calls.has(call)) return;
    }
    await post({ kind: "run", call, task });
  };

  return {
    async call(task, items = [], { signal, onProgress, onNote } = {}) {
      signal?.throwIfAborted();
      if (ended) throw ended;
      const call = ++lastCall;
      let abort = () => {};
      try {
        return await new Promise<CallResult>((resolve, reject) => {
          calls.set(call, { scores: [], onProgress, onNote, resolve, reject });
          keepAlive(child, true);
          abort = () => reject(signal?.reason);
          signal?.addEventListener("abort", abort);
          sendCall(call, task, items).catch(reject);
        });
      } catch (error) {
        void post({ kind: "abort", call });
        throw error;
      } finally {
        signal?.removeEventListener("abort", abort);
        calls.delete(call);
        if (calls.size === 0 && !closing) keepAlive(child, false);
      }
    },
    async close() {
      closing = true;
      end(new Error("isolated model: the model is closed"));
      child.ref();
      child.kill("SIGKILL"); // It owns nothing that would have to be put in order.
      if (child.pid !== undefined) await exited;
    },
  };
}

function forkModelProcess(): ChildProcess {
  const extension = extname(import.meta.url);
  return fork(fileURLToPath(new URL(`./model-process${extension}`, import.meta.url)), {
    // The flags of this process are not for the child, except for the loader that TypeScript sources need.
    execArgv: extension === ".ts" ? process.execArgv : [],
    // Weights come in gigabytes: with huge pages an 8 B model loads in a third of the time. Only glibc reads this, and only at
    // the start of a process.
    env: { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1", ...process.env },
    serialization: "advanced",
    // Standard output belongs to the caller's results.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
}

/** Whether this process waits for the child. */
function keepAlive(child: ChildProcess, alive: boolean): void {
  if (alive) {
    child.ref();
    child.channel?.ref();
  } else {
    child.unref();
    child.channel?.unref();
  }
}

// The side that calls: starts a process for what would block this one. ONNX Runtime blocks the event loop of the process in
// which it computes, and a worker thread that ends during a run takes the whole process with it.

import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chunksOf, fromPlainError, type Progress, type Reply, type Request } from "./messages.ts";

export interface CallResult {
  /** What the task sent in pieces, in order. */
  readonly results: unknown[];
  /** What it returned. */
  readonly value: unknown;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((...progress: Progress) => void) | undefined;
  readonly onNote?: ((line: string) => void) | undefined;
}

/** A process in which something is isolated. It does not keep this process alive while no call is pending. */
export interface IsolatedProcess<Task, Ended extends Error = Error> {
  /**
   * Runs a task in the child, on a list that is sent in chunks. Errors keep class, message, code and remedy. An aborted call
   * rejects at once; when the child dies, pending and later calls reject.
   */
  call(task: Task, items?: Iterable<unknown>, options?: CallOptions): Promise<CallResult>;
  /** Resolves when the child has ended, however it did, with what every later call rejects with. */
  readonly ended: Promise<Ended>;
  readonly pid: number | undefined;
  /** Ends the child, whatever it is at; may be repeated. */
  close(): Promise<void>;
}

/** What callers are told about a process that no longer answers. */
export interface IsolatedWords<Ended extends Error = Error> {
  readonly closed: () => Ended;
  /** @param how As in `was killed by SIGKILL`; why, where there is a guess. */
  readonly died: (how: string) => Ended;
}

interface PendingCall extends Omit<CallOptions, "signal"> {
  readonly results: unknown[];
  resolve(result: CallResult): void;
  reject(reason: unknown): void;
}

/**
 * Starts a program that speaks through `answerCalls`. It ends with `close`, or with this process, however that ends.
 *
 * @param program The module beside `from`, without its extension.
 * @param from The caller's `import.meta.url`.
 *
 * Cost: a start of some 100 ms, and the memory of another Node process.
 */
export function startIsolated<Task, Ended extends Error = Error>(
  program: string,
  from: string,
  words: IsolatedWords<Ended>,
): IsolatedProcess<Task, Ended> {
  const child = forkProgram(program, from);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const calls = new Map<number, PendingCall>();
  let lastCall = 0;
  let ended: Ended | null = null;
  let tellEnd: (reason: Ended) => void = () => {};
  const whenEnded = new Promise<Ended>((resolve) => {
    tellEnd = resolve;
  });
  let closing = false;

  const end = (reason: Ended) => {
    ended ??= reason;
    tellEnd(ended);
    for (const { reject } of calls.values()) reject(ended);
  };
  child.on("error", ({ message }) => end(words.died(`cannot be reached: ${message}`)));
  child.once("exit", (code, signal) => {
    const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
    end(words.died(signal === "SIGKILL" ? `${how}; the machine may be out of memory` : how));
  });

  // Resolves when the message has left. A child that cannot be reached is about to be reported by `exit`.
  const post = (request: Request<Task>) =>
    new Promise<void>((resolve) => {
      child.send(request, () => resolve());
    });

  child.on("message", (reply: Reply) => {
    const call = calls.get(reply.call);
    if (!call) return; // It was aborted here while the child was still at it.
    switch (reply.kind) {
      case "progress":
        try {
          call.onProgress?.(...reply.progress);
        } catch (error) {
          call.reject(error);
        }
        break;
      case "note":
        call.onNote?.(reply.line);
        break;
      case "results":
        call.results.push(...reply.results);
        void post({ kind: "next", call: reply.call });
        break;
      case "done":
        call.resolve({ results: call.results, value: reply.value });
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
          calls.set(call, { results: [], onProgress, onNote, resolve, reject });
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
    ended: whenEnded,
    pid: child.pid,
    async close() {
      closing = true;
      end(words.closed());
      child.ref();
      child.kill("SIGKILL"); // It owns nothing that would have to be put in order.
      if (child.pid !== undefined) await exited;
    },
  };
}

function forkProgram(program: string, from: string): ChildProcess {
  const extension = extname(from);
  return fork(fileURLToPath(new URL(`./${program}${extension}`, from)), {
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

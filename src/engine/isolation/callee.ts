// The side that is called: the child process that `startIsolated` has started.

import { chunksOf, type Progress, type Reply, type Request, toPlainError } from "./messages.ts";

/** What a task knows of its call. */
export interface Call {
  /** Its list, whole. */
  readonly items: readonly unknown[];
  readonly signal: AbortSignal;
  onProgress(...progress: Progress): void;
  onNote(line: string): void;
  /** Sends results one chunk at a time, each when the caller has read the one before. */
  sendResults(results: readonly unknown[]): Promise<void>;
}

interface RunningCall {
  readonly items: unknown[];
  readonly controller: AbortController;
  /** Goes on with the next chunk of results. */
  next: () => void;
}

/** Answers calls for as long as the caller is there. Calls overlap: a task that must not takes turns itself. */
export function answerCalls<Task>(run: (task: Task, call: Call) => Promise<unknown>): void {
  const calls = new Map<number, RunningCall>();
  // The caller may be gone before `disconnect` is heard: then nobody waits for the message.
  const reply = (message: Reply) => void process.send?.(message, () => {});

  const answer = async (id: number, task: Task, running: RunningCall): Promise<void> => {
    try {
      reply({ kind: "done", call: id, value: await run(task, callOf(id, running)) });
    } catch (error) {
      reply({ kind: "failed", call: id, error: toPlainError(error) });
    } finally {
      calls.delete(id);
    }
  };

  const callOf = (id: number, running: RunningCall): Call => ({
    items: running.items,
    signal: running.controller.signal,
    onProgress: (...progress) => reply({ kind: "progress", call: id, progress }),
    onNote: (line) => reply({ kind: "note", call: id, line }),
    async sendResults(results) {
      for (const chunk of chunksOf(results)) {
        running.controller.signal.throwIfAborted();
        const read = new Promise<void>((resolve) => {
          running.next = resolve;
        });
        reply({ kind: "results", call: id, results: chunk });
        await read;
      }
    },
  });

  process.on("message", (request: Request<Task>) => {
    const known = calls.get(request.call);
    const call = known ?? { items: [], controller: new AbortController(), next: () => {} };
    switch (request.kind) {
      case "items":
        calls.set(request.call, call);
        call.items.push(...request.items);
        break;
      case "run":
        calls.set(request.call, call);
        void answer(request.call, request.task, call);
        break;
      case "next":
        call.next();
        break;
      case "abort":
        calls.delete(request.call);
        call.controller.abort();
        call.next();
    }
  });
  // The caller has closed this process or is gone: nobody waits for the rest.
  process.on("disconnect", () => process.exit());
  // Ctrl-C reaches every process of a terminal, and service managers end whole groups of processes; what becomes of this one is
  // for the caller to decide.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
}

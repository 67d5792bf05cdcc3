// The program of the child process in which an isolated model lives (isolated-model.ts starts it and speaks with it).

import type { Message } from "../chat/messages.ts";
import type { Score, ScoreOptions } from "../reward-model.ts";
import type { LocalRewardModel } from "../scoring/local-model.ts";
import {
  type OpenedModel,
  type Ranked,
  type Reply,
  type Request,
  type Task,
  toPlainError,
} from "./model-messages.ts";
import { openRewardModel } from "./open-reward-model.ts";

interface RunningCall {
  readonly items: unknown[];
  readonly controller: AbortController;
  /** Goes on with the next chunk of scores. */
  next: () => void;
}

const SCORES_PER_MESSAGE = 32;

const calls = new Map<number, RunningCall>();
let model: LocalRewardModel | undefined;

process.on("message", (request: Request) => {
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
// The parent has closed the model or is gone: nobody waits for the rest.
process.on("disconnect", () => process.exit());
// Ctrl-C reaches every process of a terminal; what becomes of the model is for the parent to decide.
process.on("SIGINT", () => {});

async function answer(id: number, task: Task, call: RunningCall): Promise<void> {
  try {
    reply({ kind: "done", call: id, value: await run(id, task, call) });
  } catch (error) {
    reply({ kind: "failed", call: id, error: toPlainError(error) });
  } finally {
    calls.delete(id);
  }
}

async function run(id: number, task: Task, call: RunningCall): Promise<OpenedModel | Ranked | undefined> {
  if (task.method === "open") {
    model = await openRewardModel(task.location, {
      ...task.options,
      signal: call.controller.signal,
      onQuantize: (done, total) => reply({ kind: "progress", call: id, done, total }),
      onNote: (line) => reply({ kind: "note", call: id, line }),
    });
    const { objectives, marginScale, transform, trainedOn } = model;
    return { objectives, marginScale, transform, knowsPrompts: trainedOn !== null };
  }
  if (!model) throw new Error("isolated model: the model is not open");
  const options: ScoreOptions = {
    ...task.options,
    signal: call.controller.signal,
    onProgress: (done, total) => reply({ kind: "progress", call: id, done, total }),
  };
  switch (task.method) {
    case "score":
      await sendScores(id, call, await model.score(call.items as Message[][], options));
      return undefined;
    case "scoreTokens":
      await sendScores(id, call, await model.scoreTokens(call.items as number[][], options));
      return undefined;
    case "compare": {
      const { responses, ...ranked } = await model.compare(task.prompt, call.items as string[], options);
      await sendScores(id, call, responses);
      return ranked;
    }
  }
}

/** Sends scores one chunk at a time, each when the parent has read the one before. */
async function sendScores(id: number, call: RunningCall, scores: readonly Score[]): Promise<void> {
  for (let from = 0; from < scores.length; from += SCORES_PER_MESSAGE) {
    call.controller.signal.throwIfAborted();
    const read = new Promise<void>((resolve) => {
      call.next = resolve;
    });
    reply({ kind: "scores", call: id, scores: scores.slice(from, from + SCORES_PER_MESSAGE) });
    await read;
  }
}

function reply(message: Reply): void {
  process.send?.(message);
}

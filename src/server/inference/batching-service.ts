// Requests → queue → batches → processes → scores: the service behind the routes.

import type { Scorable } from "../../chat/messages.ts";
import { InputError } from "../../errors.ts";
import type { Score, Steering } from "../../reward-model.ts";
import { resolveSteering, steerScore } from "../../scoring/steering.ts";
import type { Watchers } from "../call.ts";
import { Unavailable } from "../errors.ts";
import type { ScoringService, ServedModel } from "../service.ts";
import { computeItems } from "./batch.ts";
import { startPace } from "./pace.ts";
import { createQueue, type Item, type Job } from "./queue.ts";
import { type MortalModel, startWorker, type Worker } from "./worker.ts";

export interface BatchingOptions {
  /** Processes that compute side by side, each with the model in its memory. At least 1. */
  readonly workers: number;
  /** Conversations that may wait; more are refused. */
  readonly maxQueue: number;
  /** Tokens that are computed together, about. A longer conversation is computed alone. */
  readonly maxBatchTokens: number;
  /** How long a process without work waits for more than the first request. While it computes, requests gather anyway. */
  readonly maxWaitMs: number;
}

export interface BatchingService extends ScoringService, AsyncDisposable {
  /** Takes nothing more, finishes what waits, for at most so long, and ends the processes. What is left is refused. */
  close(drainSeconds?: number): Promise<void>;
}

/** `setTimeout` takes nothing longer, and calls back at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** A process that dies over a conversation twice is not given it a third time. */
const MOST_DEATHS = 2;

/**
 * A service over processes with one model.
 *
 * @param first The model, opened: it becomes the first process.
 * @param open Opens it again, for the other processes and for those that die.
 */
export function startBatching(
  first: MortalModel,
  open: (signal: AbortSignal) => Promise<MortalModel>,
  about: ServedModel,
  { workers: count, maxQueue, maxBatchTokens, maxWaitMs }: BatchingOptions,
  { log, metrics }: Watchers,
): BatchingService {
  const pace = startPace(count);
  const queue = createQueue(maxQueue, () => pace.estimateSeconds(queue.tokens));
  /** Jobs that are not answered, those that compute included. */
  const jobs = new Set<Job>();
  const batches = new Set<{ readonly items: readonly Item[]; readonly controller: AbortController }>();
  let wake: (() => void)[] = [];
  let draining = false;
  let drained = () => {};
  /** The processes whose last start failed. Where there is another, it computes or is being started. */
  const failed = new Set<number>();

  const wakeAll = () => {
    const waiting = wake;
    wake = [];
    for (const go of waiting) go();
  };

  const settle = (job: Job, end: () => void) => {
    if (job.settled) return;
    job.settled = true;
    jobs.delete(job);
    queue.drop(job);
    end();
    // A batch for which nobody waits any more is not worth its time.
    for (const { items, controller } of batches)
      if (items.every((item) => item.job.settled)) controller.abort();
    if (jobs.size === 0) drained();
  };

  const put = ({ job, index }: Item, outcome: Score | Error) => {
    if (job.settled) return;
    if (outcome instanceof Error && !(outcome instanceof InputError)) {
      settle(job, () => job.reject(outcome));
      return;
    }
    job.results[index] = outcome instanceof Error ? outcome : { ...outcome, index };
    if (--job.left === 0) settle(job, () => job.resolve(job.results));
  };

  /** What a process is to compute next; nothing once it is to stop. */
  const nextBatch = async (signal: AbortSignal): Promise<readonly Item[]> => {
    while (!signal.aborted) {
      if (queue.size === 0) await arrival();
      else {
        if (maxWaitMs > 0) await gather(signal);
        const items = queue.take(maxBatchTokens);
        if (items.length > 0) return items;
      }
    }
    return [];
  };

  /** Something happened: a request came, a process ended, time is up. */
  const arrival = () => new Promise<void>((resolve) => wake.push(resolve));

  /** Waits for a full batch, or as long as the first request of it may be kept waiting. */
  const gather = async (signal: AbortSignal) => {
    const until = Math.min(...queue.jobs().map((job) => arrivals.get(job) ?? 0)) + maxWaitMs;
    while (!signal.aborted && queue.size > 0 && queue.tokens < maxBatchTokens) {
      const left = until - performance.now();
      if (left <= 0) return;
      const timeout = setTimeout(wakeAll, Math.min(left, LONGEST_TIMEOUT_MS));
      await arrival();
      clearTimeout(timeout);
    }
  };
  const arrivals = new WeakMap<Job, number>();

  const compute = async (model: MortalModel, items: readonly Item[]): Promise<boolean> => {
    const controller = new AbortController();
    const batch = { items, controller };
    batches.add(batch);
    const started = performance.now();
    try {
      const outcomes = await computeItems(model, items, { signal: controller.signal });
      const seconds = (performance.now() - started) / 1000;
      const scores = outcomes.flatMap((outcome, index) =>
        outcome instanceof Error ? [] : [{ ...outcome, index }],
      );
      const tokens = scores.reduce((sum, score) => sum + score.tokens, 0);
      metrics.computed(scores.length, tokens, seconds);
      pace.learn(
        items.map(({ conversation }) => conversation),
        scores,
        seconds,
      );
      for (const [i, outcome] of outcomes.entries()) put(items[i]!, outcome);
      return true;
    } catch {
      // Nobody waits for it any more, or the process is gone.
      if (!controller.signal.aborted) retry(items);
      return controller.signal.aborted;
    } finally {
      batches.delete(batch);
    }
  };

  const retry = (items: readonly Item[]) => {
    const again = items.filter((item) => !item.job.settled);
    for (const item of again) item.deaths++;
    for (const item of again)
      if (item.deaths >= MOST_DEATHS) settle(item.job, () => item.job.reject(crashed()));
    queue.putBack(again.filter((item) => !item.job.settled));
    wakeAll();
  };

  const processes: Worker[] = [];
  const serve = (number: number) => async (model: MortalModel, signal: AbortSignal) => {
    failed.delete(number);
    signal.addEventListener("abort", wakeAll, { once: true });
    while (!signal.aborted) {
      const items = await nextBatch(signal);
      if (items.length === 0 || !(await compute(model, items))) return;
      processes[number]?.prove();
    }
  };
  for (let number = 0; number < count; number++) {
    const hooks = {
      serve: serve(number),
      onDeath: ({ message }: Error) => {
        metrics.restarted();
        log.warn({ worker: number, reason: message }, "a process died and is started again");
      },
      onFailure: (reason: Error, seconds: number) => {
        log.error({ worker: number, reason: reason.message, seconds }, "a process could not be started");
        failed.add(number);
        if (failed.size < count) return;
        for (const job of jobs) settle(job, () => job.reject(unavailable()));
      },
    };
    processes.push(startWorker(open, hooks, number === 0 ? first : undefined));
  }

  const scoreUnsteered = (
    conversations: readonly Scorable[],
    trace: Job["trace"],
    signal: AbortSignal | undefined,
  ) =>
    new Promise<readonly (Score | InputError)[]>((resolve, reject) => {
      const items: Item[] = [];
      const job: Job = {
        trace,
        items,
        results: [],
        left: conversations.length,
        settled: false,
        resolve,
        reject,
      };
      for (const [index, conversation] of conversations.entries()) {
        items.push({ job, index, conversation, tokens: pace.estimateTokens(conversation), deaths: 0 });
      }
      queue.add(job);
      jobs.add(job);
      arrivals.set(job, performance.now());
      signal?.addEventListener("abort", () => settle(job, () => reject(signal.reason)), { once: true });
      wakeAll();
    });

  return {
    model: about,
    async score(conversations, { signal, trace = null, steering } = {}) {
      signal?.throwIfAborted();
      if (draining)
        throw new Unavailable("shutting-down", "server: expected one that goes on, got one that stops");
      if (failed.size === count) throw unavailable();
      if (steering) resolveSteering(steering, about.objectives, about.model);
      if (conversations.length === 0) return [];
      const scored = await scoreUnsteered(conversations, trace, signal);
      return steering ? scored.map((result) => steer(result, steering, about)) : scored;
    },
    health: () => ({
      workers: count,
      pids: processes.flatMap(({ pid }) => (pid === undefined ? [] : [pid])),
      ready: processes.filter((worker) => worker.ready).length,
      draining,
      queued: queue.size,
    }),
    close,
    [Symbol.asyncDispose]: close,
  };

  async function close(drainSeconds = 0): Promise<void> {
    draining = true;
    if (jobs.size > 0 && drainSeconds > 0) {
      await new Promise<void>((resolve) => {
        const timeout = setTimeout(resolve, Math.min(drainSeconds * 1000, LONGEST_TIMEOUT_MS));
        drained = () => {
          clearTimeout(timeout);
          resolve();
        };
      });
    }
    const message = "server: expected time to finish, got none";
    for (const job of jobs) settle(job, () => job.reject(new Unavailable("shutting-down", message)));
    await Promise.all(processes.map((worker) => worker.close()));
  }
}

/** Steering changes no rewards: it is applied here, so that requests with other mixtures share batches. */
function steer(result: Score | InputError, steering: Steering, model: ServedModel): Score | InputError {
  if (result instanceof InputError) return result;
  try {
    return steerScore(result, steering, model);
  } catch (error) {
    if (error instanceof InputError) return error; // Its numbers overflow, with this conversation's.
    throw error;
  }
}

const unavailable = () =>
  new Unavailable("model-unavailable", "model: expected a process that computes, got none that starts");

const crashed = () =>
  new Unavailable(
    "model-crashed",
    "model: expected a score, got a process that died over this request twice",
  );

// What waits to be computed: requests take turns, batches are cut by tokens, a client that leaves gives back its places.

import type { Scorable } from "../../chat/messages.ts";
import type { InputError } from "../../errors.ts";
import type { Score, TraceUnit } from "../../reward-model.ts";
import { QueueFull } from "../errors.ts";

/** A request's conversations. */
export interface Job {
  /** What else the model is asked for; only conversations that agree in it are computed together. */
  readonly trace: TraceUnit | null;
  readonly items: readonly Item[];
  readonly results: (Score | InputError)[];
  /** Items without a result. */
  left: number;
  /** Whether anybody still waits for it. */
  settled: boolean;
  resolve(results: readonly (Score | InputError)[]): void;
  reject(reason: unknown): void;
}

export interface Item {
  readonly job: Job;
  readonly index: number;
  readonly conversation: Scorable;
  /** As far as can be said before it is tokenized. */
  readonly tokens: number;
  /** How often a process has died over it. */
  deaths: number;
}

export interface Queue {
  /** Conversations that wait. */
  readonly size: number;
  /** Their tokens, as far as can be said. */
  readonly tokens: number;
  /** @throws {QueueFull} */
  add(job: Job): void;
  /** Items whose process has died come first, and each by itself: whichever killed it takes no other along again. */
  putBack(items: readonly Item[]): void;
  /** The next batch, or an empty one when nothing waits. */
  take(maxTokens: number): readonly Item[];
  /** Forgets what waits of a job. */
  drop(job: Job): void;
  /** All jobs that wait. */
  jobs(): readonly Job[];
}

/** @param retrySeconds When there should be room again. */
export function createQueue(maxItems: number, retrySeconds: () => number): Queue {
  // The items of each job that still wait, in the order of their turns.
  let turns: { readonly job: Job; readonly waiting: Item[] }[] = [];
  let retries: Item[] = [];
  let size = 0;
  let tokens = 0;

  const count = (items: readonly Item[], sign: 1 | -1) => {
    size += sign * items.length;
    for (const item of items) tokens += sign * item.tokens;
  };

  return {
    get size() {
      return size;
    },
    get tokens() {
      return tokens;
    },
    add(job) {
      const wanted = job.items.length;
      if (size + wanted > maxItems) {
        const message = `queue: expected room for ${wanted} conversations, got ${maxItems - size} of ${maxItems} places`;
        throw new QueueFull(message, retrySeconds());
      }
      turns.push({ job, waiting: [...job.items] });
      count(job.items, 1);
    },
    putBack(items) {
      retries.push(...items);
      count(items, 1);
    },
    take(maxTokens) {
      const retry = retries.shift();
      if (retry) {
        count([retry], -1);
        return [retry];
      }
      const trace = turns[0]?.job.trace;
      const batch: Item[] = [];
      let room = maxTokens;
      const later: typeof turns = [];
      for (const turn of turns) {
        const { job, waiting } = turn;
        let taken = 0;
        // At least one, however long; from then on what fits.
        while (
          taken < waiting.length &&
          job.trace === trace &&
          (batch.length === 0 || waiting[taken]!.tokens <= room)
        ) {
          room -= waiting[taken]!.tokens;
          batch.push(waiting[taken]!);
          taken++;
        }
        waiting.splice(0, taken);
        if (waiting.length > 0) later.push(turn);
      }
      // Whoever had a turn goes behind those that had none: a request of many does not hold up one of few.
      const served = new Set(batch.map((item) => item.job));
      turns = [
        ...later.filter((turn) => !served.has(turn.job)),
        ...later.filter((turn) => served.has(turn.job)),
      ];
      count(batch, -1);
      return batch;
    },
    drop(job) {
      const waiting = [
        ...turns.filter((turn) => turn.job === job).flatMap((turn) => turn.waiting),
        ...retries.filter((item) => item.job === job),
      ];
      count(waiting, -1);
      turns = turns.filter((turn) => turn.job !== job);
      retries = retries.filter((item) => item.job !== job);
    },
    jobs: () => [...new Set([...turns.map((turn) => turn.job), ...retries.map((item) => item.job)])],
  };
}

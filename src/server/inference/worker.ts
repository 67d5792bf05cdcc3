// One process with the model in it, started again whenever it dies.

import { setTimeout as sleep } from "node:timers/promises";
import type { ModelProcessEnded } from "../../opening/isolated-model.ts";
import type { RewardModel } from "../../reward-model.ts";

/** A model that may die, as one in a process of its own can. */
export interface MortalModel extends RewardModel {
  /** Of the process in which it lives, if that is not this one. */
  readonly pid?: number | undefined;
  /** Resolves when it has died; never for a model that shares this process. */
  readonly ended?: Promise<ModelProcessEnded>;
}

export interface WorkerHooks {
  /** Computes on the model until it dies or the signal says that it has, or that the server stops. */
  serve(model: MortalModel, signal: AbortSignal): Promise<void>;
  onDeath(reason: Error): void;
  /** It could not be started. @param seconds Until the next try. */
  onFailure(reason: Error, seconds: number): void;
}

export interface Worker {
  readonly ready: boolean;
  readonly pid: number | undefined;
  /** A batch was computed: the process is sound, and its next death is not the last one's fault. */
  prove(): void;
  /** Ends the process and starts no other. */
  close(): Promise<void>;
}

const FIRST_PAUSE_SECONDS = 0.25;
const LONGEST_PAUSE_SECONDS = 30;

/**
 * Keeps a process alive. The first death is answered at once; one that follows without a batch between, or a start that
 * fails, after a pause that doubles each time, up to 30 s.
 *
 * @param first A model that was opened already, if there is one.
 */
export function startWorker(
  open: (signal: AbortSignal) => Promise<MortalModel>,
  hooks: WorkerHooks,
  first?: MortalModel,
): Worker {
  const stop = new AbortController();
  let model: MortalModel | undefined;
  let failures = 0;

  const pause = async (report: (seconds: number) => void) => {
    const seconds =
      failures === 0 ? 0 : Math.min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (failures - 1));
    failures++;
    report(seconds);
    await sleep(seconds * 1000, undefined, { signal: stop.signal }).catch(() => {}); // or until the server stops
  };

  const live = async () => {
    let opened = first;
    while (!stop.signal.aborted) {
      try {
        model = opened ?? (await open(stop.signal));
      } catch (error) {
        if (stop.signal.aborted) return;
        failures = Math.max(1, failures);
        await pause((seconds) => hooks.onFailure(error as Error, seconds));
        continue;
      }
      opened = undefined;
      const died = new AbortController();
      model.ended?.then((reason) => died.abort(reason));
      await hooks.serve(model, AbortSignal.any([stop.signal, died.signal]));
      const dead = model;
      model = undefined;
      await dead.close();
      if (stop.signal.aborted) return;
      await pause(() => hooks.onDeath(died.signal.reason ?? new Error("the process ended")));
    }
  };
  const life = live();

  return {
    get ready() {
      return model !== undefined;
    },
    get pid() {
      return model?.pid;
    },
    prove() {
      failures = 0;
    },
    async close() {
      stop.abort();
      await model?.close();
      await life;
    },
  };
}

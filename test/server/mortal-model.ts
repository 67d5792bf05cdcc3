import { vi } from "vitest";
import type { Message } from "../../src/chat/messages.ts";
import { InputError } from "../../src/errors.ts";
import { ModelProcessEnded } from "../../src/opening/isolated-model.ts";
import type { Score, ScoreOptions } from "../../src/reward-model.ts";
import type { MortalModel } from "../../src/server/inference/worker.ts";
import { FAKE_MODEL, fakeScore } from "./fake-service.ts";

/** A batch that the model was asked for: the texts of its responses. It goes on when `go` is called. */
export interface Asked {
  readonly texts: readonly string[];
  readonly options: ScoreOptions;
  go(): void;
}

/**
 * A model without a process: it dies over a text with `kill` in it and refuses batches that hold one with `fail`, before it
 * computes anything. `asked` holds what it was asked for.
 *
 * @param held Whether batches wait for `go`.
 */
export function mortalModel(asked: Asked[], held = false): MortalModel & { die(): void } {
  let die = () => {};
  const ended = new Promise<ModelProcessEnded>((resolve) => {
    die = () => resolve(new ModelProcessEnded("the process was killed"));
  });
  const { objectives, marginScale, transform } = FAKE_MODEL;
  return {
    objectives,
    marginScale,
    transform,
    trainedOn: null,
    ended,
    die,
    async score(conversations: readonly (readonly Message[])[], options: ScoreOptions = {}) {
      const texts = conversations.map((conversation) => conversation.at(-1)!.content);
      const going = new Promise<void>((resolve) => {
        asked.push({ texts, options, go: resolve });
        if (!held) resolve();
      });
      const refused = texts.findIndex((text) => text.includes("fail"));
      if (refused >= 0)
        throw new InputError("too-long", `score: conversation ${refused}: too long`, "shorten");
      if (texts.some((text) => text.includes("fault"))) throw new TypeError("a fault");
      const aborted = new Promise<never>((_, reject) => {
        options.signal?.addEventListener("abort", () => reject(options.signal!.reason));
      });
      await Promise.race([going, aborted, ended.then((reason) => Promise.reject(reason))]);
      if (texts.some((text) => text.includes("kill"))) {
        die();
        throw await ended;
      }
      return conversations.map((conversation, index) => fakeScore(conversation, index) as Score);
    },
    compare: () => Promise.reject(new Error("not asked for")),
    close: async () => die(),
    [Symbol.asyncDispose]: async () => die(),
  };
}

/** Waits until it holds; a busy machine may take its time. */
export const waitFor = <T>(holds: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(holds, { timeout: 100_000, interval: 5 });

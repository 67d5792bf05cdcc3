// How long embedding took, and what of that was the backbone. It is told, never stored: a set's bytes do not depend on it.

import type { Backbone, HiddenStatesRequest } from "../backbone/backbone.ts";

/** What one call of `embed` has computed, and in what time; parts that were there already do not count. */
export interface EmbedTiming {
  /** From the call to its end: counting and hashing the data, reading, tokenizing, computing, writing. */
  readonly seconds: number;
  /**
   * Of these, those in which the backbone computed: its runs, as far as it says how long they took, else (an engine elsewhere) the
   * time in which it was asked.
   */
  readonly backboneSeconds: number;
  /** One per response. */
  readonly conversations: number;
  /** Of all conversations; a prompt counts once per response. */
  readonly tokens: number;
}

/** Begins to measure. */
export function startTiming() {
  const started = performance.now();
  let [backboneMs, conversations, tokens] = [0, 0, 0];
  return {
    /** As `backbone.hiddenStates`, which gives states that are not finite too. */
    async compute(
      backbone: Backbone,
      requests: readonly HiddenStatesRequest[],
      signal: AbortSignal,
      onProgress: (doneTokens: number, totalTokens: number) => void,
    ): Promise<Float32Array[]> {
      const asked = performance.now();
      let inRuns: number | null = null;
      const states = await backbone.hiddenStates(requests, {
        signal,
        keepNotFinite: true,
        onProgress: (done, total, computedMs = Number.NaN) => {
          if (!Number.isNaN(computedMs)) inRuns = computedMs;
          onProgress(done, total);
        },
      });
      backboneMs += inRuns ?? performance.now() - asked;
      conversations += requests.length;
      tokens += countTokens(requests);
      return states;
    },
    conversations: () => conversations,
    tokens: () => tokens,
    taken: (): EmbedTiming => ({
      seconds: (performance.now() - started) / 1000,
      backboneSeconds: backboneMs / 1000,
      conversations,
      tokens,
    }),
  };
}

export type EmbedStopwatch = ReturnType<typeof startTiming>;

const countTokens = (requests: readonly HiddenStatesRequest[]): number =>
  requests.reduce((sum, { ids }) => sum + ids.length, 0);

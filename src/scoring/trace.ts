// A response read step by step: at which tokens, and what stands there.

import type { EncodedConversation } from "../chat/chat.ts";
import { InputError } from "../errors.ts";
import type { Objective, RunningScore, Trace, TraceUnit } from "../reward-model.ts";
import type { ScoreParts } from "./score-parts.ts";
import { sentenceEnds } from "./sentences.ts";

/** What a trace needs of the backbone beside what a score needs. */
export interface TracePlan {
  readonly unit: TraceUnit;
  /** The last token of the prompt, then the last token of each step but the end of the turn. */
  readonly positions: readonly number[];
  /** Of each step but the end of the turn. */
  readonly texts: readonly string[];
}

/**
 * Plans the steps of a response.
 *
 * A sentence is read at the token that completes its last character; where that token goes on (`."` and a line break), so does the
 * step. Sentences that end in one token are one step. A response of which the template leaves nothing is one step that changes nothing.
 *
 * @param ends Per token of the response: how much of it has been read; see `Chat.responseEnds`.
 * @throws {InputError} `no-prompt` where no token belongs to the prompt alone.
 */
export function planTrace(
  unit: TraceUnit,
  response: string,
  { promptLength }: Pick<EncodedConversation, "promptLength">,
  ends: readonly number[],
): TracePlan {
  if (promptLength === 0) {
    throw new InputError(
      "no-prompt",
      "trace: expected tokens of the prompt before the response, got none",
      "leave the trace out, or pass another template with --chat-template FILE",
    );
  }
  const start = promptLength - 1;
  if (ends.length === 0) {
    const left = response === "" ? [] : [response];
    return { unit, positions: [start, ...left.map(() => start)], texts: left };
  }
  const steps = unit === "token" ? ends.map((_, token) => token) : sentenceTokens(response, ends);
  return {
    unit,
    positions: [start, ...steps.map((token) => promptLength + token)],
    texts: steps.map((token, i) => response.slice(i === 0 ? 0 : ends[steps[i - 1]!]!, ends[token]!)),
  };
}

/** The token that completes each sentence; the last one is the response's last. */
function sentenceTokens(response: string, ends: readonly number[]): number[] {
  const last = ends.length - 1;
  let token = 0;
  const tokens = sentenceEnds(response)
    .slice(0, -1)
    .map((end) => {
      while (ends[token]! < end) token++; // Both rise.
      return token;
    });
  return [...new Set([...tokens, last])];
}

/**
 * The trace of a planned response.
 *
 * @param runningAt What stands at the i-th of the plan's positions.
 * @param end What stands at the end of the conversation.
 */
export function traceOf(
  { unit, texts }: TracePlan,
  runningAt: (i: number) => RunningScore,
  { score, rewards }: RunningScore,
): Trace {
  const steps = texts.map((text, i) => ({ text, ...runningAt(i + 1) }));
  return { unit, start: runningAt(0), steps: [...steps, { text: "", score, rewards }] };
}

/** Parts of a score as they stand at one token. */
export function runningScore({ score, rewards }: ScoreParts, objectives: readonly Objective[]): RunningScore {
  return { score, rewards: Object.fromEntries(objectives.map(({ name }, k) => [name, rewards[k]!])) };
}

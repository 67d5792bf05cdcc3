// How many tokens a conversation will have, and how fast they go, learned from what was computed: whoever queues must not tokenize.

import { isDecoded, isTokenized, type Scorable } from "../../chat/messages.ts";
import type { Score } from "../../reward-model.ts";

export interface Pace {
  /** About how many tokens a conversation has. */
  estimateTokens(conversation: Scorable): number;
  /** About how long so many tokens take, at most an hour: beyond that, nobody knows. */
  estimateSeconds(tokens: number): number;
  learn(conversations: readonly Scorable[], scores: readonly Score[], seconds: number): void;
}

/** Tokens that a template writes around a message. */
const AROUND = 4;
/** Earlier batches count this much less with every new one. */
const FADING = 0.95;

const LONGEST_SECONDS = 3600;

/** @param processes How many compute side by side. */
export function startPace(processes: number): Pace {
  // As if a little had been seen: English has about a token for four bytes; a thousand tokens a second.
  let [bytes, tokens] = [400, 100];
  let [timed, time] = [1000, 1];
  return {
    estimateTokens: (conversation) =>
      isTokenized(conversation)
        ? conversation.ids.length
        : Math.ceil((bytesOf(conversation) * tokens) / bytes) + AROUND * textsOf(conversation).length,
    estimateSeconds: (count) => Math.min((count * time) / timed / processes, LONGEST_SECONDS),
    learn(conversations, scores, seconds) {
      let [newBytes, newTokens, newTimed] = [0, 0, 0];
      for (const { index, tokens } of scores) {
        const conversation = conversations[index]!;
        newTimed += tokens;
        if (isTokenized(conversation)) continue; // It tells nothing of bytes.
        newBytes += bytesOf(conversation);
        newTokens += Math.max(0, tokens - AROUND * textsOf(conversation).length);
      }
      // What tells nothing must not fade what is known: the ratios would become those of small numbers.
      if (newBytes > 0) {
        bytes = FADING * bytes + newBytes;
        tokens = FADING * tokens + newTokens;
      }
      if (newTimed > 0) {
        timed = FADING * timed + newTimed;
        time = FADING * time + seconds;
      }
    },
  };
}

/** What a conversation is written in; of token ids nothing. */
function textsOf(conversation: Scorable): string[] {
  if (isTokenized(conversation)) return [];
  if (!isDecoded(conversation)) return conversation.map(({ content }) => content);
  if ("text" in conversation) return [conversation.text];
  return [...textsOf(conversation.prompt), conversation.response];
}

const bytesOf = (conversation: Scorable): number =>
  textsOf(conversation).reduce((sum, text) => sum + Buffer.byteLength(text), 0);

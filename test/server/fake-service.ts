import { isDecoded, isTokenized, type Message, type Scorable } from "../../src/chat/messages.ts";
import { InputError } from "../../src/errors.ts";
import type { Score } from "../../src/reward-model.ts";
import { toScore } from "../../src/scoring/score-parts.ts";
import type { ScoringOptions, ScoringService, ServedModel } from "../../src/server/service.ts";

const objectives = [{ name: "length", scale: { multiply: 2, add: 1 } }, { name: "vowels" }];

export const FAKE_MODEL: ServedModel = {
  model: "fake",
  kind: "armorm",
  objectives,
  marginScale: 2,
  transform: [1, 0, 0, 1],
  dtype: "f32",
  device: "cpu",
  maxTokens: 64,
  card: "# A card",
};

/** Scores by letters: length and vowels of the response, in equal parts. A text with `fail` in it is refused. */
export function fakeScore(conversation: readonly Message[], index: number): Score | InputError {
  const text = conversation.at(-1)!.content;
  if (text.includes("fail"))
    return new InputError("too-long", `score: conversation ${index}: too long`, "shorten");
  const rewards = Float64Array.of(text.length, text.replace(/[^aeiou]/g, "").length);
  const half = Float64Array.of(0.5, 0.5);
  const contributions = rewards.map((reward) => reward / 2);
  const parts = {
    score: contributions[0]! + contributions[1]!,
    rewards,
    adjustedRewards: rewards,
    gatingOutput: half,
    coefficients: half,
    contributions,
  };
  const tokens = conversation.reduce((sum, { content }) => sum + content.length, 0);
  return toScore(parts, objectives, { index, tokens, dtype: "f32", model: "fake" });
}

/** A service without processes. `calls` holds the options of each call, `asked` all conversations. */
export function fakeService(overrides: Partial<ScoringService> = {}) {
  const calls: ScoringOptions[] = [];
  const asked: Scorable[] = [];
  const service: ScoringService = {
    model: FAKE_MODEL,
    async score(conversations, options = {}) {
      calls.push(options);
      asked.push(...conversations);
      return conversations.map((conversation, index) => {
        const unread = isTokenized(conversation) || isDecoded(conversation);
        return fakeScore(unread ? [{ role: "assistant", content: "unread" }] : conversation, index);
      });
    },
    health: () => ({ ready: 1, workers: 1, pids: [], draining: false, queued: 0 }),
    ...overrides,
  };
  return { ...service, calls, asked };
}

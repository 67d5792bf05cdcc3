import { createHash } from "node:crypto";
import type { Message } from "../chat/messages.ts";
import type { RatedConversation } from "./records.ts";
import type { SpooledText, TextSpool } from "./text-spool.ts";

/** A response to a prompt and the mean of what it was rated, by objective, on the source's own scale. */
export interface RatedResponse {
  readonly id: string | number | null;
  readonly ratings: ReadonlyMap<string, number>;
  readonly text: SpooledText;
}

/** The responses that one source rated for one prompt. */
export interface RatedPrompt {
  readonly source: string;
  readonly prompt: SpooledText;
  readonly responses: readonly RatedResponse[];
}

export interface PromptTexts {
  readonly prompt: readonly Message[];
  readonly responses: readonly string[];
}

/** The range of ratings that one source gave for an objective. */
export interface RatingRange {
  readonly source: string;
  readonly objective: string;
  readonly minimum: number;
  readonly maximum: number;
}

interface CollectedResponse extends RatedResponse {
  readonly ratings: Map<string, number>;
  readonly counts: Map<string, number>;
}

interface Group {
  readonly source: string;
  readonly prompt: SpooledText;
  readonly responses: Map<string, CollectedResponse>;
}

/**
 * Gathers rated conversations by source and prompt.
 *
 * Prompts are the same where every message is, character by character: responses to prompts that differ in case or
 * white space were not given the same text to answer. A response that was rated more than once counts once, with the
 * mean of its ratings.
 *
 * Memory: about half a kilobyte per response; the texts lie in the spool.
 */
export class RatedPrompts {
  readonly #spool: TextSpool;
  readonly #groups = new Map<string, Group>();
  readonly #ranges = new Map<string, { -readonly [K in keyof RatingRange]: RatingRange[K] }>();

  constructor(spool: TextSpool) {
    this.#spool = spool;
  }

  async add({ id, messages, ratings, source }: RatedConversation): Promise<void> {
    const prompt = messages.slice(0, -1);
    const key = digest(JSON.stringify([source, prompt]));
    let group = this.#groups.get(key);
    if (!group) {
      group = { source, prompt: await this.#spool.add(JSON.stringify(prompt)), responses: new Map() };
      this.#groups.set(key, group);
    }
    const content = messages.at(-1)!.content;
    const responseKey = digest(content);
    let response = group.responses.get(responseKey);
    if (!response) {
      const text = await this.#spool.add(JSON.stringify(content));
      response = { id, text, ratings: new Map(), counts: new Map() };
      group.responses.set(responseKey, response);
    }
    for (const [objective, rating] of Object.entries(ratings)) {
      const count = (response.counts.get(objective) ?? 0) + 1;
      const mean = response.ratings.get(objective) ?? 0;
      response.counts.set(objective, count);
      response.ratings.set(objective, mean + (rating - mean) / count);
      this.#widen(source, objective, rating);
    }
  }

  /** In the order in which the prompts were first seen. */
  *prompts(): Generator<RatedPrompt> {
    for (const group of this.#groups.values()) yield { ...group, responses: [...group.responses.values()] };
  }

  ranges(): RatingRange[] {
    return [...this.#ranges.values()];
  }

  /** The texts of a prompt and of its responses, in their order. */
  async texts({ prompt, responses }: RatedPrompt): Promise<PromptTexts> {
    const texts = await this.#spool.read([prompt, ...responses.map(({ text }) => text)]);
    const [messages, ...contents] = texts.map((text) => JSON.parse(text));
    return { prompt: messages, responses: contents };
  }

  #widen(source: string, objective: string, rating: number): void {
    const key = JSON.stringify([source, objective]);
    const range = this.#ranges.get(key);
    if (!range) this.#ranges.set(key, { source, objective, minimum: rating, maximum: rating });
    else {
      range.minimum = Math.min(range.minimum, rating);
      range.maximum = Math.max(range.maximum, rating);
    }
  }
}

/** 132 bits, as a short string. */
function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

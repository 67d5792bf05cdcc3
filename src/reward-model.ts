// What evaluation, servers, best-of-N and the command line know of a reward model, whatever its kind.

import type { Message } from "./chat/messages.ts";

/** One human-readable dimension of a reward. */
export interface Objective {
  readonly name: string;
  /** The data set that rated it. */
  readonly source?: string;
  /** `rating = reward · multiply + add`: a reward on the scale on which people rated. */
  readonly scale?: { readonly multiply: number; readonly add: number };
}

/** Numbers by objective name. */
export type ByObjective = Readonly<Record<string, number>>;

/**
 * The score of one conversation, split into its objectives.
 *
 * `score = Σ contributions` and `contributions[k] = coefficients[k] · rewards[k]`; `shares` are the contributions'
 * absolute values, divided by their sum.
 */
export interface Score {
  /** Position in the call. */
  readonly index: number;
  /** A real number, not a probability. Scores of responses to one prompt can be compared. */
  readonly score: number;
  readonly rewards: ByObjective;
  /** Rewards on the scale on which people rated, of those objectives that say which. */
  readonly ratings: ByObjective;
  readonly adjustedRewards: ByObjective;
  readonly gatingOutput: ByObjective;
  readonly coefficients: ByObjective;
  readonly contributions: ByObjective;
  readonly shares: ByObjective;
  /** Tokens of the whole conversation; NaN where only embeddings are left of it. */
  readonly tokens: number;
  readonly dtype: string;
  readonly model: string;
}

/** Two of the compared responses; `contributions` sum to `margin`. */
export interface ComparedPair {
  /** Indices into the responses. */
  readonly better: number;
  readonly worse: number;
  readonly margin: number;
  /** σ(β · margin), or null for a model that was trained without a margin scale β. */
  readonly probability: number | null;
  readonly contributions: ByObjective;
}

/** Responses to one prompt, best first. `pairs` holds each neighbouring two of the ranking, then best against worst. */
export interface Comparison {
  readonly responses: readonly Score[];
  readonly ranking: readonly number[];
  readonly pairs: readonly ComparedPair[];
}

export interface ScoreOptions {
  /** Stops between batches with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (doneTokens: number, totalTokens: number) => void;
}

/** A model that gives every conversation one number and says what it is made of. */
export interface RewardModel extends AsyncDisposable {
  readonly objectives: readonly Objective[];
  /** β of P(better ≻ worse) = σ(β · margin); null for a model that has no probabilities. */
  readonly marginScale: number | null;
  /** Whether training saw a prompt, by its hash; null for a model that does not say. */
  readonly trainedOn: ((promptHash: string) => boolean) | null;
  /** Scores conversations that end with the assistant. A score does not depend on the others in the call. */
  score(conversations: readonly (readonly Message[])[], options?: ScoreOptions): Promise<Score[]>;
  /** Ranks two or more responses to one prompt and says, objective by objective, why. */
  compare(
    prompt: readonly Message[],
    responses: readonly string[],
    options?: ScoreOptions,
  ): Promise<Comparison>;
  close(): Promise<void>;
}

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
  /** How the rewards run along the response; only where the call asked for it. */
  readonly trace?: Trace;
  /** What the model says unsteered; only where the call steers. */
  readonly unsteered?: { readonly score: number; readonly contributions: ByObjective };
}

/** The score and the rewards as they stand at one token: those of the same conversation if it were read no further. */
export interface RunningScore {
  readonly score: number;
  readonly rewards: ByObjective;
}

/** The rewards of a response as it is read, one step per token or sentence. The gate reads the prompt alone and stays the same. */
export interface Trace {
  readonly unit: TraceUnit;
  /** Before the response: at the last token of its prompt and generation header. */
  readonly start: RunningScore;
  /**
   * In order; their texts, joined, are the response. The last step is the end of the turn: its text is empty, its score and
   * rewards are those of the conversation.
   */
  readonly steps: readonly (RunningScore & { readonly text: string })[];
}

export type TraceUnit = "token" | "sentence";

/**
 * Another mixture than the model's own. It changes the weight of each debiased objective, the gate's output: rewards stay,
 * and what debiasing takes out of an objective goes with that objective's weight.
 *
 * First `weights`, then `scale`, then `without`. Names must be objectives of the model, numbers finite.
 */
export interface Steering {
  /** The same weights for every prompt, in place of the gate's. Objectives that are not named get 0. */
  readonly weights?: ByObjective;
  /** Factors on weights. */
  readonly scale?: ByObjective;
  /** Objectives whose weight becomes 0. */
  readonly without?: readonly string[];
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
  /** The ranking that the model gives unsteered; only where the call steers. */
  readonly unsteered?: { readonly ranking: readonly number[] };
}

export interface ScoreOptions {
  /** Stops between batches with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (doneTokens: number, totalTokens: number) => void;
  /** Follow the rewards along each response. Costs no further pass. Default: not. */
  readonly trace?: TraceUnit;
  readonly steering?: Steering;
}

/** A model that gives every conversation one number and says what it is made of. */
export interface RewardModel extends AsyncDisposable {
  readonly objectives: readonly Objective[];
  /** β of P(better ≻ worse) = σ(β · margin); null for a model that has no probabilities. */
  readonly marginScale: number | null;
  /**
   * T `[K, K]`, rows first, row = source, column = result: adjusted rewards = rewards @ T, coefficients = gating output @ Tᵀ. With it
   * a score can be steered anew without the model. Null where rewards are not adjusted.
   */
  readonly transform: readonly number[] | null;
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

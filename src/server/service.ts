// What routes know of inference: conversations in, a score or the reason against one out. Where and how it runs is behind it.

import type { Message } from "../chat/messages.ts";
import type { InputError } from "../errors.ts";
import type { Objective, Score, ScoreOptions } from "../reward-model.ts";

/** What `/v1/model` says. */
export interface ServedModel {
  /** As it was asked for: a directory, or `org/name[@revision]`. */
  readonly model: string;
  readonly kind: string;
  readonly objectives: readonly Objective[];
  /** β of P(better ≻ worse) = σ(β · margin), or null. */
  readonly marginScale: number | null;
  /** T `[K, K]`, rows first, or null; see `RewardModel.transform`. */
  readonly transform: readonly number[] | null;
  readonly dtype: string;
  readonly device: string;
  /** Longest conversation, in tokens. */
  readonly maxTokens: number;
  /** The model card's Markdown, or null without one. */
  readonly card: string | null;
}

export type ScoringOptions = Pick<ScoreOptions, "signal" | "trace" | "steering">;

export interface ServiceHealth {
  /** Processes that can compute now, of all. */
  readonly ready: number;
  readonly workers: number;
  /** The server stops: what is queued is finished, nothing more is taken. */
  readonly draining: boolean;
  /** Conversations that wait. */
  readonly queued: number;
}

export interface ScoringService {
  readonly model: ServedModel;
  /**
   * Scores conversations, each by itself: what is wrong with one is given in its place and touches no other, whoever sent it.
   * Together with others or alone, the scores have the same bits.
   *
   * @returns In the order of the conversations; `index` of a score is its position here.
   * @throws {QueueFull} 429
   * @throws {Unavailable} 503: the process died twice over it, no process can start, or the server stops.
   * @throws The signal's reason, at once when it aborts; what is queued is then computed no more.
   */
  score(
    conversations: readonly (readonly Message[])[],
    options?: ScoringOptions,
  ): Promise<readonly (Score | InputError)[]>;
  health(): ServiceHealth;
}

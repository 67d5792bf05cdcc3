// What a program asks of the process that holds its model.

import type { Message } from "../chat/messages.ts";
import type { Comparison, ScoreOptions } from "../reward-model.ts";
import type { LocalModelOptions, LocalRewardModel } from "../scoring/local-model.ts";

/** A method of the model. Its list (conversations, token ids, responses) comes before, in `items`. */
export type Task =
  | { readonly method: "open"; readonly location: string; readonly options: PlainModelOptions }
  | { readonly method: "score" | "scoreTokens"; readonly options: PlainScoreOptions }
  | { readonly method: "compare"; readonly prompt: readonly Message[]; readonly options: PlainScoreOptions };

/** Options without what does not pass between processes. */
export type PlainModelOptions = Omit<LocalModelOptions, "onQuantize" | "onNote" | "signal">;
export type PlainScoreOptions = Omit<ScoreOptions, "signal" | "onProgress">;

/** What `open` is done with. */
export interface OpenedModel
  extends Pick<LocalRewardModel, "objectives" | "marginScale" | "transform" | "arithmetic"> {
  /** Whether the model directory holds the prompts of its training. */
  readonly knowsPrompts: boolean;
}

/** What `compare` is done with; its scores have gone ahead. */
export type Ranked = Omit<Comparison, "responses">;

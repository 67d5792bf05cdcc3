import { InputError } from "../errors.ts";
import type { Score } from "../reward-model.ts";

/** A score, or why it is none: JSON has no NaN and no infinity, and no sentence explains them. */
export function finiteScore(result: Score | InputError): Score | InputError {
  if (result instanceof InputError) return result;
  const { score, rewards, contributions } = result;
  if ([score, ...Object.values(rewards), ...Object.values(contributions)].every(Number.isFinite))
    return result;
  return new InputError(
    "not-finite",
    `score: expected finite numbers, got a score of ${score}`,
    "the weights or the arithmetic overflow: serve the model with --dtype f32",
  );
}

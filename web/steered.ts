// A comparison under steering, without asking the server again.

import { InputError } from "../src/errors.ts";
import type { Comparison, RewardModel, Steering } from "../src/reward-model.ts";
import { compareScores } from "../src/scoring/ranking.ts";
import { steerScore } from "../src/scoring/steering.ts";

export type SteerableModel = Pick<RewardModel, "objectives" | "transform" | "marginScale">;

/** @returns The comparison as the model would give it with this steering, or the steering's mistake. */
export function steerComparison(
  comparison: Comparison,
  steering: Steering | null,
  model: SteerableModel,
): Comparison | InputError {
  if (steering === null) return comparison;
  try {
    const responses = comparison.responses.map((score) => steerScore(score, steering, model));
    return compareScores(responses, model.marginScale);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

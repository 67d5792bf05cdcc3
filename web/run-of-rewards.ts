// How a reward runs along an answer: what the text's heat and the line chart show.

import type { RunningScore, Score } from "../src/reward-model.ts";

/** Follows the score itself instead of one objective. */
export const WHOLE_SCORE = "";

export interface RewardStep {
  readonly text: string;
  /** The reward when the text has been read up to here. */
  readonly level: number;
  /** By how much this step moved it. */
  readonly change: number;
  /** Share of the answer's characters read, 0 … 1. */
  readonly read: number;
}

export interface RewardRun {
  readonly start: number;
  readonly steps: readonly RewardStep[];
}

/**
 * The run of one objective's reward, or of the score; a steered score has a steered run.
 *
 * @returns Null where the score was not traced.
 */
export function rewardRun({ trace }: Score, objective: string): RewardRun | null {
  if (trace === undefined) return null;
  const levelOf = ({ score, rewards }: RunningScore): number =>
    objective === WHOLE_SCORE ? score : rewards[objective]!;
  const start = levelOf(trace.start);
  const total = trace.steps.reduce((sum, { text }) => sum + text.length, 0);
  let [level, characters] = [start, 0];
  const steps = trace.steps.map((step) => {
    const change = levelOf(step) - level;
    level += change;
    characters += step.text.length;
    return { text: step.text, level, change, read: total === 0 ? 1 : characters / total };
  });
  return { start, steps };
}

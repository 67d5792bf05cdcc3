// What steering does to an evaluation: the same rows with and without it, from the same pass.

import type { ByObjective, Steering } from "../reward-model.ts";
import { rankScores, steeringMoved } from "../scoring/ranking.ts";
import type { Accuracy } from "./accuracy.ts";
import type { ScoredPrompt } from "./best-of-n-scores.ts";
import type { CollectedRows } from "./collect-rows.ts";
import { compareModels, pairOutcome, pickedLabel } from "./compare-models.ts";
import type { ResponseScore, ScoredPair } from "./pair-scores.ts";

/** What an evaluation of a steered model says beside everything else. */
export interface Steered {
  /** As it was asked for; absent where results do not say. */
  readonly steering?: Steering;
  readonly steeringEffect?: SteeringEffect;
}

/** The figures of an evaluation that stand beside those under steering. */
export interface UnsteeredFigures {
  readonly score: number;
  readonly interval: readonly [number, number];
  readonly sections: Readonly<Record<string, number>>;
  readonly scoreWithPriorSets: number | null;
  readonly subsets: Readonly<Record<string, Accuracy>>;
}

/** How steering changes a model on the rows that it scored. */
export interface SteeringEffect {
  /** Rows, and those in which another response is preferred: of a pair right or wrong changes, of a prompt who scores highest. */
  readonly n: number;
  readonly changed: number;
  /** Of the changed ones: for the better, for the worse, and between responses that are equally good. */
  readonly better: number;
  readonly worse: number;
  readonly alike: number;
  /** Mean outcome under steering − without, each row counting once, whatever its subset weighs. */
  readonly difference: number;
  /** 95 %, by bootstrap over prompts. */
  readonly interval: readonly [number, number];
  /** McNemar's exact test of the rows that got better or worse. */
  readonly pValue: number;
  /**
   * Mean over changed rows of what steering adds to the margin of the response preferred now over the one preferred before, by objective:
   * the change of its contributions. They sum to `meanMoved`; 0 where nothing changed.
   */
  readonly moved: ByObjective;
  readonly meanMoved: number;
  readonly unsteered: UnsteeredFigures;
}

/** How a row's preference has moved, in favour of the response preferred now; absent where it has not changed. */
type Moved = { readonly moved?: ByObjective };
export type UnsteeredPair = Moved & Pick<ScoredPair, "margin">;
export type UnsteeredPrompt = Moved & Pick<ScoredPrompt, "scores">;

/** Of a pair whose responses are steered; a tie is wrong. */
export function unsteeredPair(chosen: ResponseScore, rejected: ResponseScore): UnsteeredPair | null {
  if (!chosen.unsteered || !rejected.unsteered) return null;
  const margin = chosen.unsteered.score - rejected.unsteered.score;
  const right = chosen.score > rejected.score;
  if (margin > 0 === right) return { margin };
  const { contributions } = right ? steeringMoved(chosen, rejected) : steeringMoved(rejected, chosen);
  return { margin, moved: contributions };
}

/** Of a prompt whose responses are steered. */
export function unsteeredPrompt(responses: readonly ResponseScore[]): UnsteeredPrompt | null {
  const scores = responses.flatMap(({ unsteered }) => (unsteered ? [unsteered.score] : []));
  if (scores.length !== responses.length) return null;
  const steered = responses.map(({ score }) => score);
  if (highest(steered).join() === highest(scores).join()) return { scores };
  const [now, before] = [rankScores(steered)[0]!, rankScores(scores)[0]!];
  return { scores, moved: steeringMoved(responses[now]!, responses[before]!).contributions };
}

function highest(scores: readonly number[]): number[] {
  const most = scores.reduce((a, b) => Math.max(a, b));
  return scores.flatMap((score, i) => (score === most ? [i] : []));
}

interface SteerableRow {
  readonly index: number;
  readonly id: string | number | null;
  readonly promptHash: string;
  readonly unsteered?: Moved;
}

/** What a kind of row is worth, and what it was before it was steered. */
export interface SteeringReading<Row> {
  readonly outcomeOf: (row: Row) => number;
  readonly unsteer: (row: Row) => Row;
}

export const PAIR_STEERING: SteeringReading<ScoredPair> = {
  outcomeOf: pairOutcome,
  unsteer: ({ unsteered, ...pair }) => ({ ...pair, margin: unsteered!.margin }),
};

export const PROMPT_STEERING: SteeringReading<ScoredPrompt> = {
  outcomeOf: pickedLabel,
  unsteer: ({ unsteered, ...prompt }) => ({ ...prompt, scores: unsteered!.scores }),
};

/**
 * An evaluation, with what steering did to it where its rows were steered.
 *
 * @param report The evaluation of rows; it is asked a second time, of the same rows unsteered.
 */
export function withSteeringEffect<Row extends SteerableRow, Evaluation extends UnsteeredFigures>(
  collected: CollectedRows<Row>,
  reading: SteeringReading<Row>,
  report: (collected: CollectedRows<Row>) => Evaluation,
): Evaluation & Steered {
  const evaluation = report(collected);
  if (!collected.kept.every(({ unsteered }) => unsteered)) return evaluation;
  const before = { ...collected, kept: collected.kept.map(reading.unsteer) };
  const { difference, interval, pValue, onlyFirst, onlySecond } = compareModels(
    { name: "unsteered", collected: before },
    { name: "steered", collected },
    reading.outcomeOf,
  );
  const moves = collected.kept.flatMap(({ unsteered }) => (unsteered?.moved ? [unsteered.moved] : []));
  const moved = meanOf(moves);
  return {
    ...evaluation,
    steeringEffect: {
      n: collected.kept.length,
      changed: moves.length,
      better: onlySecond,
      worse: onlyFirst,
      alike: moves.length - onlyFirst - onlySecond,
      difference,
      interval,
      pValue,
      moved,
      meanMoved: Object.values(moved).reduce((sum, value) => sum + value, 0),
      unsteered: figuresOf(report(before)),
    },
  };
}

const figuresOf = ({ score, interval, sections, scoreWithPriorSets, subsets }: UnsteeredFigures) => ({
  score,
  interval,
  sections,
  scoreWithPriorSets,
  subsets: Object.fromEntries(
    Object.entries(subsets).map(([name, { n, accuracy, interval: bounds }]) => [
      name,
      { n, accuracy, interval: bounds },
    ]),
  ),
});

function meanOf(moves: readonly ByObjective[]): ByObjective {
  const names = Object.keys(moves[0] ?? {});
  const mean = (name: string) => moves.reduce((sum, moved) => sum + moved[name]!, 0) / moves.length;
  return Object.fromEntries(names.map((name) => [name, mean(name)]));
}

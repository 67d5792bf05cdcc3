import type { GateMeans } from "../armo/gate-means.ts";
import type { RewardModel } from "../reward-model.ts";
import { type Accuracy, groupBy, meanOf } from "./accuracy.ts";
import { expectedBest, expectedMajority } from "./best-of-n.ts";
import {
  type BestOfNScorer,
  type CollectedPrompts,
  collectBestOfN,
  type ScoredPrompt,
} from "./best-of-n-scores.ts";
import { type CollectOptions, type RejectedRow, requireRows } from "./collect-rows.ts";
import { PROMPT_STEERING, type Steered, withSteeringEffect } from "./steering-effect.ts";

/** What picking the best of n gives, over the prompts that have at least n responses. All are mean labels. */
export interface BestOfNPoint {
  readonly n: number;
  readonly prompts: number;
  /** Of the response with the highest score. */
  readonly accuracy: number;
  /** 95 %, by bootstrap over prompts. */
  readonly interval: readonly [number, number];
  /** Of the best response there is: no model can do better. */
  readonly oracle: number;
  /** Of the final answer that most responses give; null where no response has one. */
  readonly majority: number | null;
  /** Of a response picked at random. */
  readonly random: number;
  /** Of the longest and of the shortest response, in tokens; NaN where lengths are not known. */
  readonly longest: number;
  readonly shortest: number;
}

/** Best of N of a model. */
export interface BestOfNEvaluation extends Steered {
  readonly benchmark: "best-of-n";
  readonly sections: Readonly<Record<string, never>>;
  /** Mean label of the response that the model picks from all of a prompt's. */
  readonly score: number;
  readonly interval: readonly [number, number];
  /** The same where prompts that could not be scored count as wrong; null for grades, which have no wrong. */
  readonly scoreCountingRejected: number | null;
  readonly scoreWithPriorSets: null;
  /** Prompts scored. */
  readonly n: number;
  readonly responses: { readonly least: number; readonly most: number };
  /** Whether labels are grades rather than right and wrong. */
  readonly graded: boolean;
  readonly curve: readonly BestOfNPoint[];
  /** As `score`, by subset. */
  readonly subsets: Readonly<Record<string, Accuracy>>;
  readonly gating: GateMeans;
  readonly overlaps: CollectedPrompts["overlaps"];
  readonly repeatedIds: CollectedPrompts["repeatedIds"];
  readonly rejected: readonly RejectedRow[];
}

/**
 * How good the response is that a model picks from n, for n = 1, 2, …, beside what picking could reach at best, a vote of
 * final answers, chance, and length.
 *
 * @throws {InputError} `no-rows` if no prompt could be scored.
 */
export async function evaluateBestOfN(
  score: BestOfNScorer,
  trainedOn: RewardModel["trainedOn"],
  options: CollectOptions = {},
): Promise<BestOfNEvaluation> {
  return reportBestOfN(await collectBestOfN(score, trainedOn, options));
}

/** The same from results that were collected before. */
export function reportBestOfN(collected: CollectedPrompts): BestOfNEvaluation {
  return withSteeringEffect(collected, PROMPT_STEERING, evaluationOf);
}

function evaluationOf(collected: CollectedPrompts): BestOfNEvaluation {
  requireRows(collected);
  const { kept: prompts, rejected, overlaps, repeatedIds, gating } = collected;
  const counts = prompts.map(({ scores }) => scores.length);
  const least = counts.reduce((a, b) => Math.min(a, b));
  const most = counts.reduce((a, b) => Math.max(a, b));
  const graded = prompts.some(({ labels }) => labels.some((label) => label !== 0 && label !== 1));
  const rows = prompts.map(expectations);
  const picked = (list: readonly Expectations[], name: string) =>
    meanOf(
      list.map(({ promptHash, model }) => ({ promptHash, value: model.at(-1)! })),
      name,
    );
  const { accuracy: score, interval } = picked(rows, "all");
  return {
    benchmark: "best-of-n",
    sections: {},
    score,
    interval,
    scoreCountingRejected: graded ? null : (score * rows.length) / (rows.length + rejected.length),
    scoreWithPriorSets: null,
    n: prompts.length,
    responses: { least, most },
    graded,
    curve: numbersUpTo(most).map((n) => pointAt(rows, n)),
    subsets: Object.fromEntries(
      [...groupBy(rows, ({ subset }) => subset)].map(([name, list]) => [name, picked(list, name)]),
    ),
    gating,
    overlaps,
    repeatedIds,
    rejected,
  };
}

interface Expectations extends ScoredPrompt {
  /** `[N]` each, at index n − 1. */
  readonly model: Float64Array;
  readonly oracle: Float64Array;
  readonly longest: Float64Array;
  readonly shortest: Float64Array;
}

const expectations = (prompt: ScoredPrompt): Expectations => {
  const { scores, labels, tokens } = prompt;
  const unknown = tokens.some((count) => !Number.isFinite(count));
  const byLength = (sign: number) =>
    unknown
      ? new Float64Array(scores.length).fill(Number.NaN)
      : expectedBest(
          tokens.map((count) => sign * count),
          labels,
        );
  return {
    ...prompt,
    model: expectedBest(scores, labels),
    oracle: expectedBest(labels, labels),
    longest: byLength(1),
    shortest: byLength(-1),
  };
};

/** Every n up to 16, then powers of two, and the largest. */
function numbersUpTo(most: number): number[] {
  const numbers = Array.from({ length: Math.min(16, most) }, (_, i) => i + 1);
  for (let n = 32; n < most; n *= 2) numbers.push(n);
  return numbers.at(-1) === most ? numbers : [...numbers, most];
}

function pointAt(rows: readonly Expectations[], n: number): BestOfNPoint {
  const list = rows.filter(({ scores }) => scores.length >= n);
  const mean = (of: (row: Expectations) => number) =>
    list.reduce((sum, row) => sum + of(row), 0) / list.length;
  const { accuracy, interval } = meanOf(
    list.map(({ promptHash, model }) => ({ promptHash, value: model[n - 1]! })),
    `best of ${n}`,
  );
  const votes = list.some(({ finalAnswers }) => finalAnswers.some((answer) => answer !== null));
  return {
    n,
    prompts: list.length,
    accuracy,
    interval,
    oracle: mean(({ oracle }) => oracle[n - 1]!),
    majority: votes
      ? mean(({ finalAnswers, labels, index }) => expectedMajority(finalAnswers, labels, n, `${index}`))
      : null,
    random: mean(({ labels }) => labels.reduce((sum, label) => sum + label, 0) / labels.length),
    longest: mean(({ longest }) => longest[n - 1]!),
    shortest: mean(({ shortest }) => shortest[n - 1]!),
  };
}

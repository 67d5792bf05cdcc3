// Responses to one prompt, best first, and why.

import type { ComparedPair, Comparison, Score } from "../reward-model.ts";

/**
 * Ranks scored responses to one prompt and splits their margins by objective.
 *
 * @param marginScale β of P(better ≻ worse) = σ(β · margin), or null: then there are no probabilities.
 */
export function compareScores(responses: readonly Score[], marginScale: number | null): Comparison {
  const ranking = rankScores(responses.map(({ score }) => score));
  const neighbours = ranking.slice(1).map((worse, place) => pairOf(ranking[place]!, worse));
  const ends = ranking.length > 2 ? [pairOf(ranking[0]!, ranking.at(-1)!)] : [];
  return { responses, ranking, pairs: [...neighbours, ...ends] };

  function pairOf(better: number, worse: number): ComparedPair {
    const [a, b] = [responses[better]!, responses[worse]!];
    const contributions = Object.fromEntries(
      Object.entries(a.contributions).map(([name, value]) => [name, value - b.contributions[name]!]),
    );
    const margin = a.score - b.score;
    const probability = marginScale === null ? null : 1 / (1 + Math.exp(-marginScale * margin));
    return { better, worse, margin, probability, contributions };
  }
}

/** Indices of the scores, best first; of equal ones, the earlier first. */
export function rankScores(scores: readonly number[]): number[] {
  return scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
}

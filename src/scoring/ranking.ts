// Responses to one prompt, best first, and why.

import type { ByObjective, ComparedPair, Comparison, Score } from "../reward-model.ts";

/**
 * Ranks scored responses to one prompt and splits their margins by objective.
 *
 * @param marginScale β of P(better ≻ worse) = σ(β · margin), or null: then there are no probabilities.
 */
export function compareScores(responses: readonly Score[], marginScale: number | null): Comparison {
  const ranking = rankScores(responses.map(({ score }) => score));
  const neighbours = ranking.slice(1).map((worse, place) => pairOf(ranking[place]!, worse));
  const ends = ranking.length > 2 ? [pairOf(ranking[0]!, ranking.at(-1)!)] : [];
  const unsteered = unsteeredRanking(responses);
  return {
    responses,
    ranking,
    pairs: [...neighbours, ...ends],
    ...(unsteered ? { unsteered: { ranking: unsteered } } : {}),
  };

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

type Rankable = Pick<Score, "score" | "contributions" | "unsteered">;

/** The ranking that the model gives unsteered, or null where a response is not steered. */
export function unsteeredRanking(responses: readonly Pick<Score, "unsteered">[]): number[] | null {
  const scores = responses.flatMap(({ unsteered }) => (unsteered ? [unsteered.score] : []));
  return scores.length === responses.length ? rankScores(scores) : null;
}

/** The first place of a ranking that steering has given to another response. */
export interface RankingChange {
  /** From 0, the best. */
  readonly place: number;
  /** Who has the place, and who had it. Indices into the responses. */
  readonly now: number;
  readonly before: number;
  /** What steering adds to score(now) − score(before), and by objective: how the difference of its contributions has changed. They sum to it. */
  readonly moved: number;
  readonly contributions: ByObjective;
}

/** How steering has changed the ranking of responses to one prompt; null where it has not, or does not steer. */
export function rankingChange(responses: readonly Rankable[]): RankingChange | null {
  const old = unsteeredRanking(responses);
  if (!old) return null;
  const ranking = rankScores(responses.map(({ score }) => score));
  const place = ranking.findIndex((index, i) => index !== old[i]);
  if (place === -1) return null;
  const [now, before] = [ranking[place]!, old[place]!];
  return { place, now, before, ...steeringMoved(responses[now]!, responses[before]!) };
}

/** What steering adds to score(a) − score(b), both of which are steered. */
export function steeringMoved(a: Rankable, b: Rankable): Pick<RankingChange, "moved" | "contributions"> {
  const change = (of: Rankable, name: string) => of.contributions[name]! - of.unsteered!.contributions[name]!;
  return {
    moved: a.score - b.score - (a.unsteered!.score - b.unsteered!.score),
    contributions: Object.fromEntries(
      Object.keys(a.contributions).map((name) => [name, change(a, name) - change(b, name)]),
    ),
  };
}

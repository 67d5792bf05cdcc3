import type { Message } from "../chat/messages.ts";
import { InputError } from "../errors.ts";
import type { Objective, RewardModel, Score, ScoreOptions } from "../reward-model.ts";
import type { CardResponse, VerifyCard } from "./verify-card.ts";

/** A value of the card beside the model's. */
export interface VerifiedValue {
  /** Index into the card's responses. */
  readonly response: number;
  readonly kind: "coefficient" | "reward" | "rating" | "score";
  /** Null for the score. */
  readonly objective: string | null;
  readonly card: number;
  readonly model: number;
  /** model − card */
  readonly difference: number;
  /** Whether its absolute value is at most the tolerance. */
  readonly within: boolean;
}

/** Whether the objectives whose coefficients the card gives, some of all, are the model's largest by absolute value. */
export interface VerifiedLargest {
  readonly response: number;
  readonly card: readonly string[];
  /** As many, the largest first. */
  readonly model: readonly string[];
  readonly same: boolean;
}

export interface Verification {
  /** All values within the tolerance, and the largest coefficients those of the card. */
  readonly passed: boolean;
  readonly source: string;
  readonly tolerance: number;
  readonly model: string;
  readonly dtype: string;
  readonly values: readonly VerifiedValue[];
  readonly largest: readonly VerifiedLargest[];
  /** The model's scores of all responses, whether the card gives any or not. */
  readonly scores: readonly number[];
}

/**
 * Scores a card's responses and compares every value that the card gives.
 *
 * @throws {InputError} `bad-verify-card` where the card names an objective that the model does not have, or a rating of one
 *   without a scale; what `model.score` throws.
 */
export async function verifyModel(
  model: RewardModel,
  card: VerifyCard,
  options: ScoreOptions = {},
): Promise<Verification> {
  for (const response of card.responses) requireObjectives(response, model.objectives);
  const scores = await model.score(conversationsOf(card.prompt, card.responses), options);
  const values: VerifiedValue[] = [];
  const largest: VerifiedLargest[] = [];
  for (const [response, expected] of card.responses.entries()) {
    const score = scores[response]!;
    for (const value of valuesOf(expected, score)) {
      const difference = value.model - value.card;
      const within = Math.abs(difference) <= card.tolerance;
      values.push({ response, ...value, difference, within });
    }
    const { coefficients = {} } = expected;
    const given = Object.keys(coefficients).length;
    if (given > 0 && given < model.objectives.length)
      largest.push({ response, ...compareLargest(coefficients, score) });
  }
  return {
    passed: values.every(({ within }) => within) && largest.every(({ same }) => same),
    source: card.source,
    tolerance: card.tolerance,
    model: scores[0]!.model,
    dtype: scores[0]!.dtype,
    values,
    largest,
    scores: scores.map(({ score }) => score),
  };
}

/** A card of what a model gives now, of every objective, for whoever opens it later or elsewhere. */
export async function createVerifyCard(
  model: RewardModel,
  example: Pick<VerifyCard, "source" | "tolerance" | "prompt"> & { readonly responses: readonly string[] },
): Promise<VerifyCard> {
  const { source, tolerance, prompt } = example;
  const responses = example.responses.map((content) => ({ content }));
  const scores = await model.score(conversationsOf(prompt, responses));
  return {
    source,
    tolerance,
    prompt,
    responses: scores.map(({ coefficients, rewards, ratings, score }, i) => ({
      ...responses[i]!,
      coefficients,
      rewards,
      ratings,
      score,
    })),
  };
}

const conversationsOf = (prompt: readonly Message[], responses: readonly CardResponse[]): Message[][] =>
  responses.map(({ content }) => [...prompt, { role: "assistant", content }]);

type ComparedValue = Pick<VerifiedValue, "kind" | "objective" | "card" | "model">;

const GROUPS = [
  ["coefficients", "coefficient"],
  ["rewards", "reward"],
  ["ratings", "rating"],
] as const;

function valuesOf(expected: CardResponse, actual: Score): ComparedValue[] {
  const values = GROUPS.flatMap(([group, kind]) =>
    Object.entries(expected[group] ?? {}).map(
      ([objective, card]): ComparedValue => ({ kind, objective, card, model: actual[group][objective]! }),
    ),
  );
  if (expected.score === undefined) return values;
  return [...values, { kind: "score", objective: null, card: expected.score, model: actual.score }];
}

/** A card of another model is refused before anything is computed. */
function requireObjectives(expected: CardResponse, objectives: readonly Objective[]): void {
  const names = new Set(objectives.map(({ name }) => name));
  const scaled = new Set(objectives.filter(({ scale }) => scale).map(({ name }) => name));
  for (const [group, kind] of GROUPS) {
    const known = kind === "rating" ? scaled : names;
    const other = Object.keys(expected[group] ?? {}).find((name) => !known.has(name));
    if (other === undefined) continue;
    throw new InputError(
      "bad-verify-card",
      `verify: expected ${group} of objectives ${kind === "rating" ? "with a scale" : "of the model"}, got ${other}`,
      "give the card that belongs to this model",
    );
  }
}

function compareLargest(
  coefficients: Readonly<Record<string, number>>,
  actual: Score,
): Omit<VerifiedLargest, "response"> {
  const bySize = (values: Readonly<Record<string, number>>) =>
    Object.entries(values)
      .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
      .map(([name]) => name);
  const card = bySize(coefficients);
  const model = bySize(actual.coefficients).slice(0, card.length);
  return { card, model, same: card.every((name) => model.includes(name)) };
}

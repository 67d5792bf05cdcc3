// Another mixture than a model's own: checked against its objectives, applied to its gate, and to scores that are there already.
// Pure: the web page steers with it too. K objectives.

import { InputError } from "../errors.ts";
import { nearestName } from "../nearest-name.ts";
import type { ByObjective, Objective, RewardModel, RunningScore, Score, Steering } from "../reward-model.ts";
import { type ScoreParts, toScore, weighRewards } from "./score-parts.ts";

/** A steering that fits a model, in the order of its objectives. */
export interface Mixture {
  /** `[K]`, in place of the gate's output; null leaves the gate at work. */
  readonly weights: Float64Array | null;
  /** `[K]`, what weights are multiplied by. */
  readonly factors: Float64Array;
  /** What to call the model in messages. */
  readonly where: string;
}

const KEYS = ["weights", "scale", "without"];

/**
 * Checks a steering against a model's objectives. One that names nothing, `{}`, changes nothing.
 *
 * @param where What to call the model in messages.
 * @throws {InputError} `unknown-objective` for a name that the model does not have; `bad-steering` for numbers that are not finite,
 *   `weights` without a name, a mixture in which nothing weighs anything, anything else than a `Steering`; `one-objective` for a model
 *   that has nothing to mix.
 */
export function resolveSteering(
  steering: Steering,
  objectives: readonly Objective[],
  where = "the model",
): Mixture {
  const names = objectives.map(({ name }) => name);
  requireShape(steering, where);
  const { weights, scale = {}, without = [] } = steering;
  const named = [...Object.keys(weights ?? {}), ...Object.keys(scale), ...without];
  for (const name of named) if (!names.includes(name)) throw unknownObjective(name, names, where);
  if (names.length === 1 && named.length > 0) throw oneObjective(names[0]!, where);
  if (weights && Object.keys(weights).length === 0) {
    throw badSteering(where, "weights by objective", "none", "name at least one objective: the others get 0");
  }
  const numbersOf = (values: ByObjective, otherwise: number) => {
    const byName = new Map(Object.entries(values));
    return Float64Array.from(names, (name) => byName.get(name) ?? otherwise);
  };
  const fixed = weights ? numbersOf(weights, 0) : null;
  const factors = numbersOf(scale, 1).map((factor, k) => (without.includes(names[k]!) ? 0 : factor));
  if (factors.every((factor, k) => factor === 0 || fixed?.[k] === 0)) {
    const remedy = "leave at least one objective its weight: else every score is 0";
    throw badSteering(where, "an objective that weighs something", "none", remedy);
  }
  return { weights: fixed, factors, where };
}

/**
 * Weighs a response anew: g′ = (weights or the gate's output) · factors, then as the model does with g.
 *
 * @param transform T `[K, K]`, or null for a model that does not adjust its rewards.
 * @throws {InputError} `bad-steering` where the mixture's numbers make of a finite score one above 1e300.
 */
export function steerParts(
  parts: ScoreParts,
  { weights, factors, where }: Mixture,
  transform: ArrayLike<number> | null,
): ScoreParts {
  const { score, contributions, rewards, adjustedRewards } = parts;
  const gatingOutput = (weights ?? parts.gatingOutput).map((weight, k) => weight * factors[k]!);
  const weighed = weighRewards(rewards, gatingOutput, transform);
  if (Number.isFinite(score)) {
    const numbers = [weighed.score, ...gatingOutput, ...weighed.coefficients, ...weighed.contributions];
    if (!numbers.every(isBounded)) throw overflow(where);
  }
  return { rewards, adjustedRewards, gatingOutput, ...weighed, unsteered: { score, contributions } };
}

/**
 * Steers a finished score without the model: bit for bit the score that the model gives with `options.steering`, its trace included.
 *
 * @param score As the model gave it, unsteered: the gate's output is needed, of which a steered score holds what became of it.
 * @param model The model that it comes from, or what a server says of it.
 * @throws {TypeError} If the score is steered already. @throws {InputError} Those of {@link resolveSteering}.
 * @example
 * const safer = steerScore(score, { scale: { safety: 3 } }, model);
 */
export function steerScore(
  score: Score,
  steering: Steering,
  { objectives, transform }: Pick<RewardModel, "objectives" | "transform">,
): Score {
  if (score.unsteered) throw new TypeError("steerScore: expected an unsteered score, got a steered one");
  const mixture = resolveSteering(steering, objectives, score.model);
  const listed = (values: ByObjective) => Float64Array.from(objectives, ({ name }) => values[name]!);
  const parts = steerParts(
    {
      score: score.score,
      rewards: listed(score.rewards),
      adjustedRewards: listed(score.adjustedRewards),
      gatingOutput: listed(score.gatingOutput),
      coefficients: listed(score.coefficients),
      contributions: listed(score.contributions),
    },
    mixture,
    transform,
  );
  const steered = toScore(parts, objectives, score);
  if (!score.trace) return steered;
  const running = <Step extends RunningScore>(step: Step) => {
    const { score } = weighRewards(listed(step.rewards), parts.gatingOutput, transform);
    if (Number.isFinite(step.score) && !isBounded(score)) throw overflow(mixture.where);
    return { ...step, score };
  };
  const { unit, start, steps } = score.trace;
  return { ...steered, trace: { unit, start: running(start), steps: steps.map(running) } };
}

/** `weights kind=1, true=0.5; scale safety=3; without verbosity`, for people; empty if it changes nothing. */
export function describeSteering({ weights = {}, scale = {}, without = [] }: Steering): string {
  const numbers = (values: ByObjective) =>
    Object.entries(values)
      .map(([name, value]) => `${name}=${value}`)
      .join(", ");
  const parts = [
    ["weights", numbers(weights)],
    ["scale", numbers(scale)],
    ["without", without.join(", ")],
  ];
  return parts.flatMap(([what, text]) => (text ? [`${what} ${text}`] : [])).join("; ");
}

/** It may come from a file or a request. */
function requireShape(steering: Steering, where: string): void {
  const remedy = "as in {weights: {a: 1}, scale: {b: 3}, without: [c]}";
  const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject(steering)) throw badSteering(where, "an object", JSON.stringify(steering), remedy);
  const key = Object.keys(steering).find((name) => !KEYS.includes(name));
  if (key !== undefined) throw badSteering(where, KEYS.join(", "), key, remedy);
  for (const what of ["weights", "scale"] as const) {
    const values = steering[what];
    if (values === undefined) continue;
    if (!isObject(values)) throw badSteering(where, `${what} by objective`, JSON.stringify(values), remedy);
    for (const [name, value] of Object.entries(values)) {
      if (!Number.isFinite(value)) {
        const expected = `a finite number for ${name} in ${what}`;
        throw badSteering(where, expected, JSON.stringify(value) ?? String(value), remedy);
      }
    }
  }
  const { without = [] } = steering;
  if (!Array.isArray(without) || without.some((name) => typeof name !== "string")) {
    throw badSteering(where, "names in without", JSON.stringify(without), remedy);
  }
}

const badSteering = (where: string, expected: string, got: string, remedy: string) =>
  new InputError("bad-steering", `steering of ${where}: expected ${expected}, got ${got}`, remedy);

/** Below it, margins and sums of scores are finite too. */
const LARGEST = 1e300;
const isBounded = (value: number): boolean => Math.abs(value) <= LARGEST;

const overflow = (where: string) =>
  badSteering(where, `scores of at most ${LARGEST}`, "larger ones", "give smaller weights or factors");

function unknownObjective(name: string, names: readonly string[], where: string): InputError {
  const near = nearestName(name, names);
  const known = `its objectives are ${names.join(", ")}`;
  const what = `steering of ${where}: expected an objective of the model, got "${name}"`;
  return new InputError("unknown-objective", what, near ? `did you mean ${near}? ${known}` : known);
}

const oneObjective = (name: string, where: string) =>
  new InputError(
    "one-objective",
    `steering of ${where}: expected a model of several objectives, got ${name} alone`,
    "leave steering out: there is no mixture to change",
  );

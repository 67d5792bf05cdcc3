// What the sliders say, and the steering it stands for.

import type { ByObjective, Steering } from "../src/reward-model.ts";

export interface SteeringChoice {
  /** `gate`: the gate's weights, each times a factor. `fixed`: one mixture for every prompt, in the gate's place. */
  readonly mode: "gate" | "fixed";
  /** Objectives that are not here count once. */
  readonly factors: ByObjective;
  readonly mixture: ByObjective;
}

export const UNSTEERED: SteeringChoice = { mode: "gate", factors: {}, mixture: {} };

export const LARGEST_FACTOR = 3;

/** The steering that the sliders ask for, or null where they change nothing. */
export function steeringOf({ mode, factors, mixture }: SteeringChoice): Steering | null {
  if (mode === "fixed") return { weights: mixture };
  const scale = Object.fromEntries(Object.entries(factors).filter(([, factor]) => factor !== 1));
  return Object.keys(scale).length === 0 ? null : { scale };
}

/** By what an objective's weight is multiplied. Objectives may be named like what every object has: `constructor`. */
export const factorOf = ({ factors }: SteeringChoice, objective: string): number =>
  Object.hasOwn(factors, objective) ? factors[objective]! : 1;

/** An objective's weight in the fixed mixture. */
export const weightOf = ({ mixture }: SteeringChoice, objective: string): number =>
  Object.hasOwn(mixture, objective) ? mixture[objective]! : 0;

export const setFactor = (choice: SteeringChoice, objective: string, factor: number): SteeringChoice => ({
  ...choice,
  factors: { ...choice.factors, [objective]: factor },
});

export const setWeight = (choice: SteeringChoice, objective: string, weight: number): SteeringChoice => ({
  ...choice,
  mixture: { ...choice.mixture, [objective]: weight },
});

/** A fixed mixture that begins where a gate's weights are, so that switching to it changes next to nothing. */
export const fixMixture = (choice: SteeringChoice, weights: ByObjective): SteeringChoice => ({
  ...choice,
  mode: "fixed",
  mixture: Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, round(weight)])),
});

/** The same weight for every objective, with the sum that the gate's weights have. */
export function evenMixture(choice: SteeringChoice, weights: ByObjective): SteeringChoice {
  const names = Object.keys(weights);
  const sum = Object.values(weights).reduce((total, weight) => total + weight, 0);
  return {
    ...choice,
    mode: "fixed",
    mixture: Object.fromEntries(names.map((name) => [name, sum / names.length])),
  };
}

/** How many places each answer went up (or, negative, down) from one ranking to another. */
export const placesGained = (
  before: readonly number[],
  after: readonly number[],
): ReadonlyMap<number, number> =>
  new Map(after.map((answer, place) => [answer, before.indexOf(answer) - place]));

const round = (weight: number): number => Math.round(weight * 100) / 100;

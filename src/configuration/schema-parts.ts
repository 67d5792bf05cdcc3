// The parts that the schema is made of. Every one says what it expects in the words of the error message.

import { z } from "zod";
import { nearestName } from "../nearest-name.ts";

/** A schema for every key of `T`, and none besides. */
export type Shape<T> = { readonly [K in keyof Required<T>]: z.ZodType };

const says = (expected: string) => ({ error: `expected ${expected}` });

/** A number that passes the test; `.nan` and infinities are none. */
export const number = (expected: string, holds: (x: number) => boolean = () => true) =>
  z.number(says(expected)).refine(holds, says(expected));

export const integer = (expected: string, holds: (x: number) => boolean = () => true) =>
  number(expected, (x) => Number.isSafeInteger(x) && holds(x));

export const atLeast = (least: number) => integer(`an integer ≥ ${least}`, (x) => x >= least);
export const positive = () => number("a number > 0", (x) => x > 0);
export const fromZero = () => number("a number ≥ 0", (x) => x >= 0);
export const share = (below = 1) => number(`a number in [0, ${below})`, (x) => x >= 0 && x < below);

export const flag = () => z.boolean(says("true or false"));
export const text = (what: string) => z.string(says(what)).refine((value) => value.trim() !== "", says(what));

export const oneOf = (...values: readonly string[]) =>
  z.enum(values as [string, ...string[]], says(`one of ${values.join(", ")}`));

export const list = (part: z.ZodType, what: string) => z.array(part, says(`a list of ${what}`));

export const either = (expected: string, ...parts: readonly [z.ZodType, z.ZodType, ...z.ZodType[]]) =>
  z.union(parts, says(expected));

export const byName = (part: z.ZodType, expected: string) => z.record(z.string(), part, says(expected));

/** Keys and values, others besides these too, of which nothing is read. */
export const looseKeys = (shape: Readonly<Record<string, z.ZodType>>) =>
  z.looseObject(shape, says(`keys and values (${Object.keys(shape).join(", ")})`));

/** Keys and values, no others than these; all may be left out, or null, but those of `required`. */
export function keys(shape: Readonly<Record<string, z.ZodType>>, required: readonly string[] = []) {
  const known = Object.keys(shape);
  const parts = Object.fromEntries(
    Object.entries(shape).map(([name, part]) => [name, required.includes(name) ? part : part.nullish()]),
  );
  return z.strictObject(parts, {
    error: (issue) => {
      if (issue.code !== "unrecognized_keys") return `expected keys and values (${known.join(", ")})`;
      const [key] = issue.keys as string[];
      const near = nearestName(key!, known);
      return `expected a known key, got ${key}; ${near ? `did you mean ${near}?` : `known are ${known.join(", ")}`}`;
    },
  });
}

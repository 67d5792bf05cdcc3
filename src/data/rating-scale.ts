// The scale on which an objective is rated, as declared: what ratings may be, and what becomes of them.

import { InputError } from "../errors.ts";
import { badRow } from "./fields.ts";
import { selectObjectives } from "./objective-selection.ts";

/** The affine map from reward to rating: `rating = reward · multiply + add`. */
export interface RatingScale {
  readonly multiply: number;
  readonly add: number;
}

/** A scale declared for objectives, by name or pattern. */
export interface DeclaredScale extends RatingScale {
  readonly objective: string;
  /** What ratings may be; null where only the map is declared. */
  readonly range: { readonly minimum: number; readonly maximum: number } | null;
}

const NUMBER = "-?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?";
const RANGE = new RegExp(`^(.+)=(${NUMBER}):(${NUMBER})$`);
const MAP = new RegExp(`^(.+)=(?:(${NUMBER})\\s*\\*\\s*)?y\\s*(?:([+-])\\s*(\\d\\S*))?$`);

/**
 * Reads a scale as it is written on the command line.
 *
 * `NAME=MIN:MAX`: ratings y lie between MIN and MAX, and are fitted as (y − MIN) / (MAX − MIN). `NAME=A*y+B`: they are fitted
 * as A·y + B, whatever their range; `NAME=y` leaves them as they are. NAME may hold `*` for any text.
 *
 * @throws {InputError} `bad-scale`
 * @example
 * parseScale("helpsteer-*=0:4") // { objective: "helpsteer-*", range: { minimum: 0, maximum: 4 }, multiply: 4, add: 0 }
 */
export function parseScale(text: string): DeclaredScale {
  const [, ranged, low, high] = RANGE.exec(text) ?? [];
  if (ranged !== undefined) {
    const [minimum, maximum] = [Number(low), Number(high)];
    if (minimum < maximum) {
      return { objective: ranged, range: { minimum, maximum }, multiply: maximum - minimum, add: minimum };
    }
  }
  const [, mapped, factor = "1", sign = "+", shift = "0"] = MAP.exec(text) ?? [];
  const [a, b] = [Number(factor), Number(`${sign}${shift}`)];
  if (mapped !== undefined && Number.isFinite(b) && a !== 0) {
    // reward = a·y + b, so y = reward / a − b / a.
    return { objective: mapped, range: null, multiply: 1 / a, add: b === 0 ? 0 : -b / a };
  }
  throw new InputError(
    "bad-scale",
    `scale: expected NAME=MIN:MAX or NAME=A*y+B, got "${text}"`,
    "write the least and the largest rating, as in helpsteer-*=0:4, or the map, as in quality=0.2*y+0.1",
  );
}

/** The scale of an objective: of several that match, the last one declared; null for none. */
export function scaleOf(objective: string, scales: readonly DeclaredScale[]): DeclaredScale | null {
  return scales.findLast(({ objective: text }) => selectObjectives([text]).has(objective)) ?? null;
}

/** @param objectives Those that usable rows rate. @throws {InputError} `unused-scale` for a scale that is declared for none of them. */
export function requireScalesUsed(scales: readonly DeclaredScale[], objectives: readonly string[]): void {
  const unused = scales.filter(({ objective: text }) => !objectives.some(selectObjectives([text]).has));
  if (unused.length === 0) return;
  throw new InputError(
    "unused-scale",
    `scale: expected objectives that usable rows rate, got ${unused.map(({ objective }) => `"${objective}"`).join(", ")}`,
    `usable rows rate ${objectives.join(", ") || "none"}; mend the name or the range, or leave the scale out`,
  );
}

/** @throws {InputError} `bad-row` for a rating outside the range that is declared for it. */
export function requireInScale(rating: number, objective: string, scales: readonly DeclaredScale[]): void {
  const range = scales.length === 0 ? null : scaleOf(objective, scales)?.range;
  if (!range || (rating >= range.minimum && rating <= range.maximum)) return;
  throw badRow(
    `rating "${objective}": expected ${range.minimum} to ${range.maximum}, got ${rating}`,
    "mend the rating, or declare another scale",
  );
}

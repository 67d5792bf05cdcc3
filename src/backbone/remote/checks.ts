// Whether an engine's answer is the states that were asked for. Whatever is not, is refused: a wrong state looks like any other.
//
// n rows of an id list, H hidden size.

import type { Pooling } from "../../checkpoint/remote-location.ts";
import { InputError } from "../../errors.ts";
import type { Answer, Dialect, Fault } from "./dialect.ts";
import { rowCount } from "./plan.ts";

export interface Expected {
  readonly endpoint: string;
  readonly dialect: Dialect;
  readonly pooling: Pooling;
  readonly hiddenSize: number;
}

/** Norms of normalized rows in any arithmetic that an engine may use. */
const UNIT_NORM = 1e-3;

/**
 * The rows of every id list, `[n, H]`; whether they are finite is for the caller to see ({@link notFinite}).
 *
 * @throws {InputError} `remote-normalized`, `remote-truncated`, `remote-usage`, `remote-order`, `remote-rows`, `remote-width`, each
 *   with the engine's option to change.
 */
export function checkAnswer(
  { lists, promptTokens }: Answer,
  sent: readonly (readonly number[])[],
  expected: Expected,
): Float32Array[] {
  const { pooling, hiddenSize: H } = expected;
  const refuse = (fault: Fault, what: string, got: string) => refusal(expected, fault, what, got);
  if (lists.length !== sent.length) {
    throw refuse("order", `${sent.length} answers to as many id lists`, `${lists.length}`);
  }
  const tokens = sent.reduce((sum, ids) => sum + ids.length, 0);
  if (promptTokens !== null && promptTokens !== tokens) {
    throw refuse("truncated", `${tokens} tokens to be read`, `usage.prompt_tokens ${promptTokens}`);
  }
  const checked = lists.map(({ index, values, width }, i) => {
    if (index !== i)
      throw refuse("order", `answers in the order of the id lists`, `index ${index} at place ${i}`);
    if (values === null) throw refuse("rows", "rows of numbers", "something else");
    const rows = rowCount(sent[i]!, pooling);
    if ((width !== null && width !== H) || values.length % H !== 0) {
      throw refuse("width", `rows ${H} wide`, `${width ?? values.length / rows} values`);
    }
    if (values.length !== rows * H) {
      throw refuse("rows", `${rows} rows for ${sent[i]!.length} tokens`, `${values.length / H}`);
    }
    return values;
  });
  // The last row of a shorter list looks like any other; where a row per token comes back, their number tells.
  if (promptTokens === null && pooling === "last") {
    throw refuse("usage", "usage.prompt_tokens, which says that all tokens were read", "none");
  }
  if (allUnitNorms(checked, H)) throw refuse("normalized", "hidden states as they are", "rows of norm 1");
  return checked;
}

/** What is wrong with an answer that is not finite. */
export const notFinite = (expected: Expected): InputError =>
  refusal(expected, "not-finite", "finite hidden states", "NaN or infinity");

const refusal = (
  { endpoint, dialect, pooling }: Expected,
  fault: Fault,
  what: string,
  got: string,
): InputError =>
  new InputError(
    `remote-${fault}`,
    `${endpoint}: expected ${what}, got ${got}`,
    dialect.remedy(fault, pooling),
  );

/** Whether all rows of an answer are normalized; a single one among others may have that norm by chance. */
function allUnitNorms(lists: readonly Float32Array[], H: number): boolean {
  let rows = 0;
  for (const values of lists) {
    for (let start = 0; start < values.length; start += H) {
      let squares = 0;
      for (let i = start; i < start + H; i++) squares += values[i]! ** 2;
      if (!(Math.abs(Math.sqrt(squares) - 1) <= UNIT_NORM)) return false;
      rows += 1;
    }
  }
  return rows > 0;
}

/** Two engines that serve the same weights differ by rounding; others by more than this, relative to the norm. */
const MOST_DIFFERENCE = 0.2;

/** Whether two endpoints' rows of one list can come from the same weights. */
export function agree(a: Float32Array, b: Float32Array): boolean {
  let difference = 0;
  let norm = 0;
  a.forEach((value, i) => {
    difference += (value - b[i]!) ** 2;
    norm += value ** 2;
  });
  return Math.sqrt(difference) <= MOST_DIFFERENCE * Math.sqrt(norm);
}

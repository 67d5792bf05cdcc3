import { InputError } from "../errors.ts";

/** @throws {InputError} `not-finite` where a value is NaN or ±Infinity; `name` says of which row, `caller` to whom. */
export function requireFinite(caller: string, values: ArrayLike<number>, what: string, name: string): void {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0; // 0, or NaN where a value is not finite
  if (sum === 0) return;
  throw new InputError(
    "not-finite",
    `${caller}: expected finite ${what}, got NaN or Infinity in ${name}`,
    "leave the row out, or embed it again; a missing label is NaN",
  );
}

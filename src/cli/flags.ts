import { InvalidArgumentError } from "commander";

/** Those of the named options that were given. */
export function pick<T extends object, K extends keyof T>(flags: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.filter((name) => name in flags).map((name) => [name, flags[name]])) as Pick<
    T,
    K
  >;
}

export function parsePositiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("expected a whole number above 0");
  return value;
}

export function parseInteger(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value))
    throw new InvalidArgumentError("expected a whole number");
  return value;
}

export function parsePositiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("expected a number above 0");
  return value;
}

/** A share in [0, 1). */
export function parseFraction(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value < 1)) {
    throw new InvalidArgumentError("expected a number from 0 up to, not including, 1");
  }
  return value;
}

/** Names with commas between them. */
export function parseList(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new InvalidArgumentError("expected names with single commas between them");
  return names;
}

export function parseIds(text: string): number[] {
  const ids = parseList(text).map(Number);
  if (ids.some((id) => !Number.isSafeInteger(id) || id < 0)) {
    throw new InvalidArgumentError("expected token ids with commas between them, as in 128009,128006");
  }
  return ids;
}

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

export function parseCount(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError("expected a whole number of at least 0");
  return value;
}

/** A TCP port; 0 stands for a free one. */
export function parsePort(text: string): number {
  const port = parseCount(text);
  if (port > 65_535) throw new InvalidArgumentError("expected a whole number from 0 to 65535");
  return port;
}

export function parseInteger(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value))
    throw new InvalidArgumentError("expected a whole number");
  return value;
}

/** More threads than this only wait for each other. */
const MOST_THREADS = 256;

export function parseThreads(text: string): number {
  const threads = parsePositiveInteger(text);
  if (threads > MOST_THREADS) throw new InvalidArgumentError(`expected at most ${MOST_THREADS}`);
  return threads;
}

export function parsePositiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError("expected a number above 0");
  return value;
}

export function parseNumberFromZero(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError("expected a number of at least 0");
  return value;
}

export function parseFolds(text: string): number {
  const folds = parsePositiveInteger(text);
  if (folds < 2) throw new InvalidArgumentError("expected a whole number above 1");
  return folds;
}

/** A number of bytes: 2GB, 500MB, 1.5GiB, or without a unit. */
export function parseBytes(text: string): number {
  const [, number, unit = ""] = /^\s*([0-9.]+)\s*([kmgt]i?b|b)?\s*$/i.exec(text) ?? [];
  const power = "kmgt".indexOf(unit.slice(0, 1).toLowerCase() || "b") + 1;
  const bytes = Number(number ?? Number.NaN) * (/i/i.test(unit) ? 1024 : 1000) ** power;
  if (!(bytes > 0)) throw new InvalidArgumentError("expected a size, as in 2GB, 500MB or 1.5GiB");
  return bytes;
}

/** Numbers of at least 0 with commas between them. */
export function parseNumbersFromZero(text: string): number[] {
  return text.split(",").map(parseNumberFromZero);
}

/** A share in [0, 1). */
export function parseFraction(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value < 1)) {
    throw new InvalidArgumentError("expected a number from 0 up to, not including, 1");
  }
  return value;
}

/** A share in [0, 0.5): of what is wrong among what is mostly right. */
export function parseMinority(text: string): number {
  const value = parseFraction(text);
  if (value >= 0.5) throw new InvalidArgumentError("expected a number from 0 up to, not including, 0.5");
  return value;
}

/** Names with commas between them. */
export function parseList(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new InvalidArgumentError("expected names with single commas between them");
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw new InvalidArgumentError(`expected each once, got ${repeated} twice`);
  return names;
}

export function parseIds(text: string): number[] {
  const ids = text.split(",").map((id) => (id.trim() === "" ? Number.NaN : Number(id)));
  if (ids.some((id) => !Number.isSafeInteger(id) || id < 0)) {
    throw new InvalidArgumentError("expected token ids with commas between them, as in 128009,128006");
  }
  return ids;
}

/** Numbers above 0 by name, `mine=2,other=0.5`. */
export function parseWeights(text: string): Record<string, number> {
  const weights = parseList(text).map((part) => {
    const at = part.lastIndexOf("=");
    const weight = Number(part.slice(at + 1).trim() || Number.NaN);
    if (at < 1 || !(weight > 0 && Number.isFinite(weight))) {
      throw new InvalidArgumentError("expected numbers above 0 by name, as in mine=2,other=0.5");
    }
    return [part.slice(0, at).trim(), weight] as const;
  });
  return Object.fromEntries(weights);
}

/** Names with weights, `code=2,chat=1`; commander calls nothing where the flag stands alone. */
export function parseBalance(text: string): Record<string, number> {
  const weights = parseList(text).map((part) => {
    const at = part.lastIndexOf("=");
    const weight = part.slice(at + 1).trim();
    if (at < 1 || weight === "" || !(Number(weight) >= 0 && Number.isFinite(Number(weight)))) {
      throw new InvalidArgumentError("expected weights by name, as in code=2,chat=1");
    }
    return [part.slice(0, at).trim(), Number(weight)] as const;
  });
  if (!weights.some(([, weight]) => weight > 0)) throw new InvalidArgumentError("expected a weight above 0");
  return Object.fromEntries(weights);
}

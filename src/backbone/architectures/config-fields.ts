// Reading a checkpoint's config.json: every field typed, every field that would change the computation accounted for.

import { InputError } from "../../errors.ts";

/** Fields of config.json, those it leaves out filled in with the family's defaults. `null` means "none". */
export type Config = Readonly<Record<string, unknown>>;

/** A field that must be an integer ≥ 1. `fallback` stands for an absent or null field; without one it is required. */
export function sizeField(config: Config, name: string, fallback?: number): number {
  const value = numberField(config, name, fallback);
  if (!Number.isSafeInteger(value)) throw malformed(name, "an integer", value);
  return value;
}

/** A field that must be a number above 0. */
export function numberField(config: Config, name: string, fallback?: number): number {
  const value = config[name] ?? fallback;
  if (typeof value !== "number" || !(value > 0)) throw malformed(name, "a number above 0", value);
  return value;
}

/** A field that must be a number above 0, or null for none. */
export function optionalNumberField(config: Config, name: string): number | null {
  return (config[name] ?? null) === null ? null : numberField(config, name);
}

/** A field that must be an integer ≥ 1, or null for none. */
export function optionalSizeField(config: Config, name: string): number | null {
  return (config[name] ?? null) === null ? null : sizeField(config, name);
}

/** A field that must be an integer ≥ 0. */
export function countField(config: Config, name: string): number {
  return config[name] === 0 ? 0 : sizeField(config, name);
}

/** A field that must be true or false; absent or null is false. */
export function flagField(config: Config, name: string): boolean {
  const value = config[name] ?? false;
  if (typeof value !== "boolean") throw malformed(name, "true or false", value);
  return value;
}

/** A field that must be an object; absent or null is `null`. */
export function objectField(config: Config, name: string): Config | null {
  const value = config[name] ?? null;
  if (typeof value !== "object" || Array.isArray(value)) throw malformed(name, "an object", value);
  return value as Config | null;
}

/** A model that is not wrong, only beyond what this version computes. */
export function unsupported(what: string): InputError {
  return new InputError(
    "unsupported-model",
    `backbone: not supported yet: ${what}`,
    "use a checkpoint without it; computing on regardless would give wrong hidden states",
  );
}

/** A configuration that contradicts itself or its type. */
export function malformed(name: string, expected: string, value: unknown): InputError {
  return new InputError(
    "malformed-config",
    `config.json: expected ${name} to be ${expected}, got ${JSON.stringify(value) ?? "nothing"}`,
    "the configuration does not describe this model: download the checkpoint again",
  );
}

import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { z } from "zod";
import type { TrainingConfiguration } from "../armo/training-configuration.ts";
import { InputError } from "../errors.ts";

/** A configuration and the folder that its relative paths start from. */
export interface PlacedConfiguration {
  readonly folder: string;
  readonly configuration: TrainingConfiguration;
}

/**
 * Reads a configuration from a file of YAML or JSON.
 *
 * @throws {InputError} `missing-file`, `malformed-yaml`; `bad-configuration` as `parseConfiguration`.
 */
export async function readConfiguration(path: string): Promise<PlacedConfiguration> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InputError(
      "missing-file",
      `${path}: expected a readable file, got ${code ?? "none"}`,
      "give the path of a YAML or JSON file",
    );
  }
  // Loaded when it is needed: it takes a while to start.
  const { parse } = await import("yaml");
  let value: unknown;
  try {
    value = parse(content);
  } catch (error) {
    const { message, linePos } = error as { message: string; linePos?: readonly { readonly line: number }[] };
    const [first] = message.replace(/ at line \d+, column \d+:?/, "").split("\n");
    throw new InputError(
      "malformed-yaml",
      `${path}${linePos ? `, line ${linePos[0]!.line}` : ""}: expected YAML, got something else: ${first}`,
      "mend that line",
    );
  }
  return { folder: dirname(path), configuration: await parseConfiguration(value, path) };
}

/**
 * Checks a configuration: known keys, types and ranges. Keys with null are left out.
 *
 * @param name What to call it in messages.
 * @throws {InputError} `bad-configuration`, for the first thing that is wrong: `train.yaml: gating.dropout: expected a number in
 *   [0, 1), got 1`.
 */
export async function parseConfiguration(value: unknown, name: string): Promise<TrainingConfiguration> {
  const { CONFIGURATION_SCHEMA } = await import("./schema.ts");
  const { success, error } = CONFIGURATION_SCHEMA.safeParse(value);
  if (success) return withoutNulls(value) as TrainingConfiguration;
  const { path, message } = describeIssue(error.issues[0]!, value);
  const more = error.issues.length > 1 ? `${error.issues.length - 1} more after this one; ` : "";
  throw new InputError(
    "bad-configuration",
    `${name}: ${path === "" ? "" : `${path}: `}${message}`,
    `${more}docs/training.md lists every key`,
  );
}

type Issue = z.core.$ZodIssue;

/** What is wrong where: `gating.dropout`, `ratings[1].limit`. */
function describeIssue(issue: Issue, root: unknown): { readonly path: string; readonly message: string } {
  const { path, message, code } = deepest(issue);
  const at = path.reduce<string>(
    (text, key) =>
      typeof key === "number" ? `${text}[${key}]` : `${text}${text === "" ? "" : "."}${String(key)}`,
    "",
  );
  if (code === "unrecognized_keys") return { path: at, message };
  const value = path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)?.[key], root);
  return { path: at, message: `${message}, got ${shown(value)}` };
}

/** Of a value that may be one of several things, what is wrong with the one that it was meant to be. */
function deepest(issue: Issue): Issue {
  if (issue.code !== "invalid_union") return issue;
  // A branch of another type fails at its root; one of other keys has more to say, about those that it lacks and does not know.
  const meant = issue.errors
    .filter((branch) => !branch.some(({ path, code }) => path.length === 0 && OTHER.includes(code)))
    .sort((a, b) => a.length - b.length)[0];
  const [first] = meant ?? [];
  if (!first) return issue;
  return deepest({ ...first, path: [...issue.path, ...first.path] });
}

const OTHER: readonly Issue["code"][] = ["invalid_type", "invalid_value", "invalid_union"];

function shown(value: unknown): string {
  if (value === undefined) return "none";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, part]) => (part === null ? [] : [[key, withoutNulls(part)]])),
  );
}

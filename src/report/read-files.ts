// What other commands have written, read again to stand in a report.

import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { InputError } from "../errors.ts";
import type { ComparedAnswers, NamedEvaluation } from "./report-data.ts";
import type { StoredEvaluation } from "./stored-evaluations.ts";

/** What a report needs of each benchmark's evaluation; figures, which may be null, are not among it. */
const KEYS: Readonly<Record<StoredEvaluation["benchmark"], readonly string[]>> = {
  pairs: ["interval", "n", "subsets", "baselines", "rejected"],
  rewardbench: [
    "interval",
    "n",
    "subsets",
    "sections",
    "sectionIntervals",
    "baselineScores",
    "missing",
    "unknown",
    "rejected",
  ],
  rewardbench2: ["interval", "subsets", "missing"],
  "best-of-n": ["curve"],
};

/**
 * Reads what `armorm evaluate … --json` has printed, or the `evaluation.json` of its folder, which the evaluation is then
 * called after.
 *
 * @param model The model reported on: of an evaluation of several models, its own is taken.
 * @throws {InputError} `not-a-report`, `malformed-json`, `missing-file`; `other-model` if it is not among several.
 */
export async function readEvaluation(path: string, model: string): Promise<NamedEvaluation> {
  const remedy = "give a file that `armorm evaluate … --json` has printed";
  const document = parseFields(await readText(path, remedy), path, "an evaluation", remedy, ["benchmark"]);
  const keys = new Map(Object.entries(KEYS)).get(String(document.benchmark));
  if (!keys) {
    const what = `${path}: expected an evaluation of ${Object.keys(KEYS).join(", ")}, got benchmark ${JSON.stringify(document.benchmark)}`;
    throw new InputError("not-a-report", what, remedy);
  }
  const evaluation = "models" in document ? pickModel(document, path, model) : document;
  requireFields(evaluation, path, "an evaluation", remedy, keys);
  const file = basename(path).replace(/\.json$/i, "");
  const name = file === "evaluation" ? basename(dirname(resolve(path))) : file;
  return { name, evaluation: evaluation as unknown as StoredEvaluation };
}

/** The evaluation of one model among several: of the same name, or of the same folder. */
function pickModel({ models }: Fields, path: string, model: string): Fields {
  const list = (Array.isArray(models) ? models : []) as readonly Fields[];
  const own =
    list.find((evaluation) => evaluation.model === model) ??
    list.find(
      (evaluation) => typeof evaluation.model === "string" && resolve(evaluation.model) === resolve(model),
    );
  if (own) return own;
  throw new InputError(
    "other-model",
    `${path}: expected an evaluation of ${model}, got those of ${list.map((evaluation) => evaluation.model).join(", ")}`,
    "name the model as it was named there, or evaluate it",
  );
}

/**
 * Reads what `armorm compare --json` has printed, one comparison per line. Rows that could not be compared are skipped.
 *
 * @throws {InputError} If a line is something else.
 */
export async function readComparedAnswers(path: string): Promise<ComparedAnswers[]> {
  const remedy = "give a file that `armorm compare --json` has printed";
  const lines = (await readText(path, remedy)).split("\n");
  return lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    const read = (keys: readonly string[]) =>
      parseFields(line, `${path}, line ${index + 1}`, "a comparison", remedy, keys);
    if (read([]).error !== undefined) return [];
    return [read(["responses", "ranking", "pairs"]) as unknown as ComparedAnswers];
  });
}

async function readText(path: string, remedy: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InputError("missing-file", `${path}: expected a file, got ${code ?? "none"}`, remedy);
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** A JSON object that has the named keys. */
export function parseFields(
  text: string,
  where: string,
  what: string,
  remedy: string,
  keys: readonly string[],
): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(
      "malformed-json",
      `${where}: expected ${what}, got something that is not JSON`,
      remedy,
    );
  }
  const fields = (typeof value === "object" && value !== null ? value : {}) as Fields;
  requireFields(fields, where, what, remedy, keys);
  return fields;
}

function requireFields(
  fields: Fields,
  where: string,
  what: string,
  remedy: string,
  keys: readonly string[],
): void {
  const missing = keys.find((key) => (fields[key] ?? null) === null);
  if (missing === undefined) return;
  throw new InputError("not-a-report", `${where}: expected ${what}, got JSON without ${missing}`, remedy);
}

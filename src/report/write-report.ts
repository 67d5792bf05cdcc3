import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { locateCheckpoint } from "../checkpoint/location.ts";
import { InputError } from "../errors.ts";
import { openModelDirectory } from "../opening/open-model-directory.ts";
import { renderReport } from "./report.ts";
import type { ComparedAnswers, NamedEvaluation, ReportData, StoredTraining } from "./report-data.ts";

export interface WriteReportOptions {
  /** Evaluations of the model, to stand beside its training. */
  readonly evaluations?: readonly NamedEvaluation[];
  readonly comparisons?: readonly ComparedAnswers[];
  /** The file to write. Default: `report.html` in the model directory; in the current folder for a model on the hub. */
  readonly out?: string;
}

/**
 * Writes a report on a model directory: its training, if it says anything of it, and what is given beside it.
 *
 * @returns The file's path. @throws {InputError} If the directory is no model, or its `training.json` is damaged.
 */
export async function writeReport(
  location: string,
  { evaluations = [], comparisons = [], ...options }: WriteReportOptions = {},
): Promise<string> {
  const { directory, name } = await locateCheckpoint(location);
  const model = await openModelDirectory(name);
  const training = await readTraining(directory);
  const data: ReportData = {
    title: directory === name ? basename(resolve(directory)) : name,
    model: { ...model, heads: model.kind === "armorm" ? model.heads : model.scorer },
    ...(training ? { training } : {}),
    evaluations,
    comparisons,
  };
  const { out = join(directory === name ? directory : ".", "report.html") } = options;
  const temporary = join(dirname(out), `.${basename(out)}.tmp`);
  await mkdir(dirname(out), { recursive: true });
  await writeFile(temporary, renderReport(data));
  await rename(temporary, out);
  return out;
}

/** A checkpoint from elsewhere has no report of its training. */
async function readTraining(directory: string): Promise<StoredTraining | undefined> {
  const path = join(directory, "training.json");
  if (!existsSync(path)) return undefined;
  const remedy = "train the model again";
  return parse(await readFile(path, "utf8"), path, "a training report", remedy, [
    "rows",
    "objectives",
    "transform",
    "accuracy",
    "history",
  ]) as unknown as StoredTraining;
}

/** Reads what `armorm evaluate pairs --json` has printed. @throws {InputError} If the file is something else. */
export async function readEvaluation(path: string): Promise<NamedEvaluation> {
  const remedy = "give a file that `armorm evaluate pairs --json` has printed";
  const text = await readText(path, remedy);
  const keys = ["benchmark", "score", "interval", "n", "subsets", "baselines", "rejected"];
  const evaluation = parse(text, path, "an evaluation of pairs", remedy, keys);
  return {
    name: basename(path).replace(/\.json$/i, ""),
    evaluation: evaluation as unknown as NamedEvaluation["evaluation"],
  };
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
      parse(line, `${path}, line ${index + 1}`, "a comparison", remedy, keys);
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
function parse(text: string, where: string, what: string, remedy: string, keys: readonly string[]): Fields {
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
  const missing = keys.find((key) => (fields[key] ?? null) === null);
  if (missing === undefined) return fields;
  throw new InputError("not-a-report", `${where}: expected ${what}, got JSON without ${missing}`, remedy);
}

import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { locateCheckpoint } from "../checkpoint/location.ts";
import { openModelDirectory } from "../opening/open-model-directory.ts";
import { type ModelComparisonData, renderModelComparison } from "./model-comparison.ts";
import { parseFields } from "./read-files.ts";
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
  await writePage(out, renderReport(data));
  return out;
}

/** Writes a page on which models stand side by side. @param out The file to write. @returns Its path. */
export async function writeModelComparison(out: string, data: ModelComparisonData): Promise<string> {
  await writePage(out, renderModelComparison(data));
  return out;
}

/** Whole or not at all. */
async function writePage(out: string, text: string): Promise<void> {
  const temporary = join(dirname(out), `.${basename(out)}.tmp`);
  await mkdir(dirname(out), { recursive: true });
  await writeFile(temporary, text);
  await rename(temporary, out);
}

/** A checkpoint from elsewhere has no report of its training. */
async function readTraining(directory: string): Promise<StoredTraining | undefined> {
  const path = join(directory, "training.json");
  if (!existsSync(path)) return undefined;
  const remedy = "train the model again";
  return parseFields(await readFile(path, "utf8"), path, "a training report", remedy, [
    "rows",
    "objectives",
    "transform",
    "accuracy",
    "history",
  ]) as unknown as StoredTraining;
}

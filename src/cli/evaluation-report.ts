// Reports of evaluations, in the folder of `--out`.

import { join } from "node:path";
import type { NamedEvaluation } from "../report/report-data.ts";
import { type EvaluationFlags, fileNames } from "./evaluation-run.ts";

const REPORT = "report.html";

/** A model as the page on all of them names it. */
export interface ReportedPage {
  readonly label: string;
  readonly name: string;
  readonly page: string;
}

/**
 * A report for every model; of several models, a page on which they stand side by side, where there is one, before the
 * others.
 *
 * @returns The pages' paths, with commas between them.
 */
export async function writeReports(
  flags: EvaluationFlags,
  out: string,
  evaluations: readonly Omit<NamedEvaluation, "name">[],
  writeSideBySide?: (path: string, name: string, models: readonly ReportedPage[]) => Promise<string>,
): Promise<string> {
  const { writeReport } = await import("../report/write-report.ts");
  const labels = fileNames(flags.model);
  const name = await nameOf((flags.data ?? flags.embeddings)!);
  const written: string[] = [];
  const pages: ReportedPage[] = [];
  for (const [i, evaluation] of evaluations.entries()) {
    const model = flags.model[i]!;
    const page = evaluations.length === 1 ? REPORT : pageOf(labels[i]!);
    written.push(await writeReport(model, { evaluations: [{ name, ...evaluation }], out: join(out, page) }));
    pages.push({ label: labels[i]!, name: model, page });
  }
  if (pages.length > 1 && writeSideBySide) {
    written.unshift(await writeSideBySide(join(out, REPORT), name, pages));
  }
  return written.join(", ");
}

/** A model's own page; one called `report` does not take the place of the page on all of them. */
const pageOf = (label: string): string => (label === "report" ? "report.model.html" : `${label}.html`);

/** What the report calls the data: the names of files, folders or data sets. */
async function nameOf(locations: readonly string[]): Promise<string> {
  const { parseDataLocation } = await import("../data/location.ts");
  return locations.map((location) => parseDataLocation(location).source).join(", ");
}

import { remedyFor } from "../armo/ridge-status.ts";
import type { TrainingReport } from "../armo/training-report.ts";
import { printDiagnostics } from "./diagnostics.ts";
import { fixed, integer, percent, print, table } from "./output.ts";

/** The tables that a training run ends with. */
export function printTrainingReport(report: TrainingReport): void {
  const { ratings, pairs } = report.rows;
  for (const [what, rows] of [
    ["ratings", ratings],
    ["pairs", pairs],
  ] as const) {
    const overlaps = `${integer(rows.overlaps)} share a prompt with the evaluation sets, ${integer(rows.dropped)} dropped, ${integer(rows.remaining)} left`;
    print(`${what}: ${integer(rows.used)} rows used, ${integer(rows.test)} kept for testing; ${overlaps}`);
  }
  print();
  print(objectiveTable(report));
  for (const { name, reason, remedy } of report.dropped) print(`not fitted: ${name} (${reason}: ${remedy})`);
  for (const { name, caution } of report.objectives) {
    if (caution) print(`careful: ${name} (${caution}: ${remedyFor(caution)})`);
  }
  if (report.passes > 1) print(`regression: ${integer(report.passes)} passes over the ratings, by --memory`);
  print();
  print(`on ${integer(report.validationPairs)} validation pairs, the preferred response wins by`);
  const accuracies = Object.entries(report.accuracy).map(([name, accuracy]) => [name, percent(accuracy)]);
  print(table([{ title: "" }, { title: "accuracy", align: "right" }], accuracies));
  if (report.diagnostics) printDiagnostics(report.diagnostics);
}

function objectiveTable({ objectives, transform, debias, correlation }: TrainingReport): string {
  const columns = [
    { title: "objective" },
    { title: "rows", align: "right" },
    { title: "α", align: "right" },
    { title: "error", align: "right" },
    { title: "R²", align: "right" },
    ...debias.flatMap((target) => [
      { title: `${correlation === "pearson" ? "r" : "ρ"}(${target})`, align: "right" as const },
      { title: "debiased", align: "right" as const },
      { title: "held out", align: "right" as const },
      { title: "λ", align: "right" as const },
    ]),
    { title: "" },
  ] as const;
  const rows = objectives.map((objective, k) => {
    const { penalties, before, after, heldOutAfter, status } = transform[k]!;
    const cells = debias.flatMap((_, v) =>
      status === "target"
        ? ["", "", "", ""]
        : [fixed(before[v], 2), fixed(after[v], 2), fixed(heldOutAfter[v], 2), fixed(penalties[v], 2)],
    );
    return [
      objective.name,
      integer(objective.trainRows),
      String(objective.alpha),
      fixed(objective.validationError, 4),
      fixed(objective.r2, 2),
      ...cells,
      status === "ok" ? "" : status,
    ];
  });
  return table(columns, rows);
}

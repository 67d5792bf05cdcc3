import { accuracySections } from "./accuracy.ts";
import { calibrationSection } from "./calibration.ts";
import { comparisonSection } from "./comparisons.ts";
import { courseSection } from "./course.ts";
import { gateSection } from "./gate.ts";
import { html } from "./html.ts";
import { lengthSection } from "./length.ts";
import { objectiveSection } from "./objectives.ts";
import type { ReportData } from "./report-data.ts";
import { STYLE } from "./style.ts";
import { settingsSection, summary } from "./summary.ts";

/**
 * A report on a model as one HTML file: it loads nothing, follows the reader's light or dark scheme, and prints.
 *
 * The same data give the same bytes. Names and texts are escaped. A section whose data are missing is left out.
 */
export function renderReport(data: ReportData): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${data.title} · armorm report</title>
${STYLE}
</head>
<body>
<main>
${summary(data)}
${accuracySections(data)}
${objectiveSection(data)}
${lengthSection(data)}
${gateSection(data)}
${calibrationSection(data)}
${comparisonSection(data)}
${courseSection(data)}
${settingsSection(data)}
<footer>Written by armorm. Scores are real numbers, not probabilities: compare scores of responses to one prompt only.</footer>
</main>
</body>
</html>
`;
  return page.text;
}

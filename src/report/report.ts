import { accuracySection } from "./accuracy.ts";
import { bestOfNSection } from "./best-of-n.ts";
import { calibrationSection } from "./calibration.ts";
import { clusterSection } from "./clusters.ts";
import { comparisonSection } from "./comparisons.ts";
import { courseSection } from "./course.ts";
import { diagnosisSection } from "./diagnosis.ts";
import { evaluatedObjectiveSection } from "./evaluated-objectives.ts";
import { gateSection } from "./gate.ts";
import { hardestSection } from "./hardest.ts";
import { html } from "./html.ts";
import { lengthSection } from "./length.ts";
import { marginSection } from "./margins.ts";
import { objectiveSection } from "./objectives.ts";
import { page } from "./page.ts";
import type { ReportData } from "./report-data.ts";
import { rewardBenchSection } from "./reward-bench.ts";
import { rewardBench2Section } from "./reward-bench-2.ts";
import { settingsSection } from "./settings.ts";
import { steeringSection } from "./steering.ts";
import { summary } from "./summary.ts";

/**
 * A report on a model as one HTML file: it loads nothing, follows the reader's light or dark scheme, and prints.
 *
 * The same data give the same bytes. Names and texts are escaped. A section whose data are missing is left out.
 */
export function renderReport(data: ReportData): string {
  return page(
    data.title,
    html`${summary(data)}
${rewardBenchSection(data)}
${rewardBench2Section(data)}
${bestOfNSection(data)}
${accuracySection(data)}
${steeringSection(data)}
${lengthSection(data)}
${evaluatedObjectiveSection(data)}
${marginSection(data)}
${calibrationSection(data)}
${diagnosisSection(data)}
${gateSection(data)}
${clusterSection(data)}
${hardestSection(data)}
${comparisonSection(data)}
${objectiveSection(data)}
${courseSection(data)}
${settingsSection(data)}`,
  );
}

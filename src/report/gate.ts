import type { GateMeans } from "../armo/gate-means.ts";
import type { ByObjective } from "../reward-model.ts";
import { type Content, type Html, html } from "./html.ts";
import { fixed, integer } from "./numbers.ts";
import type { ReportData, StoredTraining } from "./report-data.ts";
import { details, section } from "./section.ts";
import { ofPairs } from "./stored-evaluations.ts";

/** How the gate mixes objectives, by subset, source or family: a heat map per set of pairs. */
export function gateSection({ evaluations = [], training }: ReportData): Html | null {
  const sets = [
    ...ofPairs(evaluations).flatMap(({ name, evaluation }) => [
      ...(evaluation.benchmark === "rewardbench"
        ? [{ name: `${name}, by section`, means: evaluation.gatingBySection ?? {} }]
        : []),
      { name, means: evaluation.gating ?? {} },
    ]),
    { name: "validation pairs", means: training?.gating ?? {} },
  ].filter(({ means }) => Object.keys(means).length > 0);
  if (sets.length === 0) return null;
  const targets = emptiedObjectives(training);
  const shown = sets.some(({ means }) => objectivesOf(means).some((name) => targets.has(name)));
  return section(
    "gate",
    "What the gate weighs",
    "Mean gating output by kind of prompt: how much each objective counts there. Rows that look alike say that the gate hardly tells these prompts apart.",
    html`<div class="maps">${sets.filter(isShort).map(({ name, means }) => heatMap(name, means, targets))}</div>
${sets.filter((set) => !isShort(set)).map(({ name, means }) => details(`${name}: ${integer(Object.keys(means).length)} kinds of prompts`, heatMap(name, means, targets)))}
${shown && EMPTIED}`,
  );
}

/** What debiasing leaves nothing of. */
export const emptiedObjectives = (training: StoredTraining | undefined): ReadonlySet<string> =>
  new Set(training?.transform.filter(({ status }) => status === "target").map(({ name }) => name));

/** What the star at their names says. */
export const EMPTIED = html`<p class="note">* Nothing of this reward is left after debiasing, so its weight counts for nothing.</p>`;

/** Rows of a map that is shown at once; larger ones are opened. */
const SHOWN = 16;

const isShort = ({ means }: { readonly means: GateMeans }): boolean => Object.keys(means).length <= SHOWN;

const objectivesOf = (means: GateMeans): string[] => [
  ...new Set(Object.values(means).flatMap(({ gatingOutput }) => Object.keys(gatingOutput))),
];

function heatMap(name: string, means: GateMeans, targets: ReadonlySet<string>): Html {
  // By name, so that the maps of two sets can be laid side by side.
  const groups = Object.entries(means).sort(([a], [b]) => (a < b ? -1 : 1));
  return drawHeatMap(
    name,
    objectivesOf(means),
    groups.map(([group, { n, gatingOutput }]) => ({
      label: html`${group} <small>${integer(n)}</small>`,
      gatingOutput,
    })),
    targets,
  );
}

/** Gating outputs, a row for each kind of prompts. */
export function drawHeatMap(
  name: string,
  objectives: readonly string[],
  kinds: readonly { readonly label: Content; readonly gatingOutput: ByObjective }[],
  targets: ReadonlySet<string>,
): Html {
  const largest = Math.max(...kinds.flatMap(({ gatingOutput }) => Object.values(gatingOutput)));
  // Names stand upright where they would not fit side by side.
  const upright = objectives.join("").length > 60;
  const heads = objectives.map(
    (objective) =>
      html`<th class="${upright && "upright"}"><span>${objective}${targets.has(objective) && "*"}</span></th>`,
  );
  const rows = kinds.map(({ label, gatingOutput }) => {
    const cells = objectives.map((objective) => {
      const value = gatingOutput[objective];
      const heat = largest > 0 ? Math.round((92 * Math.max(0, value ?? 0)) / largest) : 0;
      return html`<td class="${heat > 55 && "hot"}" style="--heat:${heat}%">${fixed(value, 2)}</td>`;
    });
    return html`<tr><th>${label}</th>${cells}</tr>`;
  });
  return html`<div class="scroll"><table class="heat">
<thead><tr><th>${name}</th>${heads}</tr></thead><tbody class="${upright && "narrow"}">${rows}</tbody></table></div>`;
}

import { explainDeath } from "../armo/dead-objectives.ts";
import type { TrainingDiagnostics } from "../armo/diagnostics.ts";
import { describeGateWarning } from "../armo/gate-effect.ts";
import type { GateEntropy, GroupEntropy } from "../armo/gate-entropy.ts";
import type { SeedSensitivity } from "../armo/seed-sensitivity.ts";
import { countAxis } from "./count-axis.ts";
import { type Html, html } from "./html.ts";
import { fixed, integer, isNumber, percent } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { at, linear, ticks } from "./scale.ts";
import { columns, section } from "./section.ts";

/** Whether the gate does anything: beside fixed weights, by its entropy, by what is dead, and beside other seeds. */
export function diagnosisSection({ training }: ReportData): Html | null {
  const found = training?.diagnostics;
  if (!found || Object.keys(found.objectives).length < 2) return null;
  const { gate, dead, seeds } = found;
  return section(
    "diagnosis",
    "Does the gate do anything?",
    "On the validation pairs. A gate that is worth having beats its own mean weights, which are the same for every prompt, and spreads its weights differently for different prompts.",
    html`${gate.warnings.map((warning) => html`<p class="warning">${describeGateWarning(warning)}</p>`)}
${columns([
  html`${effectTable(training.accuracy["trained gate"], gate.fixed)}${sourceTable(gate.entropy)}`,
  html`<figure>${histogram(gate.entropy)}
<figcaption>${describeEntropy(gate.entropy, Object.keys(found.objectives).length)}</figcaption></figure>`,
])}
${deadTable(dead)}
${seeds && seedTable(seeds)}`,
  );
}

function effectTable(accuracy: number, weights: TrainingDiagnostics["gate"]["fixed"]): Html {
  const rows = Object.entries(weights).map(
    ([name, { accuracy: share, changed }]) =>
      html`<tr><th>${name === "mean weights" ? "its mean weights, for every prompt" : "equal weights"}</th><td class="number">${percent(share)}</td><td class="number">${percent(changed)}</td></tr>`,
  );
  return html`<table><thead><tr><th>weights</th><th class="number">accuracy</th><th class="number">other preference</th></tr></thead>
<tbody><tr class="model"><th>the gate</th><td class="number">${percent(accuracy)}</td><td></td></tr>${rows}</tbody></table>`;
}

/** Sources that are listed; the larger ones. */
const SHOWN = 12;

function sourceTable({ bySource, ...all }: GateEntropy): Html {
  const sources = Object.entries(bySource).sort(([a, x], [b, y]) => y.n - x.n || (a < b ? -1 : 1));
  const row = (name: string, { n, entropy, effectiveObjectives }: GroupEntropy, kind: string) =>
    html`<tr class="${kind}"><th>${name} <small>${integer(n)}</small></th><td class="number">${fixed(entropy, 3)}</td><td class="number">${fixed(effectiveObjectives, 2)}</td></tr>`;
  const left = sources.length - SHOWN;
  return html`<h3>Entropy by source</h3>
<table><thead><tr><th>source</th><th class="number">entropy</th><th class="number">effective objectives</th></tr></thead>
<tbody>${row("all", all, "model")}${sources.slice(0, SHOWN).map(([name, figures]) => row(name, figures, ""))}</tbody></table>
${left > 0 && html`<p class="note">${integer(left)} smaller sources are in training.json.</p>`}`;
}

function describeEntropy(
  { effectiveObjectives, ofMeanWeights, promptDependence }: GateEntropy,
  K: number,
): string {
  return `entropy of the gate’s weights, one prompt each: 0, one objective takes all; 1, all ${integer(K)} weigh alike. On average ${fixed(effectiveObjectives, 1)} objectives are in effect; entropy of the mean weights ${fixed(ofMeanWeights, 2)}, of which ${fixed(promptDependence, 3)} depends on the prompt`;
}

const WIDTH = 500;
const LEFT = 52;
const RIGHT = 10;
const TOP = 24;
const BOTTOM = 196;

function histogram({ histogram: bins, entropy }: GateEntropy): Html {
  const x = linear([0, 1], [LEFT, WIDTH - RIGHT]);
  const most = Math.max(1, ...bins.map(({ n }) => n));
  const y = linear([0, most], [BOTTOM, TOP]);
  const grid = [
    ...countAxis(y, LEFT, WIDTH - RIGHT),
    ...ticks([0, 1], 5).map(
      (value) =>
        html`<text x="${at(x(value))}" y="${BOTTOM + 18}" text-anchor="middle">${fixed(value, 1)}</text>`,
    ),
  ];
  const bars = bins
    .filter(({ n }) => n > 0)
    .map(
      ({ from, to, n }) =>
        html`<rect class="bar" x="${at(x(from) + 0.5)}" width="${at(x(to) - x(from) - 1)}" y="${at(y(n))}" height="${at(BOTTOM - y(n))}"><title>${fixed(from, 2)} to ${fixed(to, 2)}: ${integer(n)} pairs</title></rect>`,
    );
  const mean = isNumber(entropy)
    ? html`<path class="chance" d="M${at(x(entropy))} ${TOP - 6}V${BOTTOM}"/><text class="value" x="${at(x(entropy))}" y="${TOP - 10}" text-anchor="${entropy > 0.9 ? "end" : "middle"}">mean ${fixed(entropy, 2)}</text>`
    : null;
  return html`<svg viewBox="0 0 ${WIDTH} ${BOTTOM + 40}" role="img" aria-label="Histogram of the gate’s entropy">${grid}${bars}
<path class="zero" d="M${LEFT} ${BOTTOM}H${WIDTH - RIGHT}"/>${mean}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${BOTTOM + 36}" text-anchor="middle">H / ln K</text></svg>`;
}

function deadTable(dead: TrainingDiagnostics["dead"]): Html {
  if (dead.length === 0) {
    return html`<p class="note">Every objective has weight somewhere, and turns some preference over.</p>`;
  }
  const rows = dead.map(
    ({ name, causes, largestMeanWeight }) =>
      html`<tr><th>${name}</th><td>${causes.map(explainDeath).join("; ")}</td><td class="number">${fixed(largestMeanWeight, 3)}</td></tr>`,
  );
  return html`<h3>Objectives without effect</h3>
<div class="scroll"><table class="dead"><thead><tr><th>objective</th><th>why</th><th class="number">largest mean weight, by source or cluster</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function seedTable({ runs, accuracy, loss, agreement, weightDeviations }: SeedSensitivity): Html {
  const figures = runs.map(
    ({ seed, accuracy: share, loss: value, bestStep }, i) =>
      html`<tr class="${i === 0 && "model"}"><th>${seed}${i === 0 && " (this model)"}</th><td class="number">${percent(share)}</td><td class="number">${fixed(value, 4)}</td><td class="number">${integer(bestStep)}</td></tr>`,
  );
  const weights = Object.entries(weightDeviations).map(
    ([name, deviation]) =>
      html`<tr><th>${name}</th>${runs.map((run) => html`<td class="number">${fixed(run.weights[name], 3)}</td>`)}<td class="number">${fixed(deviation, 3)}</td></tr>`,
  );
  const heads = runs.map(({ seed }) => html`<th class="number">${seed}</th>`);
  return html`<h3>Other seeds</h3>
<p class="note">The gate trained again with other initial weights and batches, on the same pairs. Two seeds prefer the same response in ${percent(agreement)} of the pairs. ±: standard deviation over seeds.</p>
${columns([
  html`<table><thead><tr><th>seed</th><th class="number">accuracy</th><th class="number">loss</th><th class="number">step</th></tr></thead>
<tbody>${figures}</tbody><tbody><tr><th>mean</th><td class="number">${percent(accuracy.mean)}</td><td class="number">${fixed(loss.mean, 4)}</td><td></td></tr><tr><th>±</th><td class="number">${percent(accuracy.standardDeviation)}</td><td class="number">${fixed(loss.standardDeviation, 4)}</td><td></td></tr></tbody></table>`,
  html`<div class="scroll"><table><thead><tr><th>mean weight by seed</th>${heads}<th class="number">±</th></tr></thead><tbody>${weights}</tbody></table></div>`,
])}`;
}

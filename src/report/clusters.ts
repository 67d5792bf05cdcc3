import type { PromptCluster, PromptName } from "../armo/prompt-clusters.ts";
import { drawHeatMap, EMPTIED, emptiedObjectives } from "./gate.ts";
import { type Html, html } from "./html.ts";
import { counted, fixed, integer, percent } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { details, section } from "./section.ts";

/** How the gate mixes objectives for kinds of prompts that nobody has named: a heat map over clusters of prompt embeddings. */
export function clusterSection({ training }: ReportData): Html | null {
  const found = training?.diagnostics?.clusters;
  if (!found || found.clusters.length === 0) return null;
  const objectives = Object.keys(found.clusters[0]!.gatingOutput);
  const targets = emptiedObjectives(training);
  const map = drawHeatMap(
    "cluster",
    objectives,
    found.clusters.map((cluster, c) => ({ label: labelOf(cluster, c), gatingOutput: cluster.gatingOutput })),
    targets,
  );
  return section(
    "clusters",
    "What the gate weighs, by cluster",
    html`Validation prompts that lie near each other as the gate sees them, whatever their source; mean gating output of each cluster. Clusters explain ${percent(found.explained, 0)} of how far prompts lie from their mean. Where clusters differ and sources do not, or the other way round, the gate looks at something else than the source.`,
    html`<div class="maps">${map}</div>
${objectives.some((name) => targets.has(name)) && EMPTIED}
${details("prompts in the middle of each cluster", nearestTable(found.clusters))}`,
  );
}

const labelOf = ({ n, sources }: PromptCluster, c: number): Html =>
  html`${integer(c + 1)} · ${sources.map(({ name, share }) => `${name} ${percent(share, 0)}`).join(", ")} <small>${integer(n)}</small>`;

function nearestTable(clusters: readonly PromptCluster[]): Html {
  const rows = clusters.map(
    ({ n, prompts, entropy, radius, nearest }, c) => html`<tr><th>${integer(c + 1)}</th>
<td class="quiet">${counted(prompts, "prompt")} in ${counted(n, "pair")}; entropy ${fixed(entropy, 2)}, radius ${fixed(radius, 2)}</td>
<td>${nearest.map(nameOf)}</td></tr>`,
  );
  return html`<div class="scroll"><table class="nearest">
<thead><tr><th>cluster</th><th>size</th><th>nearest to its centre: id, row of the data, prompt hash</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

const nameOf = ({ id, row, source, promptHash }: PromptName): Html =>
  html`<div>${id ?? "no id"} <span class="quiet">${source}, row ${integer(row)}</span> <code>${promptHash.slice(0, 16)}</code></div>`;

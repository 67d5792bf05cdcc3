import type { Steered, UnsteeredFigures } from "../evaluation/steering-effect.ts";
import { describeSteering } from "../scoring/steering.ts";
import { figureOf } from "./best-of-n.ts";
import { contributionBars } from "./contribution-bars.ts";
import { type Html, html } from "./html.ts";
import { integer, isNumber, type Maybe, points, signed } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { section } from "./section.ts";
import type { Named, StoredEvaluation } from "./stored-evaluations.ts";

/** What steering did to evaluations: the same rows with and without it. */
export function steeringSection({ evaluations = [] }: ReportData): Html | null {
  const steered = evaluations.filter(({ evaluation }) => evaluation.steeringEffect);
  if (steered.length === 0) return null;
  return section(
    "steering",
    "Steering",
    "The model was given another mixture than its own; everything on this page is about the model so steered. Here the same rows stand beside what the model says unsteered, and, for the rows in which it now prefers another response, what moved it there: how the contributions of the two responses' difference have changed, on average.",
    html`<div class="columns">${steered.map((named) => html`<div class="scroll">${effectOf(named)}</div>`)}</div>`,
  );
}

type Figures = Steered & Partial<Pick<UnsteeredFigures, "score" | "sections" | "subsets">>;

function effectOf({ name, evaluation }: Named<StoredEvaluation>): Html {
  const { steering, steeringEffect, score, sections = {}, subsets = {} }: Figures = evaluation;
  const { n, changed, better, worse, alike, moved, unsteered } = steeringEffect!;
  const graded = evaluation.benchmark === "best-of-n" && evaluation.graded;
  const figure = figureOf(graded);
  const change = (now: Maybe, before: Maybe) => {
    if (!isNumber(now) || !isNumber(before)) return "–";
    return graded ? signed(now - before, 2) : points(now - before);
  };
  const row = (title: string, now: Maybe, before: Maybe) =>
    html`<tr><th>${title}</th><td>${figure(before)}</td><td>${figure(now)}</td><td>${change(now, before)}</td></tr>`;
  const parts = [
    ...Object.entries(sections).map(([title, value]) => row(title, value, unsteered.sections[title])),
    ...Object.entries(subsets).map(([title, value]) =>
      row(title, value.accuracy, unsteered.subsets[title]?.accuracy),
    ),
  ];
  const same = alike > 0 ? `, ${integer(alike)} for one as good` : "";
  return html`<p>${steering && html`<b>${describeSteering(steering)}</b>: `}${integer(changed)} of ${integer(n)} rows changed${changed > 0 && `: ${integer(better)} for the better, ${integer(worse)} for the worse${same}`}.</p>
<table class="facts"><thead><tr><th>${name}</th><th>unsteered</th><th>steered</th><th>${graded ? "change" : "points"}</th></tr></thead>
<tbody>${row("score", score, unsteered.score)}${parts.length > 1 && parts}</tbody></table>
${changed > 0 && contributionBars(moved, "What moved the rows that changed, by objective")}`;
}

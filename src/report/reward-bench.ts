import { SECTION_NAMES, sectionOf } from "../evaluation/reward-bench.ts";
import { inOrder } from "./accuracy.ts";
import { intervalText } from "./accuracy-rows.ts";
import { type Content, type Html, html } from "./html.ts";
import { leftOut } from "./left-out.ts";
import { integer, isNumber, percent } from "./numbers.ts";
import { publishedTable } from "./published.ts";
import type { ReportData } from "./report-data.ts";
import { subsetTable } from "./reward-bench-subsets.ts";
import { at, linear } from "./scale.ts";
import { section } from "./section.ts";
import { type Named, ofBenchmark, type StoredRewardBench } from "./stored-evaluations.ts";

/** RewardBench 1: the sections beside what length alone and simpler mixtures reach, and the subsets they are made of. */
export function rewardBenchSection({ evaluations = [] }: ReportData): Html | null {
  const benches = ofBenchmark(evaluations, "rewardbench");
  if (benches.length === 0) return null;
  return section(
    "rewardbench",
    "RewardBench",
    "Accuracy by section, each the weighted mean of its subsets, with 95\u00a0% intervals, beside length alone and simpler mixtures of the same rewards. The dashed line is chance; ties and pairs that could not be scored count as wrong.",
    html`${benches.map(bench)}
${publishedTable()}`,
  );
}

function bench({ name, evaluation }: Named<StoredRewardBench>): Html {
  return html`<h3>${name} <small>${integer(evaluation.n)} pairs scored</small></h3>
${benchWarnings(evaluation)}
<div class="panels">${panels(evaluation)}</div>
${leftOut(evaluation)}
${subsetTable(evaluation)}`;
}

/** What makes these figures other than RewardBench's. */
export function benchWarnings({ subsets, missing, unknown, referenceCounts }: StoredRewardBench): Html[] {
  const other = Object.entries(subsets).filter(
    ([, { n, officialPairs }]) => officialPairs !== null && officialPairs !== n,
  );
  // A missing section has been named: its subsets need no second word.
  const subsetsOfRest = missing.subsets.filter(
    (name) => !missing.sections.some((section) => section === sectionOf(name)),
  );
  const list = (names: readonly string[]) => names.join(", ");
  const texts = [
    missing.sections.length > 0 &&
      `No four-section mean: nothing of ${list(missing.sections)} is in these data.`,
    other.length > 0 &&
      `This is not the official set: ${list(other.map(([name]) => name))} ${other.length === 1 ? "has" : "have"} another number of pairs.`,
    subsetsOfRest.length > 0 && `Missing, and out of their section’s mean: ${list(subsetsOfRest)}.`,
    unknown.length > 0 && `Outside the benchmark, counted for nothing: ${list(unknown)}.`,
    referenceCounts &&
      "The two xstest subsets are weighed by each other’s number of pairs, as published scores did: compare with those alone.",
  ].filter((warning) => typeof warning === "string");
  return texts.map((warning) => html`<p class="warning">${warning}</p>`);
}

type Figures = Pick<StoredRewardBench, "sections" | "score" | "priorSets">;

/** A small table per section, and of their mean. */
function panels(evaluation: StoredRewardBench): Content[] {
  const { sectionIntervals, interval, priorSets } = evaluation;
  const panel = (
    title: string,
    of: (figures: Figures) => number,
    bounds: readonly [number, number] | null,
  ) => {
    if (!isNumber(of(evaluation))) return null;
    const rows = inOrder(evaluation.baselineScores).map(
      ([rule, figures]) =>
        html`<tr class="baseline"><th>${rule}</th><td class="number">${percent(of(figures))}</td><td class="plot">${bar(of(figures), null)}</td></tr>`,
    );
    return html`<div class="panel"><h4>${title}${bounds && html` <small>${intervalText(bounds)}</small>`}</h4><table>
<tr class="model"><th>this model</th><td class="number">${percent(of(evaluation))}</td><td class="plot">${bar(of(evaluation), bounds)}</td></tr>${rows}</table></div>`;
  };
  return [
    panel("Four-section mean", ({ score }) => score, interval),
    ...SECTION_NAMES.map((name) => panel(name, ({ sections }) => sections[name], sectionIntervals[name])),
    isNumber(priorSets) && panel("Prior sets", (figures) => figures.priorSets, null),
  ];
}

const WIDTH = 110;
const HEIGHT = 14;
const x = linear([0, 1], [0, WIDTH]);

function bar(share: number, bounds: readonly [number, number] | null): Html | null {
  if (!isNumber(share)) return null;
  const [low, high] = bounds ?? [Number.NaN, Number.NaN];
  const y = HEIGHT / 2;
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" aria-hidden="true">
<rect class="track" width="${WIDTH}" y="2" height="${HEIGHT - 4}" rx="2"/><rect class="bar" width="${at(x(share))}" y="2" height="${HEIGHT - 4}" rx="2"/>
<path class="chance" d="M${at(x(0.5))} 0V${HEIGHT}"/>${isNumber(low) && isNumber(high) && html`<path class="reach" d="M${at(x(low))} ${y}H${at(x(high))}M${at(x(low))} ${y - 4}V${y + 4}M${at(x(high))} ${y - 4}V${y + 4}"/>`}</svg>`;
}

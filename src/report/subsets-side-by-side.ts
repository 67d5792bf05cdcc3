import { type Content, type Html, html } from "./html.ts";
import type { ModelComparisonData } from "./model-comparison.ts";
import { counted, integer, isNumber, percent, points } from "./numbers.ts";
import { at, linear, type Scale } from "./scale.ts";
import { details, section } from "./section.ts";

/** Rows shown at once; the others, where models differ less, are opened. */
const SHOWN = 12;

/** Accuracy by subset, the models as columns, the subsets on which they differ most first. */
export function subsetsSideBySide({ models }: ModelComparisonData): Html | null {
  const names = [...new Set(models.flatMap(({ evaluation }) => Object.keys(evaluation.subsets)))];
  if (names.length < 2) return null;
  const subsets = names.map((name) => subsetOf(name, models)).sort((a, b) => b.spread - a.spread);
  const reach = Math.max(0.01, ...subsets.map(({ spread }) => spread));
  const x = linear([-reach, reach], [2, WIDTH - 2]);
  const heads = models.map(({ label }) => html`<th class="number">${label}</th>`);
  const two = models.length === 2;
  const table = (rows: readonly Subset[]): Html => html`<div class="scroll"><table class="sides">
<thead><tr><th>subset</th>${heads}<th class="number" colspan="${two ? 2 : 1}">${two ? `${models[1]!.label} − ${models[0]!.label}, points` : "largest − smallest, points"}</th></tr></thead>
<tbody>${rows.map((subset) => row(subset, x))}</tbody></table></div>`;
  const more = subsets.slice(SHOWN);
  return section(
    "subsets",
    "Subsets side by side",
    "The subsets on which the models differ most first; small subsets differ by chance.",
    html`${table(subsets.slice(0, SHOWN))}
${more.length > 0 && details(`${counted(more.length, "more subset")}`, table(more))}`,
  );
}

interface Subset {
  readonly name: string;
  /** Pairs, by model. */
  readonly counts: readonly (number | undefined)[];
  readonly accuracies: readonly (number | undefined)[];
  /** Largest accuracy − smallest; 0 where fewer than two models have one. */
  readonly spread: number;
}

function subsetOf(name: string, models: ModelComparisonData["models"]): Subset {
  const results = models.map(({ evaluation }) => evaluation.subsets[name]);
  const accuracies = results.map((result) => result?.accuracy);
  const known = accuracies.filter(isNumber);
  const spread = known.length < 2 ? 0 : Math.max(...known) - Math.min(...known);
  return { name, counts: results.map((result) => result?.n), accuracies, spread };
}

function row({ name, counts, accuracies, spread }: Subset, x: Scale): Html {
  const pairs = [...new Set(counts.filter(isNumber))].map((count) => integer(count)).join(" / ");
  const best = Math.max(...accuracies.filter(isNumber));
  const cells = accuracies.map(
    (accuracy) =>
      html`<td class="number">${spread > 0 && accuracy === best ? html`<b>${percent(accuracy)}</b>` : percent(accuracy)}</td>`,
  );
  return html`<tr><th>${name} <small>${pairs}</small></th>${cells}${difference(accuracies, spread, x)}</tr>`;
}

/** Of two models with its sign and a bar; of more, how far they lie apart. */
function difference(accuracies: Subset["accuracies"], spread: number, x: Scale): Content {
  if (accuracies.length > 2) return html`<td class="number">${(100 * spread).toFixed(1)}</td>`;
  const [first, second] = accuracies;
  if (!isNumber(first) || !isNumber(second)) return html`<td class="number">–</td><td></td>`;
  return html`<td class="number">${points(second - first)}</td><td class="plot">${bar(second - first, x)}</td>`;
}

const WIDTH = 160;
const HEIGHT = 16;

function bar(value: number, x: Scale): Html {
  const [zero, end] = [x(0), x(value)];
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" aria-hidden="true">
<rect class="${value < 0 ? "negative" : "bar"}" x="${at(Math.min(zero, end))}" width="${at(Math.abs(end - zero))}" y="3" height="${HEIGHT - 6}" rx="2"/><path class="zero" d="M${at(zero)} 0V${HEIGHT}"/></svg>`;
}

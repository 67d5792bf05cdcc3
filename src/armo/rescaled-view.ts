// Statistics of ratings as they were given, seen as those of labels on another scale. H hidden size.

import type { RatingScale } from "../data/rating-scale.ts";
import { type LabelSums, NO_ROWS, type StatisticsView } from "./statistics-view.ts";

/** Where an objective is found, and how: `rating = label · multiply + add`. */
export interface LabelColumn {
  /** Its number in the statistics; null where these do not know it. */
  readonly column: number | null;
  readonly scale: RatingScale;
}

/**
 * A view of some objectives, in another order and scale.
 *
 * Labels enter the sums linearly and as squares, so y′ = (y − a) / m gives Σy′ = (Σy − a·n) / m, Xᵀy′ = (Xᵀy − a·Σx) / m and
 * Σy′² = (Σy² − 2a·Σy + a²·n) / m²: the same as if labels had been mapped before they were added, up to rounding. XᵀX stays as it is.
 */
export function rescaleView(
  view: StatisticsView,
  columns: readonly LabelColumn[],
  hiddenSize: number,
): StatisticsView {
  const nothing = () => new Float64Array(hiddenSize);
  const columnOf = (k: number) => columns[k]!.column;
  return {
    numObjectives: columns.length,
    sums(k) {
      const column = columnOf(k);
      return column === null ? NO_ROWS : rescaleSums(view.sums(column), columns[k]!.scale);
    },
    products(k) {
      const column = columnOf(k);
      if (column === null) return nothing();
      const { multiply, add } = columns[k]!.scale;
      const s = view.embeddingSums(column);
      return view.products(column).map((product, i) => (product - add * s[i]!) / multiply);
    },
    embeddingSums(k) {
      const column = columnOf(k);
      return column === null ? nothing() : view.embeddingSums(column);
    },
    groups(candidates) {
      const found = candidates.filter((k) => columnOf(k) !== null);
      const objectiveOf = new Map(found.map((k) => [columnOf(k)!, k]));
      return view.groups([...objectiveOf.keys()]).map(({ objectives, addGram }) => ({
        objectives: objectives.map((column) => objectiveOf.get(column)!),
        addGram,
      }));
    },
  };
}

function rescaleSums(sums: LabelSums, { multiply: m, add: a }: RatingScale): LabelSums {
  const { rows, weight, total, squares, minimum, maximum } = sums;
  if (rows === 0) return NO_ROWS;
  const [first, last] = [(minimum - a) / m, (maximum - a) / m];
  return {
    rows,
    weight,
    total: (total - a * weight) / m,
    squares: (squares - 2 * a * total + a * a * weight) / (m * m),
    minimum: Math.min(first, last),
    maximum: Math.max(first, last),
  };
}

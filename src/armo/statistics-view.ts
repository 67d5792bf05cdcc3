// What the equations of ridge regression are made of, from one set of rows or from several together. H hidden size, K objectives.

/** Σ over the rows of one objective that were rated; all but the number of rows by weight. */
export interface LabelSums {
  readonly rows: number;
  /** Σ of the weights. */
  readonly weight: number;
  /** Σ y. */
  readonly total: number;
  /** Σ y². */
  readonly squares: number;
  /** The smallest and the largest label; ±Infinity without rows. */
  readonly minimum: number;
  readonly maximum: number;
}

export const NO_ROWS: LabelSums = {
  rows: 0,
  weight: 0,
  total: 0,
  squares: 0,
  minimum: Number.POSITIVE_INFINITY,
  maximum: Number.NEGATIVE_INFINITY,
};

export const addSums = (a: LabelSums, b: LabelSums): LabelSums => ({
  rows: a.rows + b.rows,
  weight: a.weight + b.weight,
  total: a.total + b.total,
  squares: a.squares + b.squares,
  minimum: Math.min(a.minimum, b.minimum),
  maximum: Math.max(a.maximum, b.maximum),
});

/** Objectives that are rated on exactly the same rows, and so share XᵀX. */
export interface ObjectiveGroup {
  readonly objectives: readonly number[];
  /** Adds XᵀX over the group's rows to the lower triangle of `matrix [H, H]`, with `mirror` to all of it. */
  addGram(matrix: Float64Array, options?: { readonly mirror?: boolean }): Promise<void>;
}

/** Sufficient statistics of some rows; every sum counts a row by its weight. */
export interface StatisticsView {
  readonly numObjectives: number;
  /** Σ over the rated rows of objective k. */
  sums(k: number): LabelSums;
  /** Xᵀy over the rated rows of objective k, `[H]`. */
  products(k: number): Float64Array;
  /** Σ x over the rated rows of objective k, `[H]`. */
  embeddingSums(k: number): Float64Array;
  /** Objectives with rated rows among `candidates`, those with the same rows together. */
  groups(candidates: readonly number[]): ObjectiveGroup[];
}

/** The statistics of several sets of rows together; sums are taken in the order of `parts`. */
export function combineViews(parts: readonly StatisticsView[]): StatisticsView {
  const [first] = parts;
  if (first && parts.length === 1) return first;
  const add = (of: (part: StatisticsView) => Float64Array): Float64Array => {
    const [total, ...others] = parts.map(of);
    for (const other of others) for (let i = 0; i < total!.length; i++) total![i]! += other[i]!;
    return total!;
  };
  return {
    numObjectives: first?.numObjectives ?? 0,
    sums: (k) => parts.map((part) => part.sums(k)).reduce(addSums, NO_ROWS),
    products: (k) => add((part) => part.products(k)),
    embeddingSums: (k) => add((part) => part.embeddingSums(k)),
    groups(candidates) {
      const groupsByPart = parts.map((part) => part.groups(candidates));
      const groups = new Map<string, { objectives: number[]; members: ObjectiveGroup[] }>();
      for (const k of candidates) {
        // An objective's group in every part: −1 where it has no rows there.
        const places = groupsByPart.map((found) =>
          found.findIndex(({ objectives }) => objectives.includes(k)),
        );
        const members = places.flatMap((place, part) => (place < 0 ? [] : [groupsByPart[part]![place]!]));
        if (members.length === 0) continue;
        const signature = places.join();
        const group = groups.get(signature);
        if (group) group.objectives.push(k);
        else groups.set(signature, { objectives: [k], members });
      }
      return [...groups.values()].map(({ objectives, members }) => ({
        objectives,
        async addGram(matrix, options) {
          for (const member of members) await member.addGram(matrix, options);
        },
      }));
    },
  };
}

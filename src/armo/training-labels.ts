// Labels as the regression sees them: the objectives of several sets side by side, on one scale, and the derived length.
// N rows, K objectives, H hidden size.

import { readTensor } from "../checkpoint/safetensors.ts";
import type { RatingScale } from "../data/rating-scale.ts";
import type { EmbeddingSet, RatingsChunk } from "../embedding/embedding-set.ts";
import type { EmbeddingManifest, ObjectiveSummary } from "../embedding/manifest.ts";
import { InputError } from "../errors.ts";
import type { Objective } from "../reward-model.ts";

/** The objective that is derived from every response: the logarithm of its number of tokens. */
export const LENGTH = "length";

/** Objectives with the affine map from reward to rating: `rating = reward · multiply + add`. */
export interface LabelPlan {
  readonly objectives: readonly Objective[];
  /** Column of the derived length, or null. */
  readonly lengthColumn: number | null;
}

/**
 * Gathers the objectives of several sets of ratings.
 *
 * Objectives of one name are one objective. Ratings are mapped by the scale that was declared for them, otherwise to [0, 1]
 * by the range that occurs in the whole data, because the regression has no intercept; the map is kept in the model, so that rewards can be read on the scale of the
 * ratings.
 *
 * The derived `length` is missing, like any rating, in rows of sets that do not know their responses' lengths; it is no objective
 * where none does.
 *
 * @param options.names Objectives to fit. Default: all, and `length`.
 * @throws {InputError} `unknown-objective`, `repeated-objective`, `different-scales`.
 */
export async function planLabels(
  sets: readonly EmbeddingSet[],
  { names }: { names?: readonly string[] } = {},
): Promise<LabelPlan> {
  const measured = sets.filter((set) => set.knowsTexts);
  return await planObjectives(
    sets.map(({ manifest }) => manifest.objectives),
    measured.length > 0 ? () => lengthRange(measured) : null,
    names,
  );
}

/** The same from what is known of each set, and the range of the derived length over all of them; null where it is not known. */
export async function planObjectives(
  rated: readonly (readonly ObjectiveSummary[])[],
  lengths: (() => Promise<LengthRange>) | null,
  names: readonly string[] | undefined,
): Promise<LabelPlan> {
  const repeated = names?.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) {
    throw new InputError(
      "repeated-objective",
      `objectives: expected each name once, got ${repeated} twice`,
      "name it once",
    );
  }
  const found = new Map<string, { source: string; minimum: number; maximum: number; scale?: RatingScale }>();
  for (const { name, source, minimum, maximum, scale } of rated.flat()) {
    const known = found.get(name);
    requireSameScale(name, known?.scale, scale);
    const declared = known?.scale ?? scale;
    found.set(name, {
      ...(declared ? { scale: declared } : {}),
      source: known?.source ?? source,
      minimum: Math.min(minimum, known?.minimum ?? minimum),
      maximum: Math.max(maximum, known?.maximum ?? maximum),
    });
  }
  const derived = lengths !== null && !found.has(LENGTH) && (names?.includes(LENGTH) ?? true);
  if (derived) found.set(LENGTH, { source: "derived", ...(await lengths()) });
  const unknown = names?.filter((name) => !found.has(name)) ?? [];
  if (unknown.length > 0) {
    throw new InputError(
      "unknown-objective",
      `objectives: expected ones that are rated, got ${unknown.join(", ")}`,
      `rated are ${[...found.keys()].join(", ")}`,
    );
  }
  const order = names ?? [...found.keys()];
  return {
    objectives: order.map((name) => {
      const { source, minimum, maximum, scale } = found.get(name)!;
      const occurring = { multiply: maximum > minimum ? maximum - minimum : 1, add: minimum };
      return { name, source, scale: scale ?? occurring };
    }),
    lengthColumn: derived ? order.indexOf(LENGTH) : null,
  };
}

function requireSameScale(name: string, a: RatingScale | undefined, b: RatingScale | undefined): void {
  if (!a || !b || (a.multiply === b.multiply && a.add === b.add)) return;
  const text = ({ multiply, add }: RatingScale) => `rating = reward · ${multiply} + ${add}`;
  throw new InputError(
    "different-scales",
    `${name}: expected one scale in all sets, got ${text(a)} and ${text(b)}`,
    "embed one of the sets again with the scale of the other",
  );
}

/** The labels of one chunk, `[n, K]` in the plan's order and on its scale; NaN = missing. */
export function labelsOf(plan: LabelPlan, manifest: EmbeddingManifest, chunk: RatingsChunk): Float64Array {
  const n = chunk.rows.length;
  const width = manifest.objectives.length;
  const columns = plan.objectives.map(({ name }) => manifest.objectives.findIndex((o) => o.name === name));
  const labels = new Float64Array(n * columns.length);
  for (const [k, column] of columns.entries()) {
    const { multiply, add } = plan.objectives[k]!.scale!;
    for (let i = 0; i < n; i++) {
      const rating =
        k === plan.lengthColumn
          ? logLength(chunk.responseTokens?.[i] ?? Number.NaN)
          : column < 0
            ? Number.NaN
            : chunk.labels[i * width + column]!;
      labels[i * columns.length + k] = (rating - add) / multiply;
    }
  }
  return labels;
}

/** Logarithms of numbers of tokens. */
export interface LengthRange {
  readonly minimum: number;
  readonly maximum: number;
}

export const logLength = (tokens: number): number => Math.log(Math.max(1, tokens));

async function lengthRange(sets: readonly EmbeddingSet[]): Promise<LengthRange> {
  let [minimum, maximum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const range of (await Promise.all(sets.map((set) => set.ranges("response_tokens")))).flat()) {
    for (const tokens of (await readTensor(range)).data as Int32Array) {
      minimum = Math.min(minimum, logLength(tokens));
      maximum = Math.max(maximum, logLength(tokens));
    }
  }
  return { minimum, maximum };
}

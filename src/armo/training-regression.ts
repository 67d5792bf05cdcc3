// Stage 1 of a training run: from sets of ratings to weights. N rows, K objectives, H hidden size.

import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import { InputError } from "../errors.ts";
import { fitRidge, type RidgeFit, type RidgeOptions, remedyFor } from "./ridge.ts";
import { DEFAULT_ALPHAS } from "./ridge-fit.ts";
import type { GroupSplit } from "./split.ts";
import { type LabelPlan, LENGTH, labelsOf } from "./training-labels.ts";
import type { DroppedObjective } from "./training-report.ts";
import type { RowUse } from "./training-rows.ts";

/** How stage 1 is fitted; see `RidgeOptions` for the defaults and what each does. */
export interface RegressionOptions extends Pick<RidgeOptions, "folds" | "refit" | "intercept" | "memory"> {
  /** Penalties to try, ascending or not; by name where objectives differ, the others then try the default ones. */
  readonly alphas?: readonly number[] | Readonly<Record<string, readonly number[]>>;
  /** How often each rating of a source counts, above 0, by the source's name. Default: once. */
  readonly sourceWeights?: Readonly<Record<string, number>>;
}

/** The same with the defaults filled in; null: none, no limit. */
export type ResolvedRegression = { readonly [K in keyof RegressionOptions]-?: RegressionOptions[K] | null };

export const resolveRegression = ({
  alphas = DEFAULT_ALPHAS,
  folds,
  intercept = false,
  refit = false,
  memory,
  sourceWeights,
}: RegressionOptions = {}): ResolvedRegression => ({
  alphas,
  folds: folds ?? null,
  intercept,
  refit,
  memory: memory ?? null,
  sourceWeights: sourceWeights ?? null,
});

export interface ObjectiveFits {
  readonly ratings: readonly EmbeddingSet[];
  readonly plan: LabelPlan;
  readonly use: RowUse;
  /** Of the used rows. */
  readonly split: GroupSplit;
  readonly regression: RegressionOptions;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * One ridge regression per objective of the plan.
 *
 * @throws {InputError} `unknown-objective` and `unknown-source` where an option names something that is not there; `not-finite`
 *   with the set and row; as `fitRidge`.
 */
export async function fitObjectives(options: ObjectiveFits): Promise<RidgeFit> {
  const { plan, ratings, split, regression, signal } = options;
  const { sourceWeights, alphas, ...rest } = regression;
  if (sourceWeights) await requireSources(ratings, Object.keys(sourceWeights));
  return await fitRidge(() => labelledRows(options), {
    ...rest,
    ...(alphas ? { alphas: alphasOf(plan, alphas) } : {}),
    hiddenSize: ratings[0]!.hiddenSize,
    split,
    ...(signal ? { signal } : {}),
  });
}

/**
 * The objectives that have weights, these as f32 `[kept, H]`; the others with reason and remedy.
 *
 * An intercept goes into the objective's scale, rating = reward · multiply + add: rewards stay linear in the embedding, as the published
 * layout has them, and predicted ratings include it. All responses to a prompt are off by the same, so no comparison changes.
 *
 * @throws {InputError} `no-objective` where none but the length is left.
 */
export function stableObjectives({ objectives }: LabelPlan, fit: RidgeFit, hiddenSize: number) {
  const H = hiddenSize;
  const kept = [...objectives.keys()].filter((k) => fit.status[k] === "ok");
  const dropped: DroppedObjective[] = [...objectives.keys()]
    .filter((k) => fit.status[k] !== "ok")
    .map((k) => ({
      name: objectives[k]!.name,
      reason: fit.status[k]!,
      remedy: remedyFor(fit.status[k]!)!,
    }));
  if (!kept.some((k) => objectives[k]!.name !== LENGTH)) {
    throw new InputError(
      "no-objective",
      `train: expected at least one objective that can be fitted, got ${dropped.map((d) => `${d.name}: ${d.reason}`).join(", ") || "none but length"}`,
      dropped.length > 0
        ? [...new Set(dropped.map(({ remedy }) => remedy))].join("; ")
        : "add ratings, or name other objectives",
    );
  }
  const weights = new Float32Array(kept.length * H);
  for (const [i, k] of kept.entries()) weights.set(fit.weights.subarray(k * H, (k + 1) * H), i * H);
  const scaled = kept.map((k) => {
    const objective = objectives[k]!;
    const { multiply, add } = objective.scale!;
    return { ...objective, scale: { multiply, add: add + fit.intercepts[k]! * multiply } };
  });
  return { kept, objectives: scaled, dropped, weights };
}

/** The used rows of the ratings, chunk by chunk, with their labels on the plan's scale. */
export async function* labelledRows({
  plan,
  use: { used },
  regression,
  ...options
}: Omit<ObjectiveFits, "split">) {
  const K = plan.objectives.length;
  const { sourceWeights } = regression;
  let row = 0;
  for (const set of options.ratings) {
    const H = set.hiddenSize;
    for await (const chunk of set.ratings()) {
      options.signal?.throwIfAborted();
      const labels = labelsOf(plan, set.manifest, chunk);
      const embeddings = chunk.embeddings;
      const kept: number[] = [];
      // Used rows move to the front of the chunk, over the ones left out.
      for (let i = 0; i < chunk.rows.length; i++, row++) {
        if (!used[row]) continue;
        embeddings.copyWithin(kept.length * H, i * H, (i + 1) * H);
        labels.copyWithin(kept.length * K, i * K, (i + 1) * K);
        kept.push(i);
      }
      options.onProgress?.(row, used.length);
      const n = kept.length;
      if (n === 0) continue;
      yield {
        embeddings: embeddings.subarray(0, n * H),
        labels: labels.subarray(0, n * K),
        ...(sourceWeights ? { weights: kept.map((i) => sourceWeights[chunk.rows[i]!.source] ?? 1) } : {}),
        nameOf: (i: number) => `${set.directory}, row ${chunk.rows[kept[i]!]!.row}`,
      };
    }
  }
}

export function alphasOf(
  { objectives }: LabelPlan,
  alphas: NonNullable<RegressionOptions["alphas"]>,
): NonNullable<RidgeOptions["alphas"]> {
  if (Array.isArray(alphas)) return alphas as readonly number[];
  const grids = alphas as Readonly<Record<string, readonly number[]>>;
  const names = objectives.map(({ name }) => name);
  const unknown = Object.keys(grids).filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new InputError(
      "unknown-objective",
      `alphas: expected objectives that are fitted, got ${unknown.join(", ")}`,
      `fitted are ${names.join(", ")}`,
    );
  }
  return names.map((name) => grids[name] ?? DEFAULT_ALPHAS);
}

async function requireSources(sets: readonly EmbeddingSet[], names: readonly string[]): Promise<void> {
  const known = new Set<string>();
  for (const set of sets) {
    for await (const infos of set.rowInfos()) for (const { source } of infos) known.add(source);
  }
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new InputError(
    "unknown-source",
    `sourceWeights: expected sources of the ratings, got ${unknown.join(", ")}`,
    `there are ${[...known].join(", ")}`,
  );
}

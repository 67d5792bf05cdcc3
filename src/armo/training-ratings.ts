// What a training run takes from ratings: objectives, rows and the fit, from embeddings or from statistics of them.

import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import { openGramProduct } from "../engine/gram.ts";
import { InputError } from "../errors.ts";
import { type RidgeFit, solveRidge } from "./ridge.ts";
import { requireDivision } from "./row-division.ts";
import type { TrainOptions } from "./train.ts";
import { type LabelPlan, logLength, planLabels, planObjectives } from "./training-labels.ts";
import { alphasOf, fitObjectives, type RegressionOptions } from "./training-regression.ts";
import { chooseRows, type RowRules, type RowUse, usedKeys } from "./training-rows.ts";
import type { SetIdentity } from "./training-sets.ts";
import type { TrainingStatistics } from "./training-statistics.ts";

/** Ratings, wherever their embeddings are. */
export interface TrainingRatings {
  readonly sets: readonly SetIdentity[];
  readonly use: RowUse;
  readonly plan: LabelPlan;
  fit(options: Pick<TrainOptions, "signal" | "onProgress">): Promise<RidgeFit>;
}

/** What decides on which side a prompt is, for both stages. */
export type SplitOptions = Required<
  Pick<TrainOptions, "validationFraction" | "testFraction" | "seed" | "dropOverlaps">
>;

/**
 * The split of a run: as asked, or as its statistics were divided.
 *
 * @throws {InputError} `different-statistics` where these are at odds.
 */
export function resolveSplit(options: TrainOptions): SplitOptions {
  const division = options.statistics?.division;
  if (division) requireDivision(division, options);
  return {
    validationFraction: options.validationFraction ?? division?.validationFraction ?? 0.2,
    testFraction: options.testFraction ?? division?.testFraction ?? 0,
    seed: options.seed ?? division?.seed ?? 0,
    dropOverlaps: options.dropOverlaps ?? (division !== undefined && division.dropped.length > 0),
  };
}

/** The regression's options, with those that its statistics were collected with. */
export function resolveFitting({ regression = {}, statistics }: TrainOptions): RegressionOptions {
  if (!statistics) return regression;
  const { folds, sourceWeights } = statistics.division;
  return {
    ...regression,
    ...(folds === null ? {} : { folds }),
    ...(sourceWeights === null ? {} : { sourceWeights }),
  };
}

/** @throws {InputError} What `planLabels` refuses; `different-statistics`. */
export async function openRatings(
  options: TrainOptions,
  rules: RowRules,
  validationFraction: number,
): Promise<TrainingRatings> {
  const { ratings = [], statistics, objectives: names } = options;
  return statistics
    ? await ratingsOfStatistics(statistics, options, rules)
    : await ratingsOfSets(ratings, names, options.regression ?? {}, rules, validationFraction);
}

async function ratingsOfSets(
  ratings: readonly EmbeddingSet[],
  names: readonly string[] | undefined,
  regression: RegressionOptions,
  rules: RowRules,
  fraction: number,
): Promise<TrainingRatings> {
  const plan = await planLabels(ratings, names ? { names } : {});
  const use = await chooseRows(ratings, rules);
  const split = { fraction, seed: rules.seed, groups: usedKeys(use) };
  return {
    ...{ sets: ratings, use, plan },
    fit: ({ signal, onProgress }) =>
      fitObjectives({ ratings, plan, use, split, regression, signal, onProgress }),
  };
}

async function ratingsOfStatistics(
  statistics: TrainingStatistics,
  { objectives: names, regression = {} }: TrainOptions,
  rules: RowRules,
): Promise<TrainingRatings> {
  const { sets, hiddenSize } = statistics;
  const lengths = sets.flatMap(({ tokens }) => tokens ?? []);
  const range = async () => ({
    minimum: Math.min(...lengths.map(({ minimum }) => logLength(minimum))),
    maximum: Math.max(...lengths.map(({ maximum }) => logLength(maximum))),
  });
  const plan = await planObjectives(
    sets.map(({ manifest }) => manifest.objectives),
    lengths.length > 0 ? range : null,
    names,
  );
  return {
    ...{ sets, plan },
    use: await usedBefore(statistics, rules),
    async fit({ signal, onProgress }) {
      const gram = await openGramProduct(hiddenSize);
      try {
        const { alphas, intercept = false, refit = false } = regression;
        const sides = await statistics.sum(gram, plan, { signal, onProgress });
        return await solveRidge(sides, {
          ...{ intercept, refit },
          ...(alphas ? { alphas: alphasOf(plan, alphas) } : {}),
          ...(signal ? { signal } : {}),
        });
      } finally {
        await gram.close();
      }
    },
  };
}

/** The rows in the sums are used, whatever they are: they can only be counted now. */
async function usedBefore(
  { sets, readKeys }: TrainingStatistics,
  { evaluationKeys, dropOverlaps }: RowRules,
): Promise<RowUse> {
  const keys = await readKeys();
  let remaining = 0;
  for (const key of keys) if (evaluationKeys.has(key)) remaining++;
  if (dropOverlaps && remaining > 0) {
    throw new InputError(
      "different-statistics",
      `statistics: expected no row that shares a prompt with an evaluation set, got ${remaining}`,
      "collect them again: `armorm statistics collect … --drop-overlaps DIR` with these evaluation sets, or leave --drop-overlaps out",
    );
  }
  const sum = (name: "test" | "dropped") => sets.reduce((total, { rows }) => total + rows[name], 0);
  const dropped = sum("dropped");
  return {
    keys,
    used: new Uint8Array(keys.length).fill(1),
    ...{ test: sum("test"), dropped, remaining, overlaps: dropped + remaining },
  };
}

// Both training stages, in order: regression → debiasing → gating. N rows, K objectives, H hidden size.

import { basename, resolve } from "node:path";
import type { EmbeddingSet } from "../embedding/embedding-set.ts";
import { openPromptRows } from "../embedding/prompt-rows.ts";
import { RUNTIME_VERSION } from "../engine/runtime.ts";
import { InputError } from "../errors.ts";
import type { Objective } from "../reward-model.ts";
import { VERSION } from "../version.ts";
import {
  type CheckpointOptions,
  type GatingOptions,
  type PromptSource,
  type TrainGatingOptions,
  trainGating,
} from "./gating-training.ts";
import type { Heads } from "./heads.ts";
import { openProjection } from "./projection.ts";
import { type DebiasingOptions, fitRewardTransform, resolveDebiasing } from "./reward-transform.ts";
import { measureSeeds } from "./seed-sensitivity.ts";
import { sideOfRow } from "./split.ts";
import { LENGTH } from "./training-labels.ts";
import { baselineAccuracies, responseRewards, rewardPairs, rewardResponses } from "./training-pairs.ts";
import { openRatings, resolveFitting, resolveSplit } from "./training-ratings.ts";
import { type RegressionOptions, resolveRegression, stableObjectives } from "./training-regression.ts";
import {
  reportObjective,
  reportTransform,
  type SetReference,
  type TrainingReport,
  type TrainingSettings,
  type TrainingStage,
} from "./training-report.ts";
import {
  chooseRows,
  countRows,
  groupNames,
  lookUpPrompts,
  pairMargins,
  promptKeys,
  type RowUse,
  sortedKeys,
  usedKeys,
  usedRows,
} from "./training-rows.ts";
import { requireSets, type SetIdentity } from "./training-sets.ts";
import type { TrainingStatistics } from "./training-statistics.ts";
import { type ValidationPairs, validateHeads } from "./validation.ts";

export interface TrainOptions {
  /** Rated conversations, for stage 1. Default: none, where there are `statistics`. */
  readonly ratings?: readonly EmbeddingSet[];
  /**
   * In the place of ratings, whose embeddings need not be there. Split, folds, source weights and overlaps left out are those that they were
   * collected with; options that say otherwise are refused.
   */
  readonly statistics?: TrainingStatistics;
  /** Preference pairs, for stage 2. */
  readonly pairs: readonly EmbeddingSet[];
  /** The distribution over which rewards shall not depend on the debiased objectives. Default: the pairs' responses. */
  readonly reference?: readonly EmbeddingSet[];
  /** Sets that the model will be evaluated on: training rows that share a prompt with them are counted. */
  readonly evaluation?: readonly EmbeddingSet[];
  /** Leave such rows out. Default false. */
  readonly dropOverlaps?: boolean;
  /** Objectives to fit. Default: all that are rated, and `length`. */
  readonly objectives?: readonly string[];
  /** Objectives to debias against. Default `length` if it is fitted; none: `[]`. */
  readonly debias?: readonly string[];
  /** Share of prompts on which α is chosen and the gate is stopped. Default 0.2. */
  readonly validationFraction?: number;
  /** Share of prompts kept away from both stages, for evaluation afterwards. Default 0. */
  readonly testFraction?: number;
  /** Decides the splits, the gate's initial weights and its batches. Default 0. */
  readonly seed?: number;
  /**
   * Gates to train beside the one that is kept, with the seeds after `seed` on the same pairs and split: the report says how far results
   * depend on the seed. Costs as many trainings of the gate, none of which is kept in a checkpoint. Default 0.
   */
  readonly seedSensitivity?: number;
  readonly regression?: RegressionOptions;
  readonly debiasing?: DebiasingOptions;
  /** Groups of `balance` are subsets, or sources where there is no subset; margins are those of the pairs' data. */
  readonly gating?: GatingOptions;
  /** Where gate training keeps what it needs to go on after a stop. Default: nowhere. */
  readonly checkpoint?: CheckpointOptions;
  /** Prompt embeddings of more bytes than this stay on disk and are read batch by batch. Default 2²⁸. */
  readonly promptMemoryBytes?: number;
  readonly signal?: AbortSignal;
  readonly onStage?: (stage: TrainingStage) => void;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface TrainResult {
  readonly heads: Heads;
  readonly report: TrainingReport;
  readonly settings: TrainingSettings;
  /**
   * Every prompt that training has seen, validation prompts included: sorted keys. Null where a set was imported without its
   * texts, whose prompts nobody can look up.
   */
  readonly trainingKeys: BigUint64Array | null;
}

/**
 * Trains the heads of an ArmoRM on embeddings.
 *
 * Stage 1 fits W, one ridge regression per objective; debiasing finds T such that adjusted rewards do not rise with
 * length over the reference; stage 2 trains the gate on margins of adjusted rewards. Prompts are split once, by hash:
 * a validation prompt of stage 1 is one of stage 2 as well. With `regression.folds`, folds are drawn from the training prompts; with
 * `regression.refit`, weights have seen the ratings of validation prompts, and accuracies on pairs with these prompts flatter.
 *
 * Memory: H² doubles per label pattern; embeddings are streamed, prompt embeddings too beyond `promptMemoryBytes`. Rewards are kept: some
 * 60 K bytes per pair at the peak (374 MB in all for 400,000 ratings and as many pairs, K = 7, H = 256).
 * Source: arXiv:2406.12845 §3. Differs from the reference code: docs/reference-differences.md.
 *
 * @throws {InputError} If the sets come from different backbones, no objective can be fitted, or a name is unknown.
 */
export async function trainArmo(options: TrainOptions): Promise<TrainResult> {
  const { pairs, reference, evaluation = [], seedSensitivity: further = 0, signal } = options;
  const { validationFraction, testFraction, dropOverlaps, seed } = resolveSplit(options);
  requireSets(options, validationFraction);
  const { hiddenSize } = pairs[0]!;
  const evaluationKeys = await promptKeys(evaluation);
  const rules = { evaluationKeys, dropOverlaps, testFraction, seed };
  const staged = stageOrder(options);

  // Stage 1: rewards = W · embedding
  const rated = await openRatings(options, rules, validationFraction);
  const { plan, use: ratingUse } = rated;
  requireGridOptions(options.debiasing, debiasTargets(plan.objectives, options.debias).length);
  const fit = await staged("regression", () => rated.fit(options));
  const { objectives, kept, dropped, weights } = stableObjectives(plan, fit, hiddenSize);
  const K = objectives.length;

  // Debiasing: adjusted rewards = rewards @ T
  const pairUse = await chooseRows(pairs, rules);
  const split = { fraction: validationFraction, seed, groups: usedKeys(pairUse) };
  const { train, validation } = sidesOf(split);
  const targets = debiasTargets(objectives, options.debias);
  await using projection = await openProjection(weights, hiddenSize);
  const rewards = await rewardPairs(pairs, pairUse, projection, K);
  const referenceUse = reference ? await chooseRows(reference, rules) : null;
  const transform = await staged("debiasing", async () => {
    const responses =
      reference && referenceUse
        ? await rewardResponses(reference, trainingRow(referenceUse, validationFraction, seed), projection)
        : responseRewards(rewards, train, K);
    if (responses.length === 0) {
      throw new InputError(
        "no-reference",
        "train: expected responses to debias over, got none on the training side",
        "add reference data that is not part of the evaluation, or leave --reference out",
      );
    }
    return fitRewardTransform(responses, { ...options.debiasing, numObjectives: K, targets });
  });

  // Stage 2: score = Σ gating output · adjusted rewards
  const { promptMemoryBytes: memoryBytes, checkpoint } = options;
  await using prompts = await openPromptRows(pairs, memoryBytes === undefined ? {} : { memoryBytes });
  const groups = await groupNames(pairs, pairUse);
  const wantsMargins = (options.gating?.targetMargins ?? "off") !== "off";
  const margins = wantsMargins ? { margins: await pairMargins(pairs, pairUse) } : {};
  const rowOf = usedRows(pairUse);
  const promptEmbeddings: PromptSource = {
    rows: rowOf.length,
    gather: (indices, out) =>
      prompts.gather(
        Array.from(indices, (i) => rowOf[i]!),
        out,
      ),
  };
  const { onProgress = () => {} } = options;
  const trainGate = (gateSeed: number, more: Pick<TrainGatingOptions, "checkpoint" | "onProgress">) =>
    trainGating(
      { promptEmbeddings, chosen: rewards.chosen, rejected: rewards.rejected, groups, ...margins },
      {
        ...options.gating,
        hiddenSize,
        numObjectives: K,
        transform: transform.transform,
        split,
        seed: gateSeed,
        ...(signal ? { signal } : {}),
        ...more,
      },
    );
  const trained = await staged("gating", () =>
    trainGate(seed, { ...(checkpoint ? { checkpoint } : {}), onProgress }),
  );
  const { gate, marginScale, history } = trained;

  const heads: Heads = {
    objectives,
    hiddenSize,
    regression: weights,
    transform: Float32Array.from(transform.transform),
    gate,
    marginScale,
  };
  const validationPairs: ValidationPairs = {
    prompts: promptEmbeddings,
    rewards,
    named: validation,
    groupOf: (n) => groups[n]!,
    keyOf: (n) => pairUse.keys[rowOf[n]!]!,
    lookUp: (rows) => lookUpPrompts(pairs, rowOf, rows),
    seed,
  };
  const { diagnostics, ...findings } = await validateHeads(heads, validationPairs);
  const measured = diagnostics !== null && further > 0;
  const seeds = measured
    ? await staged("seeds", () =>
        measureSeeds(heads, validationPairs, {
          ...{ seed, trained, further },
          train: (next, i) =>
            trainGate(next, { onProgress: (done, steps) => onProgress(i * steps + done, further * steps) }),
        }),
      )
    : null;
  const settings: TrainingSettings = {
    objectives: plan.objectives.map(({ name }) => name),
    debias: targets.map((target) => objectives[target]!.name),
    validationFraction,
    testFraction,
    dropOverlaps,
    seed,
    seedSensitivity: further,
    regression: resolveRegression(resolveFitting(options)),
    debiasing: resolveDebiasing(options.debiasing),
  };
  return {
    heads,
    settings,
    trainingKeys: [...rated.sets, ...pairs, ...(reference ?? [])].every(
      ({ manifest }) => manifest.imported === undefined,
    )
      ? sortedKeys([ratingUse, pairUse, ...(referenceUse ? [referenceUse] : [])])
      : null,
    report: {
      options: { ...settings },
      passes: fit.passes,
      versions: { armorm: VERSION, node: process.version, onnxruntime: RUNTIME_VERSION },
      sets: {
        ratings: rated.sets.map(setReference),
        pairs: pairs.map(setReference),
        reference: (reference ?? []).map(setReference),
        evaluation: evaluation.map(setReference),
      },
      rows: {
        ratings: countRows(ratingUse),
        pairs: countRows(pairUse),
        reference: referenceUse && countRows(referenceUse),
      },
      objectives: kept.map((k) => reportObjective(plan.objectives[k]!, fit, k)),
      dropped,
      debias: targets.map((target) => objectives[target]!.name),
      correlation: options.debiasing?.correlation ?? "spearman",
      transform: reportTransform(
        objectives,
        targets,
        transform,
        responseRewards(rewards, validation, K),
        options.debiasing?.correlation,
      ),
      accuracy: {
        "trained gate": history.validationAccuracy ?? Number.NaN,
        ...baselineAccuracies(rewards, validation, transform.transform, K),
      },
      validationPairs: validation.length,
      ...findings,
      diagnostics: diagnostics && { ...diagnostics, seeds },
      history,
    },
  };
}

function sidesOf(split: { fraction: number; seed: number; groups: BigUint64Array }) {
  const side = sideOfRow(split);
  const rows = Array.from(split.groups.keys());
  const train = rows.filter((row) => side(row) === "train");
  if (train.length === 0) {
    throw new InputError(
      "no-pairs",
      `train: expected pairs to train the gate on, got ${rows.length}, none of them on the training side`,
      "add pairs, or lower --test-fraction and --validation-fraction; --drop-overlaps may have taken them",
    );
  }
  return { train, validation: rows.filter((row) => side(row) === "validation") };
}

/** Whether a row of the reference is used and on the training side: penalties see no validation or test prompt. */
function trainingRow(use: RowUse, fraction: number, seed: number): (row: number) => boolean {
  const side = sideOfRow({ fraction, seed, groups: use.keys });
  return (row) => use.used[row] === 1 && side(row) === "train";
}

const setReference = ({ directory, manifest }: SetIdentity): SetReference => ({
  directory: basename(resolve(directory)),
  run: manifest.run,
  rows: manifest.rowsOut,
});

function debiasTargets(objectives: readonly Objective[], names: readonly string[] | undefined): number[] {
  const index = (name: string) => objectives.findIndex((objective) => objective.name === name);
  const repeated = names?.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) {
    throw new InputError(
      "repeated-objective",
      `debias: expected each name once, got ${repeated} twice`,
      "name it once",
    );
  }
  if (names === undefined) return index(LENGTH) < 0 ? [] : [index(LENGTH)];
  return names.map((name) => {
    if (index(name) >= 0) return index(name);
    throw new InputError(
      "unknown-objective",
      `debias: expected a fitted objective, got ${name}`,
      `fitted are ${objectives.map((objective) => objective.name).join(", ")}`,
    );
  });
}

/** The reference's grid knows one target and ranks. */
export function requireGridOptions({ method, correlation }: DebiasingOptions = {}, targets: number): void {
  if (method !== "grid" || (targets <= 1 && correlation !== "pearson")) return;
  throw new InputError(
    "bad-option",
    `train: expected one objective to debias against by grid, and ranks, got ${targets} and ${correlation ?? "spearman"}`,
    "use the method root: it takes several, and either correlation",
  );
}

/** Announces stages. How long they take is not for the report: the same run gives the same bytes. */
function stageOrder({ signal, onStage }: TrainOptions) {
  return <T>(stage: TrainingStage, work: () => Promise<T>): Promise<T> => {
    signal?.throwIfAborted();
    onStage?.(stage);
    return work();
  };
}

/*
 * Stage 2: the gate learns from preference pairs how to mix the objectives.
 *
 *   N  pairs      H  hidden size      K  objectives
 */

import { createAdamW, type Weights, warmUpThenDecay } from "../engine/optimizer.ts";
import { InputError } from "../errors.ts";
import { createRandom } from "../random.ts";
import {
  adjustedDifferences,
  adjustedSums,
  createBatch,
  type GatingData,
  type GatingPairs,
  openBatchQueue,
  promptSource,
} from "./gating-batches.ts";
import { hashRun, loadCheckpoint, saveCheckpoint, type TrainingState } from "./gating-checkpoint.ts";
import { createEvaluator, type GatingEvaluation, keepBestWeights } from "./gating-evaluation.ts";
import { openGatingNetwork } from "./gating-network.ts";
import type { ResolvedGatingOptions, TrainGatingOptions } from "./gating-options.ts";
import { createParameters, toGate } from "./gating-parameters.ts";
import { resolveGatingOptions } from "./gating-presets.ts";
import { balanceGroups, createSampler, drawMask } from "./gating-sampling.ts";
import type { Gate } from "./heads.ts";
import { fitMarginScale } from "./margin-scale.ts";
import { type Split, sideOfRow } from "./split.ts";

export type { GatingData, PromptSource } from "./gating-batches.ts";
export type { CheckpointOptions } from "./gating-checkpoint.ts";
export type { GatingEvaluation } from "./gating-evaluation.ts";
export type { GatingOptions, ResolvedGatingOptions, TrainGatingOptions } from "./gating-options.ts";
export type { GatingPreset, InitialTensors } from "./gating-parameters.ts";
export type { Balance } from "./gating-sampling.ts";

/** What happened in training; plain data. */
export interface GatingHistory {
  readonly options: ResolvedGatingOptions;
  readonly trainRows: number;
  readonly validationRows: number;
  /** Per step, of the batch and before the update. */
  readonly loss: readonly number[];
  /** Per step, Euclidean norm over all parameters. */
  readonly gradientNorm: readonly number[];
  readonly learningRate: readonly number[];
  /** In order; the first is of the untrained gate. Empty without validation pairs. */
  readonly evaluations: readonly GatingEvaluation[];
  /** Updates that the returned gate has seen. */
  readonly bestStep: number;
  /** Of the returned gate; null without validation pairs. */
  readonly validationLoss: number | null;
  readonly validationAccuracy: number | null;
}

export interface TrainedGate {
  readonly gate: Gate;
  /** β; null with the preset `reference`, which has none. */
  readonly marginScale: number | null;
  readonly history: GatingHistory;
}

/**
 * Trains the gate: AdamW on the Bradley–Terry loss, with a learning rate that falls along a cosine.
 *
 * Minimises mean softplus(−β · margin), margin = Σ_k g_k(prompt) · ((chosen − rejected) @ T)_k, over the parameters of
 * the gate g and over β (presets `fitted` and `paper`); or β = 1 and g carries a trained factor (`reference`). Label
 * smoothing, target margins and centering add to it what gating-loss.ts says.
 * With a split, the loss of the held-out pairs is followed: it can stop training (`patience`) and choose the weights that
 * are returned (`keep`).
 *
 * @returns The gate, β, and the whole course of training. Equal options and seed give equal results, whether a run was
 *   stopped and went on from a checkpoint or not.
 * @throws {TypeError} If shapes do not fit. @throws {RangeError} `trainGating: dropout must be in [0, 1), got 1`
 * @throws {InputError} `not-finite` when the loss is no longer a number; `foreign-checkpoint` where the checkpoint is of
 *   another run; `unknown-group`.
 *
 * Cost per step: 6 · B · parameters operations, at the speed of the matrix product. Memory: five numbers per parameter,
 * two batches, 8K bytes per pair (16K with centering); prompt embeddings are gathered batch by batch, the next batch while
 * the present one is computed. A checkpoint holds four numbers per parameter.
 * Source: arXiv:2406.12845 §3.2 and §4. Differs from the reference code: the gate runs once per pair, not per response;
 * pairs are split by prompt; by default batches are passes over shuffled pairs, and the best weights are kept.
 */
export async function trainGating(data: GatingData, options: TrainGatingOptions): Promise<TrainedGate> {
  const { hiddenSize: H, numObjectives: K, split, batches, checkpoint, signal, onProgress } = options;
  const prompts = promptSource(data.promptEmbeddings, H);
  requireShapes(data, prompts.rows, options);
  const { train, validation } = sidesOf(prompts.rows, split);
  const differences = adjustedDifferences(data, options.transform, K); // [N, K]
  const resolved = resolveGatingOptions(options, train.length, () =>
    fitMarginScale(meanMargins(differences, train, K)),
  );
  const { steps, batchSize, dropout, evaluateEvery, dtype } = resolved;
  const pairs: GatingPairs = {
    prompts,
    differences,
    targets: targetsOf(data, resolved),
    sums: resolved.centering > 0 ? adjustedSums(data, options.transform, K) : null,
  };

  // One stream each: dropout does not change the batches, nor the batches the initial weights.
  const seeds = createRandom(resolved.seed);
  const streams = [0, 1, 2].map(() => createRandom(seeds.nextUint32()));
  const [weightRandom, batchRandom, maskRandom] = [streams[0]!, streams[1]!, streams[2]!];
  const widths = [H, ...Array<number>(resolved.hiddenLayers).fill(resolved.hiddenDim), K];
  const parameters = createParameters({ widths, ...resolved }, options.initial, weightRandom);
  const weights = parameters.map((parameter) => parameter.data);
  const optimizer = createAdamW(weights, { weightDecay: resolved.weightDecay });
  const sampler = createSampler(balanceGroups(train, resolved.balance, data.groups), resolved, batchRandom);
  const [loss, gradientNorm, learningRate]: [number[], number[], number[]] = [[], [], []];
  const state: TrainingState = {
    ...{ parameters, optimizer: optimizer.state, sampler: sampler.state, batchRandom, maskRandom },
    ...{ loss, gradientNorm, learningRate },
  };
  const run = checkpoint && {
    options: resolved,
    data: await hashRun(pairs, {
      ...{ hiddenSize: H, sides: [train, validation], groups: data.groups, batches, parameters },
    }),
  };
  const resumed = checkpoint && run ? await loadCheckpoint(checkpoint.directory, run, state) : null;

  await using network = await openGatingNetwork(parameters, {
    ...resolved,
    dropout: dropout > 0,
    targets: pairs.targets !== null,
    scaledScores: resolved.preset === "reference",
  });
  const evaluate = createEvaluator(network, parameters, pairs, validation, resolved);
  const kept = keepBestWeights(parameters, resolved.patience, resumed?.kept);
  const validate = async (step: number): Promise<void> => {
    if (validation.length === 0) return;
    const evaluation = await evaluate(step);
    requireFinite(evaluation.loss, step);
    kept.offer(evaluation);
  };

  let drawn = loss.length + (resumed?.upcoming ? 1 : 0);
  const draw = (): ArrayLike<number> | undefined => {
    if (drawn >= steps) return undefined;
    drawn++;
    return batches ? batches[drawn - 1] : sampler.draw(batchSize);
  };
  const buffers = [createBatch(pairs, batchSize, H, dtype), createBatch(pairs, batchSize, H, dtype)] as const;
  const first = resumed ? resumed.upcoming : draw();
  await using queue = openBatchQueue(pairs, buffers, draw, first);
  const save = async (): Promise<void> => {
    if (!checkpoint || !run) return;
    await saveCheckpoint(checkpoint.directory, run, state, { upcoming: queue.upcoming, kept: kept.state });
  };
  const everySteps = checkpoint?.everySteps ?? 500;

  if (!resumed) await validate(0);
  while (loss.length < steps && !kept.exhausted) {
    const step = loss.length;
    if (signal?.aborted || (step > 0 && step % everySteps === 0)) await save();
    signal?.throwIfAborted();
    const batch = await queue.next();
    for (const mask of network.masks) drawMask(mask, dropout, maskRandom);

    loss.push(requireFinite(await network.step(batch), step));
    learningRate.push(warmUpThenDecay(resolved.learningRate, step, steps, resolved.warmup));
    gradientNorm.push(optimizer.step(network.gradients, learningRate[step]!));
    keepScalePositive(weights.at(-1)!, resolved);
    onProgress?.(step + 1, steps);

    if ((step + 1) % evaluateEvery === 0 || step + 1 === steps) await validate(step + 1);
  }
  await save();
  const { evaluations, best } = kept.state;
  if (resolved.keep === "best") kept.restore();
  const returned = resolved.keep === "best" ? best : evaluations.at(-1);

  return {
    ...toGate(parameters, resolved),
    history: {
      options: resolved,
      trainRows: train.length,
      validationRows: validation.length,
      loss,
      gradientNorm,
      learningRate,
      evaluations,
      bestStep: returned?.step ?? steps,
      validationLoss: returned?.loss ?? null,
      validationAccuracy: returned?.accuracy ?? null,
    },
  };
}

/** scale · margin of every pair `[N]`, or null without target margins. */
function targetsOf({ margins }: GatingData, { targetMargins }: ResolvedGatingOptions): Float64Array | null {
  if (targetMargins === "off") return null;
  if (!margins) throw new TypeError("trainGating: targetMargins needs the margins of the pairs, got none");
  return Float64Array.from(margins, (margin) => targetMargins.scale * margin);
}

function requireShapes(
  { chosen, rejected, margins, groups }: GatingData,
  rows: number,
  options: TrainGatingOptions,
): void {
  const { hiddenSize: H, numObjectives: K, transform, batches, checkpoint } = options;
  if (!Number.isInteger(rows)) {
    throw new TypeError(`trainGating: promptEmbeddings must be [N, ${H}], got ${rows * H} numbers`);
  }
  const requireLength = (what: string, length: number, shape: readonly number[]): void => {
    const expected = shape.reduce((product, d) => product * d, 1);
    if (length !== expected) {
      throw new TypeError(`trainGating: ${what} must be [${shape.join(", ")}], got ${length} numbers`);
    }
  };
  requireLength("chosen", chosen.length, [rows, K]);
  requireLength("rejected", rejected.length, [rows, K]);
  if (margins) requireLength("margins", margins.length, [rows]);
  if (groups) requireLength("groups", groups.length, [rows]);
  if (transform) requireLength("transform", transform.length, [K, K]);
  const { everySteps = 1 } = checkpoint ?? {};
  if (!(Number.isInteger(everySteps) && everySteps >= 1)) {
    throw new RangeError(`trainGating: everySteps must be an integer ≥ 1, got ${everySteps}`);
  }
  for (const [step, batch] of (batches ?? []).entries()) {
    if (batch.length !== batches![0]!.length) {
      throw new TypeError(`trainGating: batches must have one length, got ${batch.length} at step ${step}`);
    }
    for (let i = 0; i < batch.length; i++) {
      if (!(Number.isInteger(batch[i]) && batch[i]! >= 0 && batch[i]! < rows)) {
        throw new RangeError(
          `trainGating: batches must name rows below ${rows}, got ${batch[i]} at step ${step}`,
        );
      }
    }
  }
}

function sidesOf(rows: number, split: Split | undefined): { train: Uint32Array; validation: Uint32Array } {
  const side = split ? sideOfRow(split) : () => "train";
  const all = Uint32Array.from({ length: rows }, (_, row) => row);
  const train = all.filter((row) => side(row) === "train");
  if (train.length === 0) {
    throw new RangeError(`trainGating: expected pairs to train on, got ${rows}, none on the training side`);
  }
  return { train, validation: all.filter((row) => side(row) === "validation") };
}

/** Margins of the named pairs under a gate that weighs all objectives alike. */
function meanMargins(differences: Float64Array, rows: Uint32Array, K: number): Float64Array {
  return Float64Array.from(rows, (row) => {
    let sum = 0;
    for (let k = 0; k < K; k++) sum += differences[row * K + k]!;
    return sum / K;
  });
}

/**
 * β stays above a thousandth of where it began. Where rewards go against the preferences the loss would turn it round, and
 * then probabilities would say the opposite of scores, which β is no part of. The factor on a gate's output is: it may turn.
 */
function keepScalePositive(scale: Weights, { preset, initialScale }: ResolvedGatingOptions): void {
  if (preset !== "reference") scale[0] = Math.max(scale[0]!, initialScale / 1000);
}

function requireFinite(loss: number, step: number): number {
  if (Number.isFinite(loss)) return loss;
  throw new InputError(
    "not-finite",
    `trainGating: expected a finite loss, got ${loss} at step ${step}`,
    step === 0
      ? "check the embeddings and rewards for NaN and infinity"
      : "lower the learning rate, or check the embeddings and rewards for NaN and infinity",
  );
}

// What a user may choose about gate training.

import type { CheckpointOptions } from "./gating-checkpoint.ts";
import type { GatingPreset, InitialTensors } from "./gating-parameters.ts";
import type { Balance } from "./gating-sampling.ts";
import type { Split } from "./split.ts";

/** Hyper-parameters of gate training. Defaults are those of the preset. */
export interface GatingOptions {
  /**
   * `paper`: as arXiv:2406.12845 §4 trains it. Loss softplus(−β · margin), β trained from 100, the gate's output sums to
   * 1; 10,000 steps to the end, of which the last weights are returned.
   * `fitted` (default): the same loss, but β starts where it explains the training pairs best under a uniform gate: 100 suits
   * the published rewards; where margins are larger, a gate under it learns first to weigh everything by nothing. Training
   * stops when validation does not improve, and the best weights are returned.
   * `reference`: as the reference code trains it. β = 1 and a factor on the gate's output, trained from 1; dropout 0.2;
   * 2,000 steps to the end on batches drawn with replacement, of which the last weights are returned.
   */
  readonly preset?: GatingPreset;
  /** Optimizer steps, over which the learning rate falls to 0. Default 10,000 (`reference`: 2,000). */
  readonly steps?: number;
  /** Pairs per step; all of them where there are fewer. Default 1,024. */
  readonly batchSize?: number;
  /** Width of the hidden layers. Default 1,024. */
  readonly hiddenDim?: number;
  /** Number of hidden layers, ≥ 0. Default 3. */
  readonly hiddenLayers?: number;
  /** Divides the logits before the softmax, > 0. Default 10. */
  readonly temperature?: number;
  /** What β, or with `reference` the factor on the gate's output, starts from. Default: fitted, 100, or 1. */
  readonly initialScale?: number;
  /** The highest, > 0. Default 1e-3. */
  readonly learningRate?: number;
  /** Updates before the learning rate is at its highest: their number, or below 1 their share of `steps`. Default 0. */
  readonly warmup?: number;
  /** Decoupled, on every parameter, ≥ 0. Default 0. */
  readonly weightDecay?: number;
  /** Share of hidden units dropped in training, in [0, 1). Default 0 (`reference`: 0.2, but 0 with `batches`). */
  readonly dropout?: number;
  /** ε: share of preferences taken to be the wrong way round, in [0, 0.5). Default 0. */
  readonly labelSmoothing?: number;
  /**
   * How far β · margin should exceed each pair's own margin: the loss is then of β · margin − scale · (the pair's margin),
   * as in Llama 2 (arXiv:2307.09288 §3.2.2). `scale` > 0 turns the data's margins into logits. Default `off`.
   */
  readonly targetMargins?: "off" | { readonly scale: number };
  /**
   * γ ≥ 0: adds γ · mean (score(chosen) + score(rejected))² to the loss, so that scores lie around 0 (arXiv:2312.09244, and
   * `center_rewards_coefficient` in TRL). Of scores as the model gives them: β is no part of them. Default 0.
   */
  readonly centering?: number;
  /**
   * How often pairs of which group are drawn: as often as there are pairs (`off`, default), all groups equally often
   * (`equal`), or by weight, one ≥ 0 for every group.
   */
  readonly balance?: Balance;
  /** Whether a pair may be drawn again before its group is through. Default false (`reference`: true). */
  readonly replacement?: boolean;
  /** Steps between two looks at the validation pairs. Default: one pass over the data, within 10 … 100. */
  readonly evaluateEvery?: number;
  /** Looks without a lower validation loss after which training stops; `Infinity`: never. Default 10 for `fitted`, else never. */
  readonly patience?: number;
  /** Weights returned: those of the lowest validation loss, or the last ones. Default `best` for `fitted`, else `last`. */
  readonly keep?: "best" | "last";
}

export interface TrainGatingOptions extends GatingOptions {
  /** H */
  readonly hiddenSize: number;
  /** K */
  readonly numObjectives: number;
  /** T `[K, K]`; the gate is trained on rewards @ T. Default: the identity. */
  readonly transform?: Float32Array | Float64Array;
  /** Pairs held out for early stopping. Default: none; training then runs to the end. */
  readonly split?: Split;
  /** Decides initial weights, batches and dropout. Default 0. */
  readonly seed?: number;
  /** Precision of weights, gradients and losses. Default f32. */
  readonly dtype?: "f32" | "f64";
  /** Initial weights instead of random ones, by name, with or without the prefix `gating.`; they decide the gate's size. */
  readonly initial?: InitialTensors;
  /** Row numbers for each step instead of random batches, all of one length. */
  readonly batches?: readonly ArrayLike<number>[];
  /** Where to keep what a stopped run needs to go on. Default: nowhere. */
  readonly checkpoint?: CheckpointOptions;
  /** After an abort the run ends at the next step, with a checkpoint if there is a place for one. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** The hyper-parameters of one run, none left open; `warmup` in steps. */
export type ResolvedGatingOptions = Required<GatingOptions> & {
  readonly seed: number;
  readonly dtype: "f32" | "f64";
};

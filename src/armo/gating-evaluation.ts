// How well the gate does on validation pairs while it is trained, and the weights with which it did best.

import type { Weights } from "../engine/optimizer.ts";
import { createBatch, type GatingPairs, gatherBatch, headOfBatch } from "./gating-batches.ts";
import { type LossOptions, pairLoss } from "./gating-loss.ts";
import type { GatingNetwork } from "./gating-network.ts";
import type { Parameter } from "./gating-parameters.ts";

/** A look at the validation pairs. */
export interface GatingEvaluation {
  /** Updates made before it. */
  readonly step: number;
  /** The loss that is trained, without dropout. */
  readonly loss: number;
  /** Share of pairs in which the chosen response scores higher; a tie counts as wrong. */
  readonly accuracy: number;
}

const CHUNK_ROWS = 1024;

/** Evaluates the parameters as they are, over the named rows, in chunks that bound the memory. */
export function createEvaluator(
  network: GatingNetwork,
  parameters: readonly Parameter[],
  pairs: GatingPairs,
  rows: Uint32Array,
  options: LossOptions & { readonly dtype: "f32" | "f64" },
): (step: number) => Promise<GatingEvaluation> {
  const H = parameters[0]!.shape[1]!;
  const scale = parameters.at(-1)!.data;
  const chunkRows = Math.min(CHUNK_ROWS, rows.length);
  const chunk = createBatch(pairs, chunkRows, H, options.dtype);

  return async (step) => {
    let [loss, right] = [0, 0];
    for (let from = 0; from < rows.length; from += chunkRows) {
      const named = rows.subarray(from, from + chunkRows);
      const batch = headOfBatch(chunk, named.length, chunkRows);
      await gatherBatch(pairs, named, batch);
      const { margins, scoreSums } = await network.look(batch);
      for (const [i, margin] of margins.entries()) {
        const z = scale[0]! * margin - (batch.targets?.[i] ?? 0);
        loss += pairLoss(z, scoreSums?.[i] ?? 0, options);
        if (scale[0]! * margin > 0) right++;
      }
    }
    return { step, loss: loss / rows.length, accuracy: right / rows.length };
  };
}

/** What is remembered of all evaluations: enough to go on as if there had been no pause. */
export interface BestWeightsState {
  readonly evaluations: readonly GatingEvaluation[];
  readonly best: GatingEvaluation | undefined;
  /** Parameters at the best evaluation, one array each; empty without any evaluation. */
  readonly weights: readonly Weights[];
  /** Evaluations since the best one. */
  readonly withoutProgress: number;
}

/** Remembers the weights of the best evaluation. */
export interface BestWeights {
  readonly state: BestWeightsState;
  /** Whether the last `patience` evaluations were none of them better. */
  readonly exhausted: boolean;
  /** Takes an evaluation of the parameters as they are now. */
  offer(evaluation: GatingEvaluation): void;
  /** Puts the best weights back into the parameters; without any evaluation, leaves them. */
  restore(): void;
}

/** @param from What another run remembered. Default: nothing. */
export function keepBestWeights(
  parameters: readonly Parameter[],
  patience: number,
  from?: BestWeightsState,
): BestWeights {
  const evaluations = [...(from?.evaluations ?? [])];
  let best = from?.best;
  let kept = [...(from?.weights ?? [])];
  let withoutProgress = from?.withoutProgress ?? 0;
  return {
    get state() {
      return { evaluations, best, weights: kept, withoutProgress };
    },
    get exhausted() {
      return withoutProgress >= patience;
    },
    offer(evaluation) {
      evaluations.push(evaluation);
      withoutProgress++;
      if (best && !(evaluation.loss < best.loss)) return;
      best = evaluation;
      withoutProgress = 0;
      if (kept.length === 0) kept = parameters.map(({ data }) => data.slice());
      else for (const [i, weights] of kept.entries()) weights.set(parameters[i]!.data);
    },
    restore() {
      for (const [i, weights] of kept.entries()) parameters[i]!.data.set(weights);
    },
  };
}

// How well the gate does on validation pairs while it is trained, and the weights with which it did best.

import type { Weights } from "../engine/optimizer.ts";
import { gatherDifferences, type PromptSource } from "./gating-batches.ts";
import type { GatingNetwork } from "./gating-network.ts";
import type { Parameter } from "./gating-parameters.ts";

/** A look at the validation pairs. */
export interface GatingEvaluation {
  /** Updates made before it. */
  readonly step: number;
  /** Mean Bradley–Terry loss. */
  readonly loss: number;
  /** Share of pairs in which the chosen response scores higher; a tie counts as wrong. */
  readonly accuracy: number;
}

const CHUNK_ROWS = 1024;

/** Evaluates the parameters as they are, over the named rows, in chunks that bound the memory. */
export function createEvaluator(
  network: GatingNetwork,
  parameters: readonly Parameter[],
  prompts: PromptSource,
  differences: Float64Array, // [N, K]
  rows: Uint32Array,
): (step: number) => Promise<GatingEvaluation> {
  const K = differences.length / prompts.rows;
  const H = parameters[0]!.shape[1]!;
  const scale = parameters.at(-1)!.data;
  const chunkRows = Math.min(CHUNK_ROWS, rows.length);
  const promptChunk = new Float32Array(chunkRows * H);
  const differenceChunk: Weights =
    scale instanceof Float32Array ? new Float32Array(chunkRows * K) : new Float64Array(chunkRows * K);

  return async (step) => {
    let [loss, right] = [0, 0];
    for (let from = 0; from < rows.length; from += chunkRows) {
      const named = rows.subarray(from, from + chunkRows);
      const chunk = promptChunk.subarray(0, named.length * H);
      const wanted = differenceChunk.subarray(0, named.length * K);
      await prompts.gather(named, chunk);
      gatherDifferences(differences, named, wanted, K);
      for (const margin of await network.margins(chunk, wanted)) {
        const logit = scale[0]! * margin;
        loss += Math.max(-logit, 0) + Math.log1p(Math.exp(-Math.abs(logit))); // softplus(−logit)
        if (logit > 0) right++;
      }
    }
    return { step, loss: loss / rows.length, accuracy: right / rows.length };
  };
}

/** Remembers the weights of the best evaluation. */
export interface BestWeights {
  readonly evaluations: readonly GatingEvaluation[];
  readonly best: GatingEvaluation | undefined;
  /** Whether the last `patience` evaluations were none of them better. */
  readonly exhausted: boolean;
  /** Takes an evaluation of the parameters as they are now. */
  offer(evaluation: GatingEvaluation): void;
  /** Puts the best weights back into the parameters; without any evaluation, leaves them. */
  restore(): void;
}

export function keepBestWeights(parameters: readonly Parameter[], patience: number): BestWeights {
  const evaluations: GatingEvaluation[] = [];
  let best: GatingEvaluation | undefined;
  let kept: Weights[] = [];
  let withoutProgress = 0;
  return {
    evaluations,
    get best() {
      return best;
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

// The demo's method where the truth is known: embeddings constructed from the objectives themselves, no backbone.
// N pairs, K objectives, H hidden size.

import { trainGating } from "../armo/gating-training.ts";
import type { Gate } from "../armo/heads.ts";
import { fitRewardTransform } from "../armo/reward-transform.ts";
import { fitRidge } from "../armo/ridge.ts";
import { runGate } from "../armo/score.ts";
import type { DemoData } from "../data/synthetic/demo-data.ts";
import { type ConstructedPairs, constructEmbeddings } from "../data/synthetic/embeddings.ts";

/** What the method reaches when embeddings hold the truth. */
export interface TruthReport {
  /** R² of every objective against the truth of responses that were not rated. */
  readonly r2: Readonly<Record<string, number>>;
  /** Spearman's correlation with the debiased objective, before and after, over the reference. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
  /** Share of evaluation pairs in which the better response wins, by what decides. */
  readonly accuracy: Readonly<
    Record<"trained gate" | "best fixed weights" | "uniform gate" | "regression mean", number>
  >;
  /** Mean gating output by family and objective. */
  readonly gating: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface TruthOptions {
  /** Objective to debias against. */
  readonly debias: string;
  readonly seed: number;
  /** Optimizer steps of the gate. Default 400. */
  readonly steps?: number;
}

const HIDDEN_SIZE = 64;

/** Runs both stages on constructed embeddings and compares with the truth. A few seconds. */
export async function solveWithTruth(
  data: DemoData,
  { debias, seed, steps = 400 }: TruthOptions,
): Promise<TruthReport> {
  const { objectives, ratings, pairs, evaluation } = constructEmbeddings(data, {
    hiddenSize: HIDDEN_SIZE,
    seed,
  });
  const K = objectives.length;
  const split = <T>(groups: T) => ({ fraction: 0.2, seed, groups });
  const fit = await fitRidge(
    { embeddings: ratings.embeddings, labels: ratings.labels },
    { hiddenSize: HIDDEN_SIZE, split: split(ratings.groups) },
  );
  const train = rewardsOf(pairs, fit.weights, K);
  const held = rewardsOf(evaluation, fit.weights, K);
  const target = objectives.indexOf(debias);
  const { transform, correlationsBefore, correlationsAfter } = fitRewardTransform(train.all, {
    numObjectives: K,
    targets: [target],
  });
  const gateFor = async (promptEmbeddings: Float32Array): Promise<Gate> => {
    const { gate } = await trainGating(
      { promptEmbeddings, chosen: train.chosen, rejected: train.rejected },
      {
        hiddenSize: HIDDEN_SIZE,
        numObjectives: K,
        transform,
        split: split(pairs.groups),
        seed,
        hiddenDim: 64,
        steps,
        batchSize: 256,
      },
    );
    return gate;
  };
  const gate = await gateFor(pairs.promptEmbeddings);
  // A gate that is shown the same prompt always can only learn one mixture: the best fixed weights.
  const fixed = await gateFor(new Float32Array(pairs.promptEmbeddings.length));

  const count = evaluation.families.length;
  const gatingOf = (i: number) =>
    runGate(gate, evaluation.promptEmbeddings.subarray(i * HIDDEN_SIZE, (i + 1) * HIDDEN_SIZE));
  const constant = runGate(fixed, new Float32Array(HIDDEN_SIZE));
  const wins = (mix: (i: number) => ArrayLike<number>, debiased = true) => {
    let right = 0;
    for (let i = 0; i < count; i++) {
      const weights = mix(i);
      let margin = 0;
      for (let j = 0; j < K; j++) {
        const difference = held.chosen[i * K + j]! - held.rejected[i * K + j]!;
        for (let k = 0; k < K; k++) {
          const t = debiased ? transform[j * K + k]! : Number(j === k);
          margin += difference * t * weights[k]!;
        }
      }
      if (margin > 0) right++;
    }
    return right / count;
  };
  const uniform = new Float64Array(K).fill(1 / K);
  const byName = (values: (k: number) => number) =>
    Object.fromEntries(objectives.map((name, k) => [name, values(k)]));
  return {
    r2: byName((k) => rSquared(evaluation.truth, held.all, k, K)),
    before: byName((k) => correlationsBefore[k]!),
    after: byName((k) => correlationsAfter[k]!),
    accuracy: {
      "trained gate": wins(gatingOf),
      "best fixed weights": wins(() => constant),
      "uniform gate": wins(() => uniform),
      "regression mean": wins(() => uniform, false),
    },
    gating: Object.fromEntries(
      data.families.map((family) => {
        const rows = evaluation.families.flatMap((name, i) => (name === family ? [gatingOf(i)] : []));
        return [family, byName((k) => rows.reduce((sum, row) => sum + row[k]!, 0) / rows.length)];
      }),
    ),
  };
}

/** Rewards of both responses: `all [2N, K]`, and apart `[N, K]`. */
function rewardsOf({ embeddings }: ConstructedPairs, weights: Float64Array, K: number) {
  const rows = embeddings.length / HIDDEN_SIZE;
  const all = new Float32Array(rows * K);
  for (let n = 0; n < rows; n++) {
    for (let k = 0; k < K; k++) {
      let sum = 0;
      for (let h = 0; h < HIDDEN_SIZE; h++)
        sum += weights[k * HIDDEN_SIZE + h]! * embeddings[n * HIDDEN_SIZE + h]!;
      all[n * K + k] = sum;
    }
  }
  const side = (r: number) =>
    Float32Array.from({ length: all.length / 2 }, (_, i) => {
      const [pair, k] = [Math.floor(i / K), i % K];
      return all[(2 * pair + r) * K + k]!;
    });
  return { all, chosen: side(0), rejected: side(1) };
}

function rSquared(truth: Float32Array, predicted: Float32Array, k: number, K: number): number {
  const rows = truth.length / K;
  let [sum, squares, errors] = [0, 0, 0];
  for (let n = 0; n < rows; n++) {
    const y = truth[n * K + k]!;
    sum += y;
    squares += y * y;
    errors += (y - predicted[n * K + k]!) ** 2;
  }
  return 1 - errors / (squares - sum ** 2 / rows);
}

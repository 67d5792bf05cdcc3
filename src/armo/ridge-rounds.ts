// Which rows penalties are chosen on, and which ones the weights are fitted to. H hidden size, A penalties tried.

import { alphaGrids, type RidgeFit, type RidgeSolution } from "./ridge-fit.ts";
import type { PenaltyPath, RidgeSolver } from "./ridge-solver.ts";
import type { RidgeSides } from "./ridge-statistics.ts";
import type { RidgeCaution } from "./ridge-status.ts";
import { combineViews, type LabelSums, type StatisticsView } from "./statistics-view.ts";

/** What is fitted to what, and judged on what. */
interface Round {
  readonly train: StatisticsView;
  readonly validation: StatisticsView;
}

interface Rounds {
  readonly rounds: readonly Round[];
  /** All rows that were held out in some round. */
  readonly heldOut: StatisticsView;
  /** Rows that the weights are fitted to. */
  readonly final: StatisticsView;
}

function roundsOf({ parts }: RidgeSides, refit: boolean): Rounds {
  const everything = combineViews(parts);
  if (parts.length === 2) {
    const [train, validation] = parts as readonly [StatisticsView, StatisticsView];
    return { rounds: [{ train, validation }], heldOut: validation, final: refit ? everything : train };
  }
  const folds = parts.slice(0, -1);
  const rounds = folds.map((fold) => ({
    train: combineViews(folds.filter((other) => other !== fold)),
    validation: fold,
  }));
  const heldOut = combineViews(folds);
  return { rounds, heldOut, final: refit ? everything : heldOut };
}

/** Chooses the penalty of some objectives, fits their weights, and writes both into `fit`. */
export async function solveInto(
  fit: RidgeFit,
  statistics: RidgeSides,
  objectives: readonly number[],
  solver: RidgeSolver,
  options: RidgeSolution,
): Promise<void> {
  const H = statistics.hiddenSize;
  const A = fit.triedAlphas.length;
  const refit = options.refit ?? false;
  const { triedBy } = alphaGrids(options.alphas, fit.status.length);
  const { rounds, heldOut, final } = roundsOf(statistics, refit);
  const trained = (k: number) => rounds.some(({ train }) => train.sums(k).rows > 0);
  const judged = (k: number, { train, validation }: Round) =>
    train.sums(k).rows > 0 && validation.sums(k).rows > 0;
  for (const k of objectives) {
    const held = heldOut.sums(k);
    const variance = varianceOf(held);
    fit.validation.variance[k] = variance;
    fit.validation.rows[k] = held.rows;
    fit.validation.trainRows[k] = final.sums(k).rows;
    const choosable = triedBy[k]!.length === 1 || rounds.some((round) => judged(k, round));
    fit.status[k] = !trained(k) ? "no-rows" : choosable ? "ok" : "no-validation-rows";
  }
  const fittable = objectives.filter((k) => fit.status[k] === "ok");
  if (fittable.length === 0) return;

  // Validation errors at every penalty, as means over the rounds.
  let lastPaths = new Map<number, PenaltyPath>();
  const judgedRounds = new Map(fittable.map((k) => [k, 0]));
  const errors = new Map(fittable.map((k) => [k, new Float64Array(A)]));
  for (const round of rounds) {
    const tried = new Map(fittable.filter((k) => round.train.sums(k).rows > 0).map((k) => [k, triedBy[k]!]));
    lastPaths = await solver.fitPaths(round.train, fit.triedAlphas, tried);
    for (const [k, errorsOfRound] of await solver.measurePaths(round.validation, lastPaths)) {
      judgedRounds.set(k, judgedRounds.get(k)! + 1);
      for (let a = 0; a < A; a++) errors.get(k)![a]! += errorsOfRound[a]!;
    }
  }
  const chosen = new Map<number, number>();
  for (const k of fittable) {
    const count = judgedRounds.get(k)!;
    const means = errors.get(k)!.map((sum) => (count === 0 ? Number.NaN : sum / count));
    fit.validation.mseByAlpha.set(means, k * A);
    const best = count === 0 ? triedBy[k]![0]! : smallest(means);
    if (best === null) fit.status[k] = "singular";
    else chosen.set(k, best);
  }

  const alreadyFitted = rounds.length === 1 && !refit;
  const paths = alreadyFitted
    ? lastPaths
    : await solver.fitPaths(final, fit.triedAlphas, new Map([...chosen].map(([k, a]) => [k, [a]])));
  for (const [k, a] of chosen) {
    const { weights, intercepts, conditions } = paths.get(k)!;
    if (Number.isNaN(conditions[a]!)) {
      fit.status[k] = "singular";
      continue;
    }
    fit.alphas[k] = fit.triedAlphas[a]!;
    fit.weights.set(weights.subarray(a * H, (a + 1) * H), k * H);
    fit.intercepts[k] = intercepts[a]!;
    fit.validation.mse[k] = fit.validation.mseByAlpha[k * A + a]!;
    const variance = fit.validation.variance[k]!;
    if (variance > 0) fit.validation.r2[k] = 1 - fit.validation.mse[k]! / variance;
    fit.cautions[k] = cautionOf(final.sums(k), conditions[a]!);
  }
}

/** A condition number from which on weights have fewer than four certain digits. */
const ILL_CONDITIONED = 1e12;

function cautionOf({ minimum, maximum }: LabelSums, condition: number): RidgeCaution | null {
  if (minimum === maximum) return "constant";
  return condition >= ILL_CONDITIONED ? "ill-conditioned" : null;
}

const varianceOf = ({ weight, total, squares, minimum, maximum }: LabelSums): number =>
  minimum === maximum ? 0 : squares / weight - (total / weight) ** 2;

/** Index of the smallest number, the first of equals; null where all are NaN. */
function smallest(values: Float64Array): number | null {
  let best: number | null = null;
  for (let a = 0; a < values.length; a++) {
    if (Number.isNaN(values[a]!)) continue;
    if (best === null || values[a]! < values[best]!) best = a;
  }
  return best;
}

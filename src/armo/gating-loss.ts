/*
 * The loss of gate training, once as a graph that is differentiated and once in plain numbers for validation.
 *
 *   z = scale · margin − target
 *   loss = mean[(1 − ε) · softplus(−z) + ε · softplus(z)] + γ · mean[(score(chosen) + score(rejected))²]
 *
 * scale is β, or the factor on the gate's output. −log σ(z) = softplus(−z), and softplus(z) = softplus(−z) + z, so the
 * first mean is that of softplus(−z) + ε · z.
 */

import type { Value } from "../engine/graph.ts";
import * as op from "../engine/operators.ts";

export interface LossOptions {
  /** ε, in [0, ½). */
  readonly labelSmoothing: number;
  /** γ, ≥ 0. */
  readonly centering: number;
}

/** The loss of a batch of B pairs as a graph, without dimensions. */
export function lossOf(
  parts: {
    /** `[B]`, without the scale. */
    readonly margin: Value;
    /** `[1]` */
    readonly scale: Value;
    /** `[B]`; none: 0. */
    readonly target: Value | null;
    /** `[B]` scores of both responses together; only where γ > 0. */
    readonly scoreSum: Value | null;
  },
  { labelSmoothing, centering }: LossOptions,
): Value {
  const scaled = op.mul(parts.margin, parts.scale);
  const z = parts.target ? op.sub(scaled, parts.target) : scaled;
  let loss = op.reduceMean(op.softplus(op.neg(z)));
  if (labelSmoothing > 0) loss = op.add(loss, op.mul(op.reduceMean(z), op.scalar(z, labelSmoothing)));
  if (parts.scoreSum) {
    const square = op.reduceMean(op.mul(parts.scoreSum, parts.scoreSum));
    loss = op.add(loss, op.mul(square, op.scalar(square, centering)));
  }
  return loss;
}

/** The loss of one pair. @param z scale · margin − target @param scoreSum Scores of both responses together. */
export function pairLoss(z: number, scoreSum: number, { labelSmoothing, centering }: LossOptions): number {
  const softplus = Math.max(-z, 0) + Math.log1p(Math.exp(-Math.abs(z))); // softplus(−z)
  return softplus + labelSmoothing * z + centering * scoreSum * scoreSum;
}

// AdamW with decoupled weight decay, and the course of its learning rate.

/** What is trained: updated in place. All arrays of one run have one type. */
export type Weights = Float32Array | Float64Array;

export interface AdamWOptions {
  /** Decay of the running mean of gradients, in [0, 1). Default 0.9. */
  readonly beta1?: number;
  /** Decay of the running mean of squared gradients, in [0, 1). Default 0.999. */
  readonly beta2?: number;
  /** Added to the root in the denominator, > 0. Default 1e-8. */
  readonly epsilon?: number;
  /** λ: each step first multiplies every weight by 1 − learning rate · λ. ≥ 0, default 0. */
  readonly weightDecay?: number;
}

/** What AdamW remembers between steps: the live arrays, so that writing into them goes on from elsewhere. */
export interface AdamWState {
  /** Steps made. */
  steps: number;
  /** m, one array per array of weights. */
  readonly means: readonly Weights[];
  /** v */
  readonly squares: readonly Weights[];
}

export interface AdamW {
  readonly state: AdamWState;
  /**
   * Updates the weights in place.
   *
   * @param gradients One array per array of weights, of its length. @param learningRate ≥ 0.
   * @returns The Euclidean norm of all gradients together.
   */
  step(gradients: readonly Weights[], learningRate: number): number;
}

/**
 * AdamW over arrays of weights; decay applies to all of them.
 *
 * m ← β₁m + (1 − β₁)g,  v ← β₂v + (1 − β₂)g²,  w ← (1 − ηλ)w − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)
 *
 * Moments are stored in the type of the weights, the arithmetic in between is f64.
 * Memory: two numbers per weight. Source: arXiv:1711.05101, algorithm 2.
 *
 * @throws {RangeError} `createAdamW: beta1 must be in [0, 1), got 1`
 */
export function createAdamW(weights: readonly Weights[], options: AdamWOptions = {}): AdamW {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = options;
  requireRange("beta1", beta1, beta1 >= 0 && beta1 < 1, "in [0, 1)");
  requireRange("beta2", beta2, beta2 >= 0 && beta2 < 1, "in [0, 1)");
  requireRange("epsilon", epsilon, epsilon > 0, "> 0");
  requireRange("weightDecay", weightDecay, weightDecay >= 0, "≥ 0");
  const zeros = (array: Weights): Weights =>
    array instanceof Float32Array ? new Float32Array(array.length) : new Float64Array(array.length);
  const state: AdamWState = { steps: 0, means: weights.map(zeros), squares: weights.map(zeros) };

  return {
    state,
    step(gradients, learningRate) {
      const steps = ++state.steps;
      const factors: StepFactors = {
        beta1,
        beta2,
        epsilon,
        keep: 1 - learningRate * weightDecay,
        rate: learningRate / (1 - beta1 ** steps),
        unbias: 1 / Math.sqrt(1 - beta2 ** steps),
      };
      let squaredNorm = 0;
      for (const [i, w] of weights.entries()) {
        const g = gradients[i];
        if (g?.length !== w.length) {
          throw new TypeError(`step: gradient ${i} must have ${w.length} numbers, got ${g?.length}`);
        }
        squaredNorm += update(w, g, state.means[i]!, state.squares[i]!, factors);
      }
      return Math.sqrt(squaredNorm);
    },
  };
}

/**
 * A learning rate that falls from `initial` to 0 along half a cosine: ½ · initial · (1 + cos(π · step / steps)).
 *
 * @param step Updates made so far, in [0, steps].
 */
export function cosineDecay(initial: number, step: number, steps: number): number {
  return 0.5 * initial * (1 + Math.cos((Math.PI * step) / steps));
}

/**
 * A learning rate that rises by equal amounts to `initial`, which the update after `warmup` others has, and falls along
 * `cosineDecay` from there on: initial · (step + 1) / (warmup + 1) where step < warmup.
 *
 * @param step Updates made so far, in [0, steps]. @param warmup Updates below the full rate, in [0, steps).
 */
export function warmUpThenDecay(initial: number, step: number, steps: number, warmup: number): number {
  if (step < warmup) return (initial * (step + 1)) / (warmup + 1);
  return cosineDecay(initial, step - warmup, steps - warmup);
}

interface StepFactors {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly keep: number;
  readonly rate: number;
  readonly unbias: number;
}

/** One array's step. @returns Σ g². A process that trains in one precision alone runs this loop at full speed. */
function update(w: Weights, g: Weights, m: Weights, v: Weights, factors: StepFactors): number {
  const { beta1, beta2, epsilon, keep, rate, unbias } = factors;
  let squaredNorm = 0;
  for (let i = 0; i < w.length; i++) {
    const gradient = g[i]!;
    const square = gradient * gradient;
    const mean = beta1 * m[i]! + (1 - beta1) * gradient;
    const meanSquare = beta2 * v[i]! + (1 - beta2) * square;
    m[i] = mean;
    v[i] = meanSquare;
    w[i] = keep * w[i]! - (rate * mean) / (Math.sqrt(meanSquare) * unbias + epsilon);
    squaredNorm += square;
  }
  return squaredNorm;
}

function requireRange(name: string, value: number, holds: boolean, range: string): void {
  if (!holds) throw new RangeError(`createAdamW: ${name} must be ${range}, got ${value}`);
}

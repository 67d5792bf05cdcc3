/** Two points around the place where a non-increasing function changes its sign. */
export interface SignChange {
  /** Where the function is above zero. */
  readonly low: number;
  /** Where it is zero or below. */
  readonly high: number;
  /** (f(high) − f(low)) / (high − low) over the last bracket. */
  readonly slope: number;
}

export interface SignChangeOptions {
  /** Where to look first. */
  readonly start: number;
  /** The first step away from `start`; it quadruples until the sign has changed. Greater than 0. */
  readonly step: number;
  /** The slope near `start` where it is known, below 0: the first step then goes a fifth further than it says. */
  readonly slope?: number;
  /** `high − low` at most, greater than 0. */
  readonly tolerance: number;
}

const MAX_EXPANSIONS = 40;

/**
 * Brackets the sign change of a non-increasing function, step functions included.
 *
 * @returns null where no sign change is found within 4⁴⁰ steps of the start.
 *
 * Cost: for a smooth function about six evaluations, never more than bisection plus one after the expansion.
 * Source: the ITP method, Oliveira and Takahashi, ACM TOMS 47 (2020).
 */
export function locateSignChange(f: (x: number) => number, options: SignChangeOptions): SignChange | null {
  const bracket = expandBracket(f, options);
  return bracket && shrinkBracket(f, bracket, options.tolerance);
}

interface Bracket {
  low: number;
  high: number;
  fLow: number;
  fHigh: number;
}

function expandBracket(f: (x: number) => number, options: SignChangeOptions): Bracket | null {
  let x = options.start;
  let fx = f(x);
  const direction = fx > 0 ? 1 : -1;
  const predicted = options.slope === undefined ? 0 : Math.abs((1.2 * fx) / options.slope);
  let step = predicted > 0 ? Math.max(predicted, options.tolerance) : options.step;
  for (let i = 0; i < MAX_EXPANSIONS; i++) {
    const next = x + direction * step;
    const fNext = f(next);
    if (fNext > 0 !== fx > 0) {
      return direction > 0
        ? { low: x, high: next, fLow: fx, fHigh: fNext }
        : { low: next, high: x, fLow: fNext, fHigh: fx };
    }
    x = next;
    fx = fNext;
    step *= 4;
  }
  return null;
}

function shrinkBracket(f: (x: number) => number, bracket: Bracket, tolerance: number): SignChange {
  let { low, high, fLow, fHigh } = bracket;
  const width = high - low;
  const bisections = Math.max(0, Math.ceil(Math.log2(width / tolerance)));
  // The projection radius makes up for at most one evaluation more than bisection.
  let radius = tolerance * 2 ** bisections;
  let slope = (fHigh - fLow) / (high - low);
  while (high - low > tolerance) {
    const middle = (low + high) / 2;
    if (!(low < middle && middle < high)) break; // neighbouring doubles
    const secant = low + ((high - low) * fLow) / (fLow - fHigh);
    // A secant step pulled towards the middle overshoots the root now and then, so that both ends close in.
    const pull = Math.max((0.03 * (high - low) ** 2) / width, 0.25 * tolerance);
    const pulled = Math.abs(middle - secant) <= pull ? middle : secant + (secant < middle ? pull : -pull);
    const reach = Math.max(0, radius - (high - low) / 2);
    const x = Math.abs(pulled - middle) <= reach ? pulled : middle + (pulled < middle ? -reach : reach);
    const fx = f(x);
    if (fx > 0) {
      low = x;
      fLow = fx;
    } else {
      high = x;
      fHigh = fx;
    }
    slope = high > low ? (fHigh - fLow) / (high - low) : slope;
    radius /= 2;
  }
  return { low, high, slope };
}

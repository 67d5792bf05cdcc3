/**
 * The scale β with which given margins explain the preferences best.
 *
 * Minimises mean softplus(−β · margin) over β, which is convex; β stays within a tenth and ten times 1 / rms(margins),
 * so that margins that explain nothing, or everything, still give a scale that training can start from.
 *
 * @param margins score(chosen) − score(rejected) of some pairs.
 * @returns β > 0; 1 if all margins are 0, or not all are finite.
 * Cost: 40 passes over the margins.
 */
export function fitMarginScale(margins: ArrayLike<number>): number {
  let squares = 0;
  for (let i = 0; i < margins.length; i++) squares += margins[i]! ** 2;
  if (!(squares > 0 && Number.isFinite(squares))) return 1;
  const unit = 1 / Math.sqrt(squares / margins.length);
  // Bisection on a logarithmic scale: the slope of the loss never decreases with β.
  let [low, high] = [0.1 * unit, 10 * unit];
  for (let i = 0; i < 40; i++) {
    const middle = Math.sqrt(low * high);
    if (slope(margins, middle) < 0) low = middle;
    else high = middle;
  }
  return Math.sqrt(low * high);
}

/** d/dβ Σ softplus(−β·m) = −Σ m · σ(−β·m) */
function slope(margins: ArrayLike<number>, beta: number): number {
  let sum = 0;
  for (let i = 0; i < margins.length; i++) sum -= margins[i]! / (1 + Math.exp(beta * margins[i]!));
  return sum;
}

/*
 * How good the answer is that a model picks from n, for every n at once.
 *
 *   N  responses of a prompt      n ≤ N  responses that one picks from
 *
 * Each prompt gives the expectation over all its subsets of n responses, so that one set of N samples serves every n.
 */

import { createRandom } from "../random.ts";

/**
 * The expected label of the response with the highest score among n responses drawn without replacement, for each n of
 * 1 … N. Of equal scores each is picked as often as the others.
 *
 * P(the highest is in group g) = [C(M≤g, n) − C(M<g, n)] / C(N, n), groups of equal score in ascending order.
 *
 * @param scores One per response, finite (else a RangeError). @param labels One per response.
 * @returns `[N]`, at index n − 1. Cost: N² at most.
 */
export function expectedBest(scores: readonly number[], labels: readonly number[]): Float64Array {
  const N = scores.length;
  const odd = scores.find((score) => !Number.isFinite(score));
  if (odd !== undefined) throw new RangeError(`expectedBest: scores must be finite, got ${odd}`);
  const groups = groupsByScore(scores, labels);
  // C(m, n) / C(N, n) for the number m of responses up to and including each group; n grows in place.
  const share = groups.map(() => 1);
  const expected = new Float64Array(N);
  for (let n = 1; n <= N; n++) {
    let [sum, below] = [0, 0];
    for (const [g, { upTo, label }] of groups.entries()) {
      share[g]! *= Math.max(0, upTo - n + 1) / (N - n + 1);
      sum += (share[g]! - below) * label;
      below = share[g]!;
    }
    expected[n - 1] = sum;
  }
  return expected;
}

function groupsByScore(scores: readonly number[], labels: readonly number[]) {
  const order = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]!);
  const groups: { upTo: number; label: number }[] = [];
  for (let from = 0; from < order.length; ) {
    let to = from;
    let sum = 0;
    while (to < order.length && scores[order[to]!] === scores[order[from]!]) sum += labels[order[to++]!]!;
    groups.push({ upTo: to, label: sum / (to - from) });
    from = to;
  }
  return groups;
}

/** Subsets that are gone through one by one; of more, as many are drawn. */
const SUBSETS = 1000;

/**
 * The expected label of the answer that most of n responses give. Of answers with equally many votes each counts alike; a
 * response without an answer has no vote, and where nobody has one nothing is right.
 *
 * @param answers One per response. @param stream Names the draws where there are too many subsets to go through.
 */
export function expectedMajority(
  answers: readonly (string | null)[],
  labels: readonly number[],
  n: number,
  stream: string,
): number {
  const N = answers.length;
  const names = [...new Set(answers)].filter((answer) => answer !== null);
  const codes = Int32Array.from(answers, (answer) => (answer === null ? -1 : names.indexOf(answer)));
  const votes = new Int32Array(names.length);
  const sums = new Float64Array(names.length);
  const labelOf = (subset: ArrayLike<number>): number => {
    votes.fill(0);
    sums.fill(0);
    for (let i = 0; i < n; i++) {
      const code = codes[subset[i]!]!;
      if (code < 0) continue;
      votes[code]!++;
      sums[code]! += labels[subset[i]!]!;
    }
    const most = votes.reduce((a, b) => Math.max(a, b), 0);
    if (most === 0) return 0;
    let [total, winners] = [0, 0];
    for (let code = 0; code < votes.length; code++) {
      if (votes[code] !== most) continue;
      total += sums[code]! / most;
      winners++;
    }
    return total / winners;
  };
  let [total, count] = [0, 0];
  for (const subset of binomialAtMost(N, n, SUBSETS) ? allSubsets(N, n) : drawnSubsets(N, n, stream)) {
    total += labelOf(subset);
    count++;
  }
  return total / count;
}

function binomialAtMost(N: number, n: number, limit: number): boolean {
  let count = 1;
  for (let i = 1; i <= Math.min(n, N - n); i++) {
    count = (count * (N - i + 1)) / i;
    if (count > limit) return false;
  }
  return true;
}

/** Every subset of n of the numbers below N; the same array each time. */
function* allSubsets(N: number, n: number): Generator<Int32Array> {
  const subset = Int32Array.from({ length: n }, (_, i) => i);
  for (;;) {
    yield subset;
    let i = n - 1;
    while (i >= 0 && subset[i] === N - n + i) i--;
    if (i < 0) return;
    subset[i]!++;
    for (let j = i + 1; j < n; j++) subset[j] = subset[j - 1]! + 1;
  }
}

/** Subsets drawn at random: the beginning of a shuffled order. */
function* drawnSubsets(N: number, n: number, stream: string): Generator<Int32Array> {
  const random = createRandom(n, stream);
  const order = Int32Array.from({ length: N }, (_, i) => i);
  for (let draw = 0; draw < SUBSETS; draw++) {
    for (let i = 0; i < n; i++) {
      const j = random.integer(i, N - 1);
      const held = order[i]!;
      order[i] = order[j]!;
      order[j] = held;
    }
    yield order;
  }
}

/** How two models differ on the same rows. */
export interface McNemar {
  /** Rows on which the first is better, that is right where the second is wrong, and the other way round. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** Exact, two-sided: how probable a split at least as uneven is if both are equally good. In (0, 1]. */
  readonly pValue: number;
}

/**
 * McNemar's exact test: of the rows on which two models disagree, the first wins a fair coin's share if they are equally
 * good. Outcomes are 1 and 0; of credits and grades it counts which is greater, which is the sign test. Takes rows as
 * independent; where prompts repeat, the bootstrap interval of the difference is the safer figure.
 *
 * Source: Q. McNemar, Psychometrika 12 (1947); exact binomial form.
 */
export function mcnemar(first: readonly number[], second: readonly number[]): McNemar {
  if (first.length !== second.length) {
    throw new TypeError(
      `mcnemar: expected as many outcomes of both, got ${first.length} and ${second.length}`,
    );
  }
  const onlyFirst = first.filter((outcome, i) => outcome > second[i]!).length;
  const onlySecond = second.filter((outcome, i) => outcome > first[i]!).length;
  return {
    onlyFirst,
    onlySecond,
    pValue: binomialTwoSided(Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond),
  };
}

/** 2 · P(X ≤ k) for X of n throws of a fair coin, at most 1. */
function binomialTwoSided(k: number, n: number): number {
  // log C(n, i) − n log 2, from i = 0 upwards
  let logTerm = -n * Math.LN2;
  let tail = 0;
  for (let i = 0; i <= k; i++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((n - i) / (i + 1));
  }
  return Math.min(1, 2 * tail);
}

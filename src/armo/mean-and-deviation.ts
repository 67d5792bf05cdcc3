/** The mean of a sample, and its standard deviation with n − 1 in the denominator; NaN for fewer than two values. */
export interface MeanAndDeviation {
  readonly mean: number;
  readonly standardDeviation: number;
}

export function meanAndDeviation(values: readonly number[]): MeanAndDeviation {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardDeviation: n < 2 ? Number.NaN : Math.sqrt(squares / (n - 1)) };
}

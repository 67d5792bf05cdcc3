import { accuracyInterval, type Clustered, resampleMean } from "./bootstrap.ts";

export interface Accuracy {
  /** Pairs. */
  readonly n: number;
  /** Share of pairs with a margin above 0, strictly: a tie counts as wrong. In [0, 1]; NaN for no pairs. */
  readonly accuracy: number;
  /** 95 %, by bootstrap over prompts. */
  readonly interval: readonly [number, number];
}

/** What an accuracy is made of. */
export interface Judged {
  readonly promptHash: string;
  readonly right: boolean;
}

/** @param name Names the random draws of the interval: the same name, the same interval. */
export function accuracyOf(judged: readonly Judged[], name: string): Accuracy {
  return meanOf(
    judged.map(({ promptHash, right }) => ({ promptHash, value: right ? 1 : 0 })),
    name,
  );
}

/** The same of any values: credits, or grades. */
export function meanOf(values: readonly Clustered[], name: string): Accuracy {
  const resampled = resampleMean(values, name);
  return { n: values.length, accuracy: resampled.mean, interval: accuracyInterval(resampled) };
}

/** Rows by a name that each has, in the order in which names first occur. */
export function groupBy<T>(rows: readonly T[], nameOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const name = nameOf(row);
    const group = groups.get(name);
    if (group) group.push(row);
    else groups.set(name, [row]);
  }
  return groups;
}

/*
 * Ranks, the part of Spearman's correlation that costs time.
 *
 *   N  values
 *   order [N]  row numbers from the smallest value to the largest
 *   midrank    the mean of the positions 1 … N that a group of equal values occupies
 */

const DIGIT_BITS = 11;
const BUCKETS = 1 << DIGIT_BITS;
const DIGIT_MASK = BUCKETS - 1;

/** Buffers of one sorter, reused by every sort of the same length. */
export interface RankSorter {
  readonly length: number;
  /** Sorts `values [N]`, none of them NaN. The result is overwritten by the next call. */
  sort(values: Float64Array): SortedRows;
}

/** Row numbers, and for each the upper half of its value as an integer that orders like the value. */
interface SortedRows {
  readonly order: Uint32Array;
  /** Equal values have equal keys; unequal values may share one. */
  readonly keys: Uint32Array;
}

/**
 * Opens a sorter for arrays of one length: a radix sort of doubles that returns the order.
 *
 * Three passes over the upper 32 bits bring values in order up to a relative 1e-6; what shares these bits is then
 * sorted by its exact value. −0 equals 0. Cost: about 25 ns per value where few values share their upper bits,
 * N log N comparisons at worst.
 */
export function openRankSorter(length: number): RankSorter {
  const exact = new Float64Array(length);
  const from = { order: new Uint32Array(length), keys: new Uint32Array(length) };
  const to = { order: new Uint32Array(length), keys: new Uint32Array(length) };
  const counts = new Uint32Array(3 * BUCKETS);
  return {
    length,
    sort(values) {
      if (values.length !== length) {
        throw new TypeError(`sort: values must have length ${length}, got ${values.length}`);
      }
      fillKeys(values, exact, from, counts);
      scatter(from, to, counts, 0);
      scatter(to, from, counts, 1);
      scatter(from, to, counts, 2);
      sortWithinEqualKeys(exact, to);
      return to;
    },
  };
}

function fillKeys(values: Float64Array, exact: Float64Array, rows: SortedRows, counts: Uint32Array): void {
  const { order, keys } = rows;
  const words = new Uint32Array(exact.buffer);
  counts.fill(0);
  for (let i = 0; i < values.length; i++) {
    exact[i] = values[i]! + 0; // −0 + 0 is 0
    const high = words[2 * i + 1]!;
    // Doubles order like integers once negative ones have all bits flipped and the others their sign bit.
    const key = (high ^ ((high >> 31) | 0x80000000)) >>> 0;
    keys[i] = key;
    order[i] = i;
    counts[key & DIGIT_MASK]!++;
    counts[BUCKETS + ((key >>> DIGIT_BITS) & DIGIT_MASK)]!++;
    counts[2 * BUCKETS + (key >>> (2 * DIGIT_BITS))]!++;
  }
}

/** One pass of the radix sort: moves rows into the order of one digit of their keys, equal digits as they come. */
function scatter(from: SortedRows, to: SortedRows, counts: Uint32Array, digit: number): void {
  const { order, keys } = from;
  const { order: orderTo, keys: keysTo } = to;
  const shift = digit * DIGIT_BITS;
  const next = counts.subarray(digit * BUCKETS, (digit + 1) * BUCKETS);
  let total = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = next[bucket]!;
    next[bucket] = total;
    total += count;
  }
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    const at = next[(key >>> shift) & DIGIT_MASK]!++;
    keysTo[at] = key;
    orderTo[at] = order[i]!;
  }
}

function sortWithinEqualKeys(exact: Float64Array, { order, keys }: SortedRows): void {
  for (let start = 0; start < keys.length; ) {
    const key = keys[start]!;
    let end = start + 1;
    while (end < keys.length && keys[end] === key) end++;
    if (end - start > 24) {
      order.subarray(start, end).sort((a, b) => exact[a]! - exact[b]!);
    } else {
      for (let i = start + 1; i < end; i++) {
        const row = order[i]!;
        const value = exact[row]!;
        let j = i - 1;
        for (; j >= start && exact[order[j]!]! > value; j--) order[j + 1] = order[j]!;
        order[j + 1] = row;
      }
    }
    start = end;
  }
}

/** Ranks centred on zero. */
export interface CentredRanks {
  /** 2 · midrank − (N + 1), `[N]`: doubled, so that ranks of ties are integers too. */
  readonly doubled: Int32Array;
  /** Σ of their squares, 0 where all values are equal. */
  readonly sumOfSquares: number;
}

/** Midranks of `values [N]`, centred so that they sum to zero. Values must not be NaN. */
export function centredRanks(values: Float64Array, sorter: RankSorter): CentredRanks {
  const { order, keys } = sorter.sort(values);
  const doubled = new Int32Array(values.length);
  let sumOfSquares = 0;
  for (let start = 0; start < order.length; ) {
    const value = values[order[start]!];
    let end = start + 1;
    while (end < order.length && keys[end] === keys[start] && values[order[end]!] === value) end++;
    const rank = start + end - order.length;
    for (let i = start; i < end; i++) doubled[order[i]!] = rank;
    sumOfSquares += rank * rank * (end - start);
    start = end;
  }
  return { doubled, sumOfSquares };
}

/** How the ranks of one side go with those of another. */
export interface RankAgreement {
  /** Spearman's correlation; NaN where a side has no rank variance. */
  readonly correlation: number;
  /**
   * The same with the rank variance of N distinct values in the denominator: never larger in size than the
   * correlation, equal to it where nothing ties, and 0 instead of NaN where all values are equal.
   */
  readonly covariance: number;
}

/** Agreement of `values [N]` with a side whose ranks are known already. Values must not be NaN. */
export function compareRanks(values: Float64Array, other: CentredRanks, sorter: RankSorter): RankAgreement {
  const { order, keys } = sorter.sort(values);
  const { doubled } = other;
  const length = order.length;
  let products = 0;
  let sumOfSquares = 0;
  for (let start = 0; start < length; ) {
    const first = order[start]!;
    const key = keys[start]!;
    let sum = doubled[first]!;
    let end = start + 1;
    // Rows lie scattered in memory, keys in a row: most groups end without a look at the values.
    for (; end < length && keys[end] === key; end++) {
      const row = order[end]!;
      if (values[row] !== values[first]) break;
      sum += doubled[row]!;
    }
    const rank = start + end - length;
    products += rank * sum;
    sumOfSquares += rank * rank * (end - start);
    start = end;
  }
  const otherNorm = Math.sqrt(other.sumOfSquares);
  const distinct = (length * (length * length - 1)) / 3; // Σ (2 · rank)² of N distinct values
  return {
    correlation:
      sumOfSquares === 0 || otherNorm === 0 ? Number.NaN : products / Math.sqrt(sumOfSquares) / otherNorm,
    covariance: otherNorm === 0 ? 0 : products / Math.sqrt(distinct) / otherNorm,
  };
}

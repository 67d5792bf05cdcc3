/*
 * Seeded random numbers: the same seed gives the same numbers on every machine.
 * xoshiro128** (Blackman and Vigna), its state filled by splitmix32.
 */

export interface Random {
  /** The next 32 random bits as an integer in [0, 2³²). */
  nextUint32(): number;
  /** Uniform in [0, 1), 53 random bits. */
  uniform(): number;
  /** Whole number in [low, high]. */
  integer(low: number, high: number): number;
  /** Standard normal. */
  normal(): number;
  /** Standard logistic. */
  logistic(): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** A new array with the items in random order. */
  shuffled<T>(items: readonly T[]): T[];
  /** Four words that say where in its sequence the generator is; `restore` takes them back. */
  save(): Uint32Array;
  restore(words: ArrayLike<number>): void;
}

/**
 * Opens a generator.
 *
 * @param seed Any safe integer; nearby seeds give unrelated numbers.
 * @param stream Names an independent sequence under the same seed, so that drawing more from one leaves another alone.
 * @throws {RangeError} `createRandom: seed must be a safe integer, got 0.5`
 */
export function createRandom(seed: number, stream = ""): Random {
  if (!Number.isSafeInteger(seed))
    throw new RangeError(`createRandom: seed must be a safe integer, got ${seed}`);
  let counter = (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b9)) >>> 0;
  for (const character of stream) counter = mixBits(counter ^ character.codePointAt(0)!);
  const splitmix = (): number => {
    counter = (counter + 0x9e3779b9) >>> 0;
    return mixBits(counter);
  };
  let [s0, s1, s2, s3] = [splitmix(), splitmix(), splitmix(), splitmix()];

  const nextUint32 = (): number => {
    const scaled = Math.imul(s1, 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9);
    const shifted = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= shifted;
    s3 = (s3 << 11) | (s3 >>> 21);
    return result >>> 0;
  };
  const uniform = (): number => ((nextUint32() >>> 5) * 2 ** 26 + (nextUint32() >>> 6)) / 2 ** 53;
  // In (0, 1): the half step keeps logarithms finite.
  const open = (): number => (nextUint32() + 0.5) / 2 ** 32;
  const integer = (low: number, high: number): number => low + Math.floor(uniform() * (high - low + 1));

  return {
    nextUint32,
    uniform,
    integer,
    normal: () => Math.sqrt(-2 * Math.log(open())) * Math.cos(2 * Math.PI * uniform()),
    logistic: () => {
      const p = open();
      return Math.log(p / (1 - p));
    },
    chance: (probability) => uniform() < probability,
    pick: <T>(items: readonly T[]) => items[integer(0, items.length - 1)]!,
    shuffled: <T>(items: readonly T[]) => {
      const result = [...items];
      for (let i = result.length - 1; i > 0; i--) {
        const j = integer(0, i);
        [result[i], result[j]] = [result[j]!, result[i]!];
      }
      return result;
    },
    save: () => Uint32Array.of(s0, s1, s2, s3),
    restore: (words) => {
      [s0, s1, s2, s3] = [words[0]!, words[1]!, words[2]!, words[3]!];
    },
  };
}

/** Shuffles `values` in place, every order equally likely (Fisher–Yates). */
export function shuffle(values: Uint32Array, random: Random): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.integer(0, i);
    const held = values[i]!;
    values[i] = values[j]!;
    values[j] = held;
  }
}

/** Spreads the bits of a 32-bit integer over all of its positions (the finalizer of MurmurHash3). */
export function mixBits(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

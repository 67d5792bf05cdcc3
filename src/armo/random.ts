/*
 * Seeded random numbers: the same seed gives the same run on every machine.
 * xoshiro128** (Blackman and Vigna), its state filled by splitmix32.
 */

export interface Random {
  /** The next 32 random bits as an integer in [0, 2³²). */
  nextUint32(): number;
  /** Uniform in [0, 1), 53 random bits. */
  nextUniform(): number;
}

/** Opens a generator. `seed` is any safe integer; nearby seeds give unrelated streams. */
export function createRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed))
    throw new RangeError(`createRandom: seed must be a safe integer, got ${seed}`);
  let counter = (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b9)) >>> 0;
  const splitmix = (): number => {
    counter = (counter + 0x9e3779b9) >>> 0;
    return mixBits(counter);
  };
  let s0 = splitmix();
  let s1 = splitmix();
  let s2 = splitmix();
  let s3 = splitmix();

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
  const nextUniform = (): number => ((nextUint32() >>> 5) * 2 ** 26 + (nextUint32() >>> 6)) / 2 ** 53;
  return { nextUint32, nextUniform };
}

/** Shuffles `values` in place, every order equally likely (Fisher–Yates). */
export function shuffle(values: Uint32Array, random: Random): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random.nextUniform() * (i + 1));
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

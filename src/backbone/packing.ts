// Several token sequences as one run of the decoder, in which a shared prefix is computed once.
//
// T packed tokens, B paths, S slots per path, R requested rows.
//
// Linear layers see packed tokens, each once. Attention sees [B, S]: every path is a whole sequence from its first token
// on, so causality needs no mask. Nothing in a row's arithmetic depends on what else is packed, as long as T and R are
// even (kernels add up the last row of an odd number in another order) and S is a multiple of `slotMultiple`.

/** Token ids and the positions whose rows are wanted. */
export interface Sequence {
  readonly ids: readonly number[];
  readonly positions: readonly number[];
}

export interface Pack {
  /** `[T]` */
  readonly ids: BigInt64Array;
  /** `[T]`, each token's place in its sequence. */
  readonly positions: Int32Array;
  /** Tokens of the longest sequence. */
  readonly longest: number;
  readonly paths: number;
  readonly slotsPerPath: number;
  /** `[B, S]`, the packed token in each slot. Slots past a path's end hold token 0, which nothing before them sees. */
  readonly tokenOfSlot: BigInt64Array;
  /** `[T]`, one slot of each token. */
  readonly slotOfToken: BigInt64Array;
  /** `[R]`, the packed tokens whose rows are wanted, each once, then perhaps one filler. */
  readonly rows: BigInt64Array;
  /** Per sequence, in the order given: for each of its positions the index into `rows`. */
  readonly rowsOf: readonly Int32Array[];
}

/** Orders sequences so that those with a common prefix are neighbours, and a prefix comes before what extends it. */
export function compareIds(a: readonly number[], b: readonly number[]): number {
  const shared = sharedPrefix(a, b);
  if (shared === a.length || shared === b.length) return a.length - b.length;
  return a[shared]! - b[shared]!;
}

/** Number of leading tokens that two sequences have in common. */
export function sharedPrefix(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length);
  let length = 0;
  while (length < end && a[length] === b[length]) length += 1;
  return length;
}

/**
 * Lays sequences out as a forest: every distinct prefix once, every sequence that no other extends as one path.
 *
 * @param sequences At least one, each with at least one token.
 * @param slotMultiple S is rounded up to a multiple of it.
 */
export function packSequences(sequences: readonly Sequence[], slotMultiple: number): Pack {
  const order = sequences.map((_, i) => i).sort((a, b) => compareIds(sequences[a]!.ids, sequences[b]!.ids));
  const ids: number[] = [];
  const positions: number[] = [];
  const paths: number[][] = [];
  const rowOfToken = new Map<number, number>();
  const rowsOf: Int32Array[] = new Array(sequences.length);
  // In this order a sequence shares with the one before it all that it shares with any before it.
  let chain: number[] = [];
  let previous: readonly number[] = [];
  order.forEach((index, i) => {
    const sequence = sequences[index]!;
    chain = chain.slice(0, sharedPrefix(previous, sequence.ids));
    for (const id of sequence.ids.slice(chain.length)) {
      positions.push(chain.length);
      chain.push(ids.length);
      ids.push(id);
    }
    rowsOf[index] = Int32Array.from(sequence.positions, (position) => {
      const token = chain[position]!;
      const row = rowOfToken.get(token) ?? rowOfToken.size;
      rowOfToken.set(token, row);
      return row;
    });
    const next = sequences[order[i + 1] ?? -1]?.ids ?? [];
    if (sharedPrefix(sequence.ids, next) < sequence.ids.length) paths.push(chain);
    previous = sequence.ids;
  });

  const rows = [...rowOfToken.keys()];
  if (rows.length % 2 === 1) rows.push(rows[0]!);
  if (ids.length % 2 === 1) {
    ids.push(0);
    positions.push(0);
  }
  return {
    ids: BigInt64Array.from(ids, BigInt),
    positions: Int32Array.from(positions),
    ...layOutPaths(paths, ids.length, slotMultiple),
    rows: BigInt64Array.from(rows, BigInt),
    rowsOf,
  };
}

function layOutPaths(paths: readonly number[][], tokens: number, slotMultiple: number) {
  const longest = paths.reduce((length, path) => Math.max(length, path.length), 0);
  const slotsPerPath = Math.ceil(longest / slotMultiple) * slotMultiple;
  const tokenOfSlot = new BigInt64Array(paths.length * slotsPerPath);
  const slotOfToken = new BigInt64Array(tokens); // A filler token reads slot 0; its row is never asked for.
  paths.forEach((path, b) => {
    path.forEach((token, s) => {
      tokenOfSlot[b * slotsPerPath + s] = BigInt(token);
      slotOfToken[token] = BigInt(b * slotsPerPath + s);
    });
  });
  return { longest, paths: paths.length, slotsPerPath, tokenOfSlot, slotOfToken };
}

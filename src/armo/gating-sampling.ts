// Which pairs a training step sees, and which hidden units. N pairs on the training side, G groups of them.

import type { Weights } from "../engine/optimizer.ts";
import { InputError } from "../errors.ts";
import { type Random, shuffle } from "../random.ts";

/** How often pairs of which group are drawn: as often as there are pairs, all groups alike, or by weight. */
export type Balance = "off" | "equal" | Readonly<Record<string, number>>;

/** Pairs that are drawn alike. */
export interface SampledGroup {
  readonly rows: Uint32Array;
  /** Share of all draws, > 0; the shares of all groups sum to 1. */
  readonly share: number;
}

/** Where a sampler is: the live arrays, so that writing into them goes on from elsewhere. */
export interface SamplerState {
  /** `[N]` rows of one group after another, in the order of the groups, each in the order of its present pass. */
  readonly order: Uint32Array;
  /** `[G]` pairs taken in the present pass. */
  readonly positions: Uint32Array;
  /** `[G]` pairs drawn so far. */
  readonly drawn: Float64Array;
}

export interface Sampler {
  readonly state: SamplerState;
  /** The next `count` rows, in a new array. */
  draw(count: number): Uint32Array;
}

/**
 * Draws pairs without end.
 *
 * Groups take turns so that each has its share of the draws at all times: the next pair is of the group that is furthest
 * behind, so no group is ever a whole pair ahead of its share, and equal shares differ by one pair at most. Within a
 * group pairs come pass after pass, each pass in a new order, or, with replacement, each independently of the others.
 */
export function createSampler(
  groups: readonly SampledGroup[],
  { replacement }: { readonly replacement: boolean },
  random: Random,
): Sampler {
  const sizes = groups.map(({ rows }) => rows.length);
  const starts = sizes.map((_, g) => sizes.slice(0, g).reduce((sum, size) => sum + size, 0));
  const order = new Uint32Array(sizes.reduce((sum, size) => sum + size, 0));
  for (const [g, { rows }] of groups.entries()) order.set(rows, starts[g]);
  const positions = Uint32Array.from(sizes); // At the end of a pass: the first draw begins one.
  const drawn = new Float64Array(groups.length);
  let total = 0;

  const furthestBehind = (): number => {
    let [furthest, most] = [0, Number.NEGATIVE_INFINITY];
    for (const [g, { share }] of groups.entries()) {
      const behind = share * (total + 1) - drawn[g]!;
      if (behind > most) [furthest, most] = [g, behind];
    }
    return furthest;
  };
  const drawFrom = (g: number): number => {
    const [start, size] = [starts[g]!, sizes[g]!];
    if (replacement) return order[start + random.integer(0, size - 1)]!;
    if (positions[g] === size) {
      shuffle(order.subarray(start, start + size), random);
      positions[g] = 0;
    }
    return order[start + positions[g]!++]!;
  };
  return {
    state: { order, positions, drawn },
    draw(count) {
      const batch = new Uint32Array(count);
      total = drawn.reduce((sum, n) => sum + n, 0);
      for (let i = 0; i < count; i++) {
        const g = groups.length === 1 ? 0 : furthestBehind();
        batch[i] = drawFrom(g);
        drawn[g]!++;
        total++;
      }
      return batch;
    },
  };
}

/**
 * The groups that `balance` asks for.
 *
 * @param rows The training side. @param names The group of every pair, by row; read only where `balance` is not `off`.
 * @throws {TypeError} If the names are missing. @throws {RangeError} For weights that are none.
 * @throws {InputError} `unknown-group` where weights and groups do not have the same names.
 */
export function balanceGroups(
  rows: Uint32Array,
  balance: Balance,
  names: readonly string[] | undefined,
): SampledGroup[] {
  if (balance === "off") return [{ rows, share: 1 }];
  if (!names) throw new TypeError("trainGating: balance needs the groups of the pairs, got none");
  const members = new Map<string, number[]>();
  for (const row of rows) {
    const group = members.get(names[row]!);
    if (group) group.push(row);
    else members.set(names[row]!, [row]);
  }
  const weightOf = balance === "equal" ? () => 1 : weightsByName(balance, [...members.keys()]);
  const weighted = [...members].map(([name, group]) => ({ group, weight: weightOf(name) }));
  const sum = weighted.reduce((total, { weight }) => total + weight, 0);
  if (!(sum > 0)) throw new RangeError("trainGating: balance must have a weight above 0, got none");
  return weighted
    .filter(({ weight }) => weight > 0)
    .map(({ group, weight }) => ({ rows: Uint32Array.from(group), share: weight / sum }));
}

function weightsByName(balance: Readonly<Record<string, number>>, groups: readonly string[]) {
  for (const [name, weight] of Object.entries(balance)) {
    if (!(weight >= 0 && Number.isFinite(weight))) {
      throw new RangeError(`trainGating: balance must hold weights ≥ 0, got ${weight} for ${name}`);
    }
  }
  const unknown = Object.keys(balance).filter((name) => !groups.includes(name));
  const missing = groups.filter((name) => !Object.hasOwn(balance, name));
  if (unknown.length > 0 || missing.length > 0) {
    const got = unknown.length > 0 ? unknown.join(", ") : `none for ${missing.join(", ")}`;
    throw new InputError(
      "unknown-group",
      `balance: expected a weight for every group of training pairs, got ${got}`,
      `groups are ${groups.join(", ")}; 0 leaves one out`,
    );
  }
  return (name: string): number => balance[name]!;
}

/**
 * Draws a dropout mask: each element is 0 with probability `share`, else 1 / (1 − share).
 *
 * One draw of 32 bits serves two elements, so the share is exact to 2⁻¹⁷.
 */
export function drawMask(mask: Weights, share: number, random: Random): void {
  const threshold = Math.round(share * 65536);
  const kept = 1 / (1 - share);
  for (let i = 0; i < mask.length; i += 2) {
    const bits = random.nextUint32();
    mask[i] = bits >>> 16 < threshold ? 0 : kept;
    if (i + 1 < mask.length) mask[i + 1] = (bits & 0xffff) < threshold ? 0 : kept;
  }
}

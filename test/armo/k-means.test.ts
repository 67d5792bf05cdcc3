import { expect, test } from "vitest";
import { fitKMeans, nearestCentre } from "../../src/armo/k-means.ts";
import { createRandom } from "../../src/random.ts";

const random = createRandom(3, "rows");
/** Rows around the given middles, in turn. */
const around = (middles: readonly (readonly number[])[], count: number, noise: number) =>
  Float32Array.from({ length: count }, (_, n) => n).reduce(
    (rows, n) => {
      const middle = middles[n % middles.length]!;
      rows.set(
        middle.map((value) => value + noise * random.normal()),
        n * middle.length,
      );
      return rows;
    },
    new Float32Array(count * middles[0]!.length),
  );

test("clusters that lie apart are found, whatever the seed", () => {
  const middles = [
    [0, 0, 5],
    [5, 0, 0],
    [0, 5, 0],
    [-5, -5, -5],
  ];
  const rows = around(middles, 200, 0.2);
  for (const seed of [1, 2, 3]) {
    const { centres } = fitKMeans(rows, 3, { clusters: 4, seed });
    const of = Array.from({ length: 200 }, (_, n) => nearestCentre(rows, n, centres).cluster);
    expect(new Set(of).size).toBe(4);
    for (const [n, cluster] of of.entries()) expect(cluster).toBe(of[n % 4]);
  }
});

test("no assignment of few rows to two clusters has a smaller sum of squares", () => {
  const [N, H] = [10, 2];
  const rows = Float32Array.from({ length: N * H }, () => random.normal());
  const { inertia } = fitKMeans(rows, H, { clusters: 2, seed: 5, starts: 20 });
  const sumOfSquares = (members: readonly number[]) => {
    let sum = 0;
    for (let h = 0; h < H; h++) {
      const mean = members.reduce((total, n) => total + rows[n * H + h]!, 0) / members.length;
      for (const n of members) sum += (rows[n * H + h]! - mean) ** 2;
    }
    return sum;
  };
  const all = Array.from({ length: N }, (_, n) => n);
  let least = Number.POSITIVE_INFINITY;
  for (let mask = 1; mask < 2 ** (N - 1); mask++) {
    const sides = [1, 0].map((bit) => all.filter((n) => ((mask >> n) & 1) === bit));
    least = Math.min(least, sumOfSquares(sides[0]!) + sumOfSquares(sides[1]!));
  }
  expect(inertia).toBeCloseTo(least, 10);
});

test("the same seed gives the same centres; rows that are fewer than clusters are centres themselves", () => {
  const rows = around([[0, 1]], 50, 1);
  const centresOf = (seed: number) => fitKMeans(rows, 2, { clusters: 6, seed });
  expect(centresOf(4)).toEqual(centresOf(4));
  const twice = Float32Array.of(1, 0, 1, 0, 0, 1, 1, 0);
  const { centres, inertia } = fitKMeans(twice, 2, { clusters: 5, seed: 0 });
  expect(centres.map((centre) => [...centre]).sort()).toEqual([
    [0, 1],
    [1, 0],
  ]);
  expect(inertia).toBe(0);
});

test("what cannot be clustered is refused", () => {
  expect(() => fitKMeans(new Float32Array(4), 2, { clusters: 0, seed: 0 })).toThrow(RangeError);
  expect(() => fitKMeans(new Float32Array(3), 2, { clusters: 1, seed: 0 })).toThrow(TypeError);
  expect(() => fitKMeans(new Float32Array(0), 2, { clusters: 1, seed: 0 })).toThrow(TypeError);
});

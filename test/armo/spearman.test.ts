import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { centredRanks, openRankSorter } from "../../src/armo/ranks.ts";
import { spearman } from "../../src/armo/spearman.ts";

interface Case {
  name: string;
  x: (number | string)[];
  y: (number | string)[];
  rho: number | null;
  ranks_x?: number[];
}

const SPECIAL: Record<string, number> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  "-inf": Number.NEGATIVE_INFINITY,
  "-0": -0,
};
const { cases } = JSON.parse(
  readFileSync(new URL("../golden/spearman/cases.json", import.meta.url), "utf8"),
) as { cases: Case[] };
const decode = (values: (number | string)[]) =>
  Float64Array.from(values, (value) => (typeof value === "string" ? SPECIAL[value]! : value));

describe("Spearman's correlation", () => {
  it.each(cases)("equals SciPy's on $name", ({ x, y, rho }) => {
    const correlation = spearman(decode(x), decode(y));
    if (rho === null) expect(correlation).toBeNaN();
    else expect(Math.abs(correlation - rho)).toBeLessThan(1e-12);
  });

  it("does not change under a monotone map of either side", () => {
    const a = Array.from({ length: 500 }, (_, i) => Math.sin(i * 12.9898) * 43758);
    const b = a.map((value, i) => value + 20000 * Math.cos(i));
    const correlation = spearman(a, b);
    expect(correlation).toBeGreaterThan(0.5);
    expect(spearman(a.map(Math.cbrt), b)).toBeCloseTo(correlation, 12);
    expect(
      spearman(
        a,
        b.map((value) => -value),
      ),
    ).toBeCloseTo(-correlation, 12);
  });

  it("ranks infinities at the ends, and −0 as 0", () => {
    expect(spearman([Number.NEGATIVE_INFINITY, 0, Number.POSITIVE_INFINITY], [1, 2, 3])).toBeCloseTo(1, 12);
    expect(spearman([-0, 0, 1], [5, 5, 6])).toBeCloseTo(1, 12);
    expect(spearman([-1, -0, 0], [1, 2, 3])).toBeCloseTo(Math.sqrt(3) / 2, 12);
  });

  it("is NaN where a value is NaN, all values are equal, or there are fewer than two", () => {
    expect(spearman([1, Number.NaN, 3], [1, 2, 3])).toBeNaN();
    expect(spearman([1, 2, 3], [Number.NaN, 2, 3])).toBeNaN();
    expect(spearman([4, 4, 4], [1, 2, 3])).toBeNaN();
    expect(spearman([1], [2])).toBeNaN();
    expect(spearman([], [])).toBeNaN();
  });

  it("refuses sides of different lengths", () => {
    expect(() => spearman([1, 2], [1])).toThrow("spearman: both sides must have one length, got 2 and 1");
  });
});

describe("ranks", () => {
  it.each(cases.filter(({ ranks_x }) => ranks_x))("are SciPy's midranks on $name", ({ x, ranks_x }) => {
    const values = decode(x);
    const { doubled } = centredRanks(values, openRankSorter(values.length));
    expect(Array.from(doubled, (rank) => (rank + values.length + 1) / 2)).toEqual(ranks_x);
  });

  it("tell values apart that differ in their last bit alone", () => {
    // More values than an insertion sort is used for, all with the same upper 32 bits.
    const values = Float64Array.from({ length: 100 }, (_, i) => 1 + ((i * 37) % 100) * Number.EPSILON);
    const { doubled } = centredRanks(values, openRankSorter(100));
    expect(Array.from(doubled, (rank) => (rank + 99) / 2)).toEqual(
      Array.from({ length: 100 }, (_, i) => (i * 37) % 100),
    );
  });
});

import { describe, expect, it } from "vitest";
import { sideOfRow } from "../../src/armo/split.ts";
import { createRandom, shuffle } from "../../src/random.ts";

describe("a split by group", () => {
  const groups = Array.from({ length: 20_000 }, (_, row) => `prompt ${row % 5000}`);

  it("keeps a group on one side, wherever its rows are and whoever else is there", () => {
    const side = sideOfRow({ fraction: 0.2, seed: 3, groups });
    const reversed = sideOfRow({ fraction: 0.2, seed: 3, groups: groups.toReversed() });
    for (let row = 0; row < 5000; row++) {
      expect(side(row + 15_000)).toBe(side(row));
      expect(reversed(groups.length - 1 - row)).toBe(side(row));
    }
  });

  it("holds out about the share asked for, another one for another seed", () => {
    const heldOut = (seed: number) => {
      const side = sideOfRow({ fraction: 0.2, seed });
      return Array.from({ length: 20_000 }, (_, row) => side(row) === "validation");
    };
    const [a, b] = [heldOut(0), heldOut(1)];
    expect(Math.abs(a.filter(Boolean).length / 20_000 - 0.2)).toBeLessThan(0.01); // 3.5 standard deviations
    const both = a.filter((held, row) => held && b[row]).length;
    expect(Math.abs(both / 20_000 - 0.04)).toBeLessThan(0.006);
  });

  it("tells groups apart that differ in one character", () => {
    const side = sideOfRow({ fraction: 0.5, groups: Array.from({ length: 1000 }, (_, i) => `g${i}`) });
    let changes = 0;
    for (let row = 1; row < 1000; row++) if (side(row) !== side(row - 1)) changes++;
    expect(Math.abs(changes - 500)).toBeLessThan(60);
  });

  it("refuses a share outside [0, 1) and a row without a group", () => {
    expect(() => sideOfRow({ fraction: 1 })).toThrow("split: fraction must be in [0, 1), got 1");
    expect(() => sideOfRow({ fraction: 0.5, groups: ["a"] })(1)).toThrow(RangeError);
  });
});

describe("a split by row", () => {
  it("leaves rows out that are on neither side", () => {
    const side = sideOfRow({ train: [0, 2], validation: [3] });
    expect([0, 1, 2, 3].map(side)).toEqual(["train", "unused", "train", "validation"]);
  });

  it("refuses a row on both sides", () => {
    expect(() => sideOfRow({ train: [1, 2], validation: [2] })).toThrow(
      "split: a row must be on one side, got row 2 in train and in validation",
    );
  });
});

describe("random numbers", () => {
  it("repeat with their seed and differ without", () => {
    const draw = (seed: number) => Array.from({ length: 5 }, createRandom(seed).nextUint32);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(2 ** 40)).not.toEqual(draw(0));
  });

  it("are uniform in [0, 1)", () => {
    const random = createRandom(9);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) counts[Math.floor(random.uniform() * 10)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400); // 4 standard deviations
  });

  it("shuffle into a permutation", () => {
    const values = Uint32Array.from({ length: 100 }, (_, i) => i);
    shuffle(values, createRandom(4));
    expect(Array.from(values)).not.toEqual(Array.from(values).sort((a, b) => a - b));
    expect(Array.from(values).sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });
});

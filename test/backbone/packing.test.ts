import { describe, expect, test } from "vitest";
import { packSequences, type Sequence, sharedPrefix } from "../../src/backbone/packing.ts";
import { planRuns } from "../../src/backbone/runs.ts";
import { randomNumbers } from "./random-decoder.ts";

const wanting = (ids: number[], ...positions: number[]): Sequence => ({ ids, positions });

/** A few sequences over a small alphabet: prefixes, repeats and branches all occur. */
function randomSequences(random: () => number, count: number): Sequence[] {
  const below = (n: number) => Math.floor(random() * n);
  return Array.from({ length: count }, () => {
    const ids = Array.from({ length: 1 + below(9) }, () => below(2));
    return { ids, positions: Array.from({ length: below(4) }, () => below(ids.length)) };
  });
}

describe("a pack", () => {
  test("holds a shared prompt once and each response as a path of its own", () => {
    const pack = packSequences([wanting([5, 6, 7, 1], 3), wanting([5, 6, 7, 2, 3], 4, 1)], 8);
    expect([...pack.ids].map(Number)).toEqual([5, 6, 7, 1, 2, 3]);
    expect([...pack.positions]).toEqual([0, 1, 2, 3, 3, 4]);
    expect(pack).toMatchObject({ paths: 2, slotsPerPath: 8, longest: 5 });
    expect([...pack.tokenOfSlot].map(Number)).toEqual([0, 1, 2, 3, 0, 0, 0, 0, 0, 1, 2, 4, 5, 0, 0, 0]);
  });

  test("gives a sequence that another extends no path, and a row asked for twice once", () => {
    const pack = packSequences([wanting([1, 2, 3], 2), wanting([1, 2], 1), wanting([1, 2, 3], 2, 1)], 8);
    expect(pack.paths).toBe(1);
    expect(pack.ids.length).toBe(4); // Three tokens and a filler.
    expect(pack.rows.length).toBe(2);
  });

  test("lets every sequence be read back, with even numbers of tokens and rows", () => {
    const random = randomNumbers(2);
    for (let round = 0; round < 200; round++) {
      const sequences = randomSequences(random, 1 + (round % 12));
      const pack = packSequences(sequences, 8);
      expect(pack.ids.length % 2).toBe(0);
      expect(pack.rows.length % 2).toBe(0);
      expect(pack.slotsPerPath % 8).toBe(0);
      const S = pack.slotsPerPath;
      sequences.forEach(({ ids, positions }, i) => {
        positions.forEach((position, j) => {
          const token = Number(pack.rows[pack.rowsOf[i]![j]!]);
          const slot = Number(pack.slotOfToken[token]);
          // The token's slot lies on a path that begins with the sequence up to the position.
          const path = Array.from({ length: (slot % S) + 1 }, (_, s) =>
            Number(pack.tokenOfSlot[slot - (slot % S) + s]),
          );
          expect(path.map((t) => Number(pack.ids[t]))).toEqual(ids.slice(0, position + 1));
          expect(path.map((t) => pack.positions[t])).toEqual(path.map((_, s) => s));
          expect(path.at(-1)).toBe(token);
        });
      });
      const prefixes = new Set(sequences.flatMap(({ ids }) => ids.map((_, p) => ids.slice(0, p + 1).join())));
      expect(pack.ids.length).toBe(prefixes.size + (prefixes.size % 2));
    }
  });
});

describe("runs", () => {
  const filled = (length: number, id: number) => new Array<number>(length).fill(id);

  test("hold every request once and stay within the budget", () => {
    const random = randomNumbers(4);
    const budget = { tokens: 12, slots: 24 };
    for (let round = 0; round < 100; round++) {
      const sequences = randomSequences(random, 1 + round).map(({ ids }) => ids);
      const runs = planRuns(sequences, budget);
      expect(runs.flat().sort((a, b) => a - b)).toEqual(sequences.map((_, i) => i));
      for (const run of runs) {
        const pack = packSequences(
          run.map((i) => ({ ids: sequences[i]!, positions: [] })),
          1,
        );
        expect(pack.ids.length).toBeLessThanOrEqual(budget.tokens);
        expect(pack.paths * pack.slotsPerPath).toBeLessThanOrEqual(budget.slots);
      }
    }
  });

  test("keep responses to one prompt together and like lengths together", () => {
    const prompt = filled(40, 1);
    const sequences = [[...prompt, 5, 5], filled(90, 2), [...prompt, 6], filled(80, 3), [...prompt, 7]];
    expect(planRuns(sequences, { tokens: 170, slots: 1000 })).toEqual([
      [1, 3],
      [0, 2, 4],
    ]);
  });

  test("do not keep conversations together for a short system prompt", () => {
    const system = filled(5, 9);
    const sequences = [30, 100, 31, 101].map((length, i) => [...system, ...filled(length, i)]);
    expect(planRuns(sequences, { tokens: 215, slots: 1000 })).toEqual([
      [3, 1],
      [2, 0],
    ]);
  });

  test("keep conversations together for a long system prompt, whatever their lengths", () => {
    const system = filled(100, 9);
    const sequences = [
      [...system, ...filled(600, 1)],
      filled(590, 2),
      [...system, ...filled(500, 3)],
      filled(610, 4),
    ];
    expect(planRuns(sequences, { tokens: 1250, slots: 4000 }).map((run) => run.toSorted())).toEqual([
      [0, 2],
      [1, 3],
    ]);
  });

  test("give a request beyond the budget a run of its own", () => {
    expect(planRuns([filled(50, 1), filled(3, 2)], { tokens: 10, slots: 10 })).toEqual([[0], [1]]);
  });
});

test("a shared prefix ends at the first difference or with the shorter sequence", () => {
  expect(sharedPrefix([1, 2, 3], [1, 2, 4])).toBe(2);
  expect(sharedPrefix([1, 2], [1, 2, 4])).toBe(2);
  expect(sharedPrefix([], [1])).toBe(0);
});

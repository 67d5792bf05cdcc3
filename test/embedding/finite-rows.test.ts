import { expect, test } from "vitest";
import { rejectNotFinite } from "../../src/embedding/finite-rows.ts";

const FINE = Float32Array.of(1, 2);
const SPOILT = Float32Array.of(1, Number.NaN);

/** Pairs, three states each: of the prompt, the chosen and the rejected response. */
const pairs = (count: number) =>
  Array.from({ length: count }, (_, row) => ({
    info: { row: 10 + row, id: `p${row}`, source: "mine", subset: null, promptHash: "0" },
    requests: Array.from({ length: 3 }, () => ({ ids: [1], positions: [0] })),
    responseTokens: [1, 1],
    labels: [],
  }));
const reject = (states: readonly Float32Array[], begun: boolean, strict = false) =>
  rejectNotFinite({ rows: pairs(states.length / 3), rejections: [] }, states, { begun, strict });

test("a row with one spoilt state is rejected by its place; the others keep theirs", () => {
  const states = [FINE, FINE, FINE, FINE, FINE, SPOILT, FINE, SPOILT, FINE, FINE, FINE, FINE];
  const found = reject(states, false);
  expect(found.rows.map(({ info }) => info.id)).toEqual(["p0", "p3"]);
  expect(found.states).toEqual(Array.from({ length: 6 }, () => FINE));
  const reason = expect.stringMatching(/^mine: row 1[12] \(id p[12]\): hidden states not finite/);
  expect(found.rejections).toMatchObject([
    { row: 11, id: "p1", kind: "invalid", reason },
    { row: 12, id: "p2", kind: "invalid", reason },
  ]);
  expect(() => reject(states, false, true)).toThrow("mine: row 11 (id p1): hidden states not finite");
});

test("nothing but spoilt rows is a broken backbone, unless they are few and others were right", () => {
  const spoilt = (rows: number) => Array.from({ length: 3 * rows }, () => SPOILT);
  expect(reject(spoilt(8), true).rejections).toHaveLength(8);
  for (const [rows, begun] of [
    [1, false],
    [9, true],
  ] as const) {
    expect(() => reject(spoilt(rows), begun)).toThrow("for every row of a part");
  }
  expect(reject([], false)).toMatchObject({ rows: [], rejections: [] });
});

import { expect, test } from "vitest";
import type { PreferencePair, RowError } from "../../src/data/records.ts";
import { readPairTexts } from "../../src/evaluation/pair-texts.ts";

const pair = (n: number): PreferencePair => ({
  kind: "pair",
  id: n,
  prompt: [{ role: "user", content: `prompt ${n}` }],
  chosen: `chosen ${n}`,
  rejected: `rejected ${n}`,
  subset: null,
  source: "made-up",
  promptHash: `hash ${n}`,
});
const bad: RowError = { kind: "error", file: "f", line: 2, id: null, error: "bad" };

test("texts are those of the records at the places asked for, and reading stops at the last of them", async () => {
  const read: number[] = [];
  async function* records() {
    for (const [i, record] of [pair(0), bad, pair(2), pair(3), pair(4)].entries()) {
      read.push(i);
      yield record;
    }
  }
  // Place 1 is no pair: nothing to show.
  expect(await readPairTexts(records(), [3, 1, 0])).toEqual({
    0: { prompt: pair(0).prompt, chosen: "chosen 0", rejected: "rejected 0" },
    3: { prompt: pair(3).prompt, chosen: "chosen 3", rejected: "rejected 3" },
  });
  expect(read).toEqual([0, 1, 2, 3]);
  expect(await readPairTexts(records(), [7])).toEqual({});
  read.length = 0;
  expect(await readPairTexts(records(), [])).toEqual({});
  expect(read).toEqual([]);
});

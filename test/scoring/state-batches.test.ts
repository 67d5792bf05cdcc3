import { expect, test } from "vitest";
import type { HiddenStatesOptions, HiddenStatesRequest } from "../../src/backbone/backbone.ts";
import { useHiddenStates } from "../../src/scoring/state-batches.ts";

const calls: number[] = [];
/** Rows that name their sequence and position; tells progress once per call. */
const backbone = {
  hiddenSize: 2,
  hiddenStates: async (requests: readonly HiddenStatesRequest[], options?: HiddenStatesOptions) => {
    calls.push(requests.length);
    const tokens = requests.reduce((sum, { ids }) => sum + ids.length, 0);
    options?.onProgress?.(tokens, tokens);
    return requests.map(({ ids, positions = [] }) =>
      Float32Array.from(positions.flatMap((p) => [ids[0]!, p])),
    );
  },
};
const requests = [3, 1, 2, 5].map((P, i) => ({
  ids: Array.from({ length: 10 }, () => i),
  positions: Array.from({ length: P }, (_, p) => p),
}));

test("every request is used once, in order, with its own rows, whatever the memory", async () => {
  for (const mostBytes of [1, 32, 40, 1e9]) {
    const seen = await useHiddenStates(
      backbone,
      requests,
      (rows, index) => ({ rows: [...rows], index }),
      {},
      mostBytes,
    );
    expect(seen.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    for (const { rows, index } of seen) {
      expect(rows).toEqual(requests[index]!.positions.flatMap((p) => [index, p]));
    }
  }
});

test("as many requests go together as the memory holds, one at least", async () => {
  calls.length = 0;
  await useHiddenStates(backbone, requests, () => null, {}, 32); // 4 rows
  expect(calls).toEqual([2, 1, 1]);
  calls.length = 0;
  await useHiddenStates(backbone, requests, () => null);
  expect(calls).toEqual([4]);
  expect(await useHiddenStates(backbone, [], () => null)).toEqual([]);
});

test("progress counts all requests", async () => {
  const seen: [number, number][] = [];
  const onProgress = (done: number, total: number) => seen.push([done, total]);
  await useHiddenStates(backbone, requests, () => null, { onProgress }, 32);
  expect(seen).toEqual([
    [20, 40],
    [30, 40],
    [40, 40],
  ]);
});

import { expect, test } from "vitest";
import { type AttentionOptions, causalAttention, elementaryAttention } from "../../src/backbone/operators.ts";
import { Graph, type Value } from "../../src/engine/graph.ts";
import { type Feed, openSession } from "../../src/engine/session.ts";
import { randomNumbers } from "./random-decoder.ts";

const B = 2;
const S = 40;
const D = 16;
const plain = { heads: 4, keyValueHeads: 4, scale: 0.25, softcap: null, window: null };

test.each<[string, AttentionOptions]>([
  ["one key head per query head", plain],
  ["grouped query heads", { ...plain, keyValueHeads: 2 }],
  ["capped scores", { ...plain, keyValueHeads: 2, softcap: 2 }],
  ["a window", { ...plain, window: 7 }],
  ["a window and capped scores", { ...plain, keyValueHeads: 1, softcap: 2, window: 1 }],
])("attention in elementary operators equals the attention operator: %s", async (_, options) => {
  const { heads, keyValueHeads } = options;
  const random = randomNumbers(heads + keyValueHeads);
  const tensor = (width: number): Feed => ({
    data: Float32Array.from({ length: B * S * width }, () => 4 * random() - 2),
    shape: [B, S, width],
  });
  const numbers = Float32Array.from({ length: S }, (_, slot) => slot);
  const feeds = {
    query: tensor(heads * D),
    key: tensor(keyValueHeads * D),
    value: tensor(keyValueHeads * D),
    lastSlot: { data: new Int32Array(B).fill(S - 1), shape: [B] },
    slots: { data: Int32Array.of(S), shape: [1] },
    slotRow: { data: numbers, shape: [S, 1] },
    slotColumn: { data: numbers, shape: [1, S] },
  };
  const graph = new Graph();
  const input = (name: "query" | "key" | "value"): Value =>
    graph.input(name, "f32", ["B", "S", feeds[name].shape[2]!]);
  const paths = { query: input("query"), key: input("key"), value: input("value") };
  const ends = { lastSlot: graph.input("lastSlot", "i32", ["B"]), slots: graph.input("slots", "i32", [1]) };
  const grid = {
    slotRow: graph.input("slotRow", "f32", ["S", 1]),
    slotColumn: graph.input("slotColumn", "f32", [1, "S"]),
  };
  graph.output("operator", causalAttention(paths, ends, options));
  graph.output("elementary", elementaryAttention(paths, grid, options));
  const session = await openSession(graph);
  const { operator, elementary } = await session.run(feeds);
  await session.close();
  expect(elementary!.shape).toEqual([B, S, heads * D]);
  const want = operator!.data as Float32Array;
  const worst = (elementary!.data as Float32Array).reduce(
    (most, value, i) => Math.max(most, Math.abs(value - want[i]!)),
    0,
  );
  expect(worst).toBeLessThan(1e-5);
});

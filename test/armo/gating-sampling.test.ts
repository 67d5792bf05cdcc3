import { expect, test } from "vitest";
import { balanceGroups, createSampler } from "../../src/armo/gating-sampling.ts";
import { trainGating } from "../../src/armo/gating-training.ts";
import { createRandom } from "../../src/random.ts";

const names = Array.from({ length: 100 }, (_, row) => (row < 70 ? "chat" : row < 95 ? "code" : "math"));
const rows = Uint32Array.from(names.keys());
const count = (drawn: ArrayLike<number>) => {
  const counts = { chat: 0, code: 0, math: 0 };
  for (const row of Array.from(drawn)) counts[names[row] as keyof typeof counts]++;
  return counts;
};
const sampler = (balance: Parameters<typeof balanceGroups>[1], replacement: boolean, seed = 1) =>
  createSampler(balanceGroups(rows, balance, names), { replacement }, createRandom(seed));

test("without replacement every pass holds every pair once, each in another order", () => {
  const { draw } = sampler("off", false);
  const passes = [draw(100), draw(100), draw(100)];
  for (const pass of passes) expect(pass.slice().sort()).toEqual(rows);
  expect(passes[0]).not.toEqual(passes[1]);
  // Batches that cut passes see the same pairs.
  const other = sampler("off", false);
  expect([...other.draw(60), ...other.draw(140), ...other.draw(100)]).toEqual(
    passes.flatMap((pass) => [...pass]),
  );
});

test("with replacement every pair is drawn as often as chance says, independently of the others", () => {
  const draws = 200_000;
  const drawn = sampler("off", true).draw(draws);
  const counts = new Float64Array(100);
  for (const row of drawn) counts[row]!++;
  // χ² with 99 degrees of freedom: mean 99, standard deviation √198 ≈ 14.
  const expected = draws / 100;
  const chi2 = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  expect(chi2).toBeGreaterThan(99 - 4 * Math.sqrt(198));
  expect(chi2).toBeLessThan(99 + 4 * Math.sqrt(198));
  // 1 − (1 − 1/100)^100 of the pairs occur among the first hundred draws, on average.
  const distinct = Array.from(
    { length: 500 },
    (_, i) => new Set(drawn.subarray(i * 100, (i + 1) * 100)).size,
  );
  const mean = distinct.reduce((sum, n) => sum + n, 0) / distinct.length;
  expect(mean).toBeCloseTo(100 * (1 - 0.99 ** 100), 0);
});

test.each([false, true])(
  "balanced groups are drawn equally often, whatever their size (replacement: %s)",
  (replacement) => {
    const { draw } = sampler("equal", replacement);
    let all: number[] = [];
    for (const size of [1, 2, 3, 30, 264]) {
      all = all.concat([...draw(size)]);
      for (const n of Object.values(count(all))) expect(Math.abs(n - all.length / 3)).toBeLessThan(1);
    }
    expect(count(all)).toEqual({ chat: 100, code: 100, math: 100 });
    if (replacement) return;
    // Within a group, passes: 100 draws are 20 of each of the five, 4 of each of the 25, and 70 chats once and 30 again.
    const times = new Map<number, number>();
    for (const row of all) times.set(row, (times.get(row) ?? 0) + 1);
    const of = (from: number, to: number) =>
      [...times].filter(([row]) => row >= from && row < to).map(([, n]) => n);
    expect(of(95, 100)).toEqual(Array(5).fill(20));
    expect(of(70, 95)).toEqual(Array(25).fill(4));
    expect(of(0, 70).filter((n) => n === 2)).toHaveLength(30);
  },
);

test("weights decide the shares exactly, no group is a whole pair ahead, and weight 0 leaves a group out", () => {
  const weights = { chat: 0.5, code: 1.25, math: 0.25 };
  const { draw } = sampler(weights, false);
  const counts = { chat: 0, code: 0, math: 0 };
  for (let n = 1; n <= 4000; n++) {
    counts[names[draw(1)[0]!] as keyof typeof counts]++;
    for (const name of ["chat", "code", "math"] as const)
      expect(counts[name] - (n * weights[name]) / 2).toBeLessThan(1);
  }
  expect(counts).toEqual({ chat: 1000, code: 2500, math: 500 });
  expect(count(sampler({ chat: 1, code: 0, math: 3 }, true).draw(400))).toEqual({
    chat: 100,
    code: 0,
    math: 300,
  });
});

test("a sampler goes on where another one was", () => {
  const [random, first] = [createRandom(4), createRandom(4)];
  const groups = balanceGroups(rows, "equal", names);
  const one = createSampler(groups, { replacement: false }, first);
  const other = createSampler(groups, { replacement: false }, random);
  one.draw(137);
  random.restore(first.save());
  other.state.order.set(one.state.order);
  other.state.positions.set(one.state.positions);
  other.state.drawn.set(one.state.drawn);
  expect(other.draw(200)).toEqual(one.draw(200));
});

test("weights and groups that do not fit each other are refused", () => {
  const refused = (balance: Record<string, number>) => () => balanceGroups(rows, balance, names);
  expect(refused({ chat: 1, code: 1 })).toThrow(
    "balance: expected a weight for every group of training pairs, got none for math",
  );
  expect(refused({ chat: 1, code: 1, math: 1, maths: 1 })).toThrow("got maths");
  expect(refused({ chat: -1, code: 1, math: 1 })).toThrow(RangeError);
  expect(refused({ chat: 0, code: 0, math: 0 })).toThrow(
    "trainGating: balance must have a weight above 0, got none",
  );
  expect(() => balanceGroups(rows, "equal", undefined)).toThrow(TypeError);
});

test("every batch of a balanced training run holds every group in its share", async () => {
  const asked: ArrayLike<number>[] = [];
  const promptEmbeddings = {
    rows: 100,
    gather(indices: ArrayLike<number>, out: Float32Array) {
      asked.push(Array.from(indices));
      out.fill(1);
    },
  };
  const rewards = () => Float32Array.from({ length: 200 }, (_, i) => i % 7);
  const data = { promptEmbeddings, chosen: rewards(), rejected: rewards(), groups: names };
  const options = { hiddenSize: 2, numObjectives: 2, hiddenDim: 4, steps: 7, batchSize: 30 };
  await trainGating(data, { ...options, balance: "equal" });
  expect(asked).toHaveLength(7);
  for (const batch of asked) expect(count(batch)).toEqual({ chat: 10, code: 10, math: 10 });
  asked.length = 0;
  await trainGating(data, { ...options, balance: { chat: 1, code: 3, math: 2 } });
  for (const batch of asked) expect(count(batch)).toEqual({ chat: 5, code: 15, math: 10 });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LabelStatistics, openLabelStatistics } from "../../src/armo/label-statistics.ts";
import { type GramProduct, openGramProduct } from "../../src/engine/gram.ts";

const [N, H, K] = [400, 5, 4];
let gram: GramProduct;
beforeAll(async () => {
  gram = await openGramProduct(H);
});
afterAll(() => gram.close());

// Embeddings and labels are small integers, so every sum is exact in any order.
const embeddings = Float32Array.from({ length: N * H }, (_, i) => ((i * 7919) % 23) - 11);
const labels = Float32Array.from({ length: N * K }, (_, i) => {
  const draw = (Math.imul(i + 1, 2654435761) >>> 8) % 100;
  return draw < 35 ? Number.NaN : (draw % 9) - 4;
});

async function statisticsOf(limits: { batchRows: number; rareBytes: number }): Promise<LabelStatistics> {
  const statistics = openLabelStatistics(gram, K, { limits });
  for (let n = 0; n < N; n++) {
    const row = embeddings.subarray(n * H, (n + 1) * H);
    await statistics.add(row, labels.subarray(n * K, (n + 1) * K), `row ${n}`);
  }
  await statistics.finish();
  return statistics;
}

describe.each([
  ["all patterns are rare", { batchRows: 1024, rareBytes: 1e9 }],
  ["some patterns fill batches", { batchRows: 30, rareBytes: 1e9 }],
  ["rare rows find no room", { batchRows: 64, rareBytes: 40 * H * 4 }],
  ["every row is a batch", { batchRows: 1, rareBytes: 1e9 }],
])("where %s", (_, limits) => {
  it("adds up the rated rows of every objective exactly", async () => {
    const statistics = await statisticsOf(limits);
    const groups = statistics.groups([0, 1, 2, 3]);
    expect(groups.flatMap(({ objectives }) => objectives).sort()).toEqual([0, 1, 2, 3]);
    for (const group of groups) {
      const matrix = new Float64Array(H * H);
      await group.addGram(matrix, { mirror: true });
      for (const k of group.objectives) {
        const expected = sumDirectly(k);
        expect(matrix).toEqual(expected.gram);
        expect(statistics.products(k)).toEqual(expected.products);
        expect(statistics.sums(k)).toEqual(expected.sums);
      }
    }
  });
});

it("groups objectives that are rated on the same rows, and leaves out those without rows", async () => {
  const statistics = openLabelStatistics(gram, K);
  for (let n = 0; n < 10; n++) {
    const row = embeddings.subarray(n * H, (n + 1) * H);
    const rated = n % 2 === 0 ? [1, Number.NaN, 2, Number.NaN] : [Number.NaN, 3, Number.NaN, Number.NaN];
    await statistics.add(row, Float32Array.from(rated), `row ${n}`);
  }
  await statistics.finish();
  expect(statistics.groups([0, 1, 2, 3]).map(({ objectives }) => objectives)).toEqual([[0, 2], [1]]);
});

function sumDirectly(k: number) {
  const products = new Float64Array(H);
  const sum = new Float64Array(H * H);
  const sums = { rows: 0, weight: 0, total: 0, squares: 0, minimum: Infinity, maximum: -Infinity };
  for (let n = 0; n < N; n++) {
    const y = labels[n * K + k]!;
    if (Number.isNaN(y)) continue;
    sums.rows++;
    sums.weight++;
    sums.minimum = Math.min(sums.minimum, y);
    sums.maximum = Math.max(sums.maximum, y);
    sums.total += y;
    sums.squares += y * y;
    for (let i = 0; i < H; i++) {
      products[i]! += embeddings[n * H + i]! * y;
      for (let j = 0; j < H; j++) sum[i * H + j]! += embeddings[n * H + i]! * embeddings[n * H + j]!;
    }
  }
  return { gram: sum, products, sums };
}

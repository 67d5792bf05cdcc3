import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBlockSums, type StatisticsBlock } from "../../src/armo/block-sums.ts";
import { openLabelStatistics } from "../../src/armo/label-statistics.ts";
import { rescaleView } from "../../src/armo/rescaled-view.ts";
import { fitRidge, solveRidge } from "../../src/armo/ridge.ts";
import { collectStatistics, openPartition, type RidgeSides } from "../../src/armo/ridge-statistics.ts";
import { openStatistics, writeStatistics } from "../../src/armo/ridge-statistics-file.ts";
import { writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { type GramProduct, openGramProduct } from "../../src/engine/gram.ts";
import { randomRows, relativeError, withPatterns } from "./random-rows.ts";

// 11 parts of 1250 rows.
const [N, H, K, PARTS] = [13750, 6, 4, 11];
const base = randomRows(N, H, K, 9);
// The first two patterns fill batches within a few parts, the third is rare in each.
const patterns = [...new Array(12).fill([0, 1]), ...new Array(12).fill([1, 2]), [0, 2, 3]];
const labels = withPatterns(base.labels, K, patterns);
const weights = Float64Array.from({ length: N }, (_, i) => 1 + (i % 2));
const groups = Array.from({ length: N }, (_, i) => i % 500);
const keys = new BigUint64Array(0);

let gram: GramProduct;
let folder: string;
beforeAll(async () => {
  gram = await openGramProduct(H);
  folder = await mkdtemp(join(tmpdir(), "armorm-statistics-"));
});
afterAll(async () => {
  await gram.close();
  await rm(folder, { recursive: true });
});

/** Statistics of rows [from, to), divided as all rows are. */
async function statisticsOf(from: number, to: number) {
  const { parts, partOf } = openPartition({ fraction: 0.2, groups }, 2);
  return await collectStatistics(
    {
      embeddings: base.embeddings.subarray(from * H, to * H),
      labels: labels.subarray(from * K, to * K),
      weights: weights.subarray(from, to),
    },
    { gram, parts, partOf: (row) => partOf(from + row) },
  );
}

async function leaf(part: number): Promise<StatisticsBlock> {
  const { parts } = await statisticsOf((part * N) / PARTS, ((part + 1) * N) / PARTS);
  return { start: part, end: part + 1, sides: parts.map((side) => side.contents()) };
}

/** Blocks of parts [first, end) through a file. */
async function throughFile(name: string, first: number, end: number): Promise<StatisticsBlock[]> {
  const sums = openBlockSums(gram, K);
  for (let part = first; part < end; part++) await sums.add(await leaf(part));
  const path = join(folder, name);
  const blocks = sums.blocks();
  await writeStatistics(path, H, [{ keys, blocks }], { name });
  const file = await openStatistics(path);
  expect(file.about).toEqual({ name });
  const read: StatisticsBlock[] = [];
  for (const { start, end } of blocks) read.push(await file.readBlock(0, start, end, 3, gram));
  return read;
}

async function solve({ sides }: StatisticsBlock) {
  const parts = [];
  for (const side of sides) {
    const statistics = openLabelStatistics(gram, K);
    await statistics.absorb(side);
    await statistics.finish();
    parts.push(statistics);
  }
  return await solveRidge({ hiddenSize: H, numObjectives: K, parts }, { intercept: true, refit: true });
}

describe("statistics of parts", () => {
  it("give the same bits in whatever stretches they were added up, and those of one pass up to rounding", async () => {
    const found = [];
    for (const cuts of [[0, 11], [0, 4, 8, 11], [0, 1, 5, 6, 11], Array.from({ length: 12 }, (_, i) => i)]) {
      const sums = openBlockSums(gram, K);
      for (const [i, end] of cuts.slice(1).entries()) {
        for (const block of await throughFile(`${cuts.length}-${i}`, cuts[i]!, end)) await sums.add(block);
      }
      expect(sums.blocks().map(({ start, end }) => [start, end])).toEqual([
        [0, 8],
        [8, 10],
        [10, 11],
      ]);
      found.push(await solve((await sums.total())!));
    }
    for (const fit of found) expect(fit).toEqual(found[0]);
    const direct = await solveRidge(await statisticsOf(0, N), { intercept: true, refit: true });
    expect(found[0]!.alphas).toEqual(direct.alphas);
    expect(found[0]!.validation.trainRows).toEqual(direct.validation.trainRows);
    expect(relativeError(found[0]!.weights, direct.weights)).toBeLessThan(1e-11);
    expect(relativeError(found[0]!.validation.mseByAlpha, direct.validation.mseByAlpha)).toBeLessThan(1e-10);
  });

  it("keep at most two blocks of a size, and refuse one that does not follow", async () => {
    const empty = { sums: [], cells: [] };
    for (let first = 0; first < 40; first++) {
      const sums = openBlockSums(gram, 0);
      for (let part = first; part < 70; part++)
        await sums.add({ start: part, end: part + 1, sides: [empty] });
      const sizes = sums.blocks().map(({ start, end }) => end - start);
      for (const size of sizes) expect(sizes.filter((other) => other === size).length).toBeLessThanOrEqual(2);
      await expect(sums.add({ start: 71, end: 72, sides: [empty] })).rejects.toThrow(
        "expected the block from part 70 on, got 71",
      );
    }
  });

  it("have equal bytes for equal rows", async () => {
    for (const name of ["f", "g"]) {
      const { sides } = await leaf(2);
      await writeStatistics(join(folder, name), H, [{ keys, blocks: [{ start: 2, end: 3, sides }] }], {});
    }
    const [first, second] = await Promise.all(["f", "g"].map((name) => readFile(join(folder, name))));
    expect(first!.equals(second!)).toBe(true);
  });

  it("are refused where they are something else", async () => {
    const other = join(folder, "other.safetensors");
    await writeSafetensors(other, {});
    await expect(openStatistics(other)).rejects.toMatchObject({ code: "not-statistics" });
  });
});

describe("statistics on another scale", () => {
  it("are those of labels that were mapped before, some objectives of them in another order", async () => {
    const scales = [
      { multiply: 4, add: 1 },
      { multiply: -0.5, add: 2 },
      { multiply: 1, add: 0 },
    ];
    const order = [2, 0, 1];
    const mapped = new Float64Array(N * 3);
    for (let i = 0; i < N; i++) {
      for (const [j, k] of order.entries()) {
        mapped[i * 3 + j] = (labels[i * K + k]! - scales[j]!.add) / scales[j]!.multiply;
      }
    }
    const split = { fraction: 0.2, groups };
    for (const intercept of [false, true]) {
      const wanted = await fitRidge(
        { embeddings: base.embeddings, labels: mapped },
        { hiddenSize: H, split, intercept },
      );
      const raw = await collectStatistics(
        { embeddings: base.embeddings, labels },
        { gram, ...openPartition(split, undefined) },
      );
      const columns = order.map((column, j) => ({ column, scale: scales[j]! }));
      const none = { column: null, scale: { multiply: 3, add: 1 } };
      const sides: RidgeSides = {
        hiddenSize: H,
        numObjectives: 4,
        parts: raw.parts.map((part) => rescaleView(part, [...columns, none], H)),
      };
      const found = await solveRidge(sides, { intercept });
      expect(found.status).toEqual([...wanted.status, "no-rows"]);
      expect(found.alphas.slice(0, 3)).toEqual(wanted.alphas);
      expect(relativeError(found.weights.subarray(0, 3 * H), wanted.weights)).toBeLessThan(1e-11);
      expect(relativeError(found.intercepts.subarray(0, 3), wanted.intercepts)).toBeLessThan(1e-11);
      expect(
        relativeError(found.validation.variance.subarray(0, 3), wanted.validation.variance),
      ).toBeLessThan(1e-11);
      expect(found.validation.rows.slice(0, 3)).toEqual(wanted.validation.rows);
    }
  });
});

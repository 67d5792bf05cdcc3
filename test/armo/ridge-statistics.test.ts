import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { solveRidge } from "../../src/armo/ridge.ts";
import { collectStatistics, openPartition } from "../../src/armo/ridge-statistics.ts";
import { readStatistics, writeStatistics } from "../../src/armo/ridge-statistics-file.ts";
import { writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { type GramProduct, openGramProduct } from "../../src/engine/gram.ts";
import { randomRows, relativeError, withPatterns } from "./random-rows.ts";

const [N, H, K] = [2600, 6, 4];
const base = randomRows(N, H, K, 9);
// The first two patterns fill batches, the third stays rare in every shard.
const patterns = [...new Array(12).fill([0, 1]), ...new Array(12).fill([1, 2]), [0, 2, 3]];
const labels = withPatterns(base.labels, K, patterns);
const weights = Float64Array.from({ length: N }, (_, i) => 1 + (i % 2));
const groups = Array.from({ length: N }, (_, i) => i % 500);

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
function shard(from: number, to: number, values = base.embeddings, rated = labels) {
  const { parts, partOf } = openPartition({ fraction: 0.2, groups }, 2);
  return collectStatistics(
    {
      embeddings: values.subarray(from * H, to * H),
      labels: rated.subarray(from * K, to * K),
      weights: weights.subarray(from, to),
    },
    { gram, parts, partOf: (row) => partOf(from + row) },
  );
}

const paths = (...names: string[]) => names.map((name) => join(folder, name));

describe("statistics in files", () => {
  it("solve to the same bits as those they were written from", async () => {
    const statistics = await shard(0, N);
    const [path] = paths("whole.safetensors");
    await writeStatistics(path!, statistics);
    const read = await readStatistics([path!], gram);
    const options = { intercept: true, refit: true };
    expect(await solveRidge(read, options)).toEqual(await solveRidge(statistics, options));
  });

  it("of shards add up to those of one pass", async () => {
    const files = paths("a.safetensors", "b.safetensors", "c.safetensors");
    const bounds = [0, 900, 950, N]; // the second is too small for any batch
    for (const [i, file] of files.entries()) {
      await writeStatistics(file, await shard(bounds[i]!, bounds[i + 1]!));
    }
    const merged = await solveRidge(await readStatistics(files, gram), {});
    const whole = await solveRidge(await shard(0, N), {});
    expect(merged.status).toEqual(whole.status);
    expect(merged.alphas).toEqual(whole.alphas);
    expect(merged.validation.trainRows).toEqual(whole.validation.trainRows);
    expect(relativeError(merged.weights, whole.weights)).toBeLessThan(1e-11);
    expect(relativeError(merged.validation.mseByAlpha, whole.validation.mseByAlpha)).toBeLessThan(1e-10);
    expect(await solveRidge(await readStatistics(files, gram), {})).toEqual(merged);
  });

  it("of whole numbers add up exactly, in any order", async () => {
    const values = Float32Array.from({ length: N * H }, (_, i) => ((i * 7919) % 23) - 11);
    const rated = labels.map((y, i) => (Number.isNaN(y) ? y : (i % 9) - 4));
    const files = paths("d.safetensors", "e.safetensors");
    await writeStatistics(files[0]!, await shard(0, 1700, values, rated));
    await writeStatistics(files[1]!, await shard(1700, N, values, rated));
    const whole = await solveRidge(await shard(0, N, values, rated), {});
    for (const order of [files, [...files].reverse()]) {
      const statistics = await readStatistics(order, gram);
      expect(await solveRidge(statistics, {})).toEqual(whole);
    }
  });

  it("have equal bytes for equal rows", async () => {
    const files = paths("f.safetensors", "g.safetensors");
    for (const file of files) await writeStatistics(file, await shard(0, N));
    const [first, second] = await Promise.all(files.map((file) => readFile(file)));
    expect(first!.equals(second!)).toBe(true);
  });

  it("are refused where they are something else, or do not go together", async () => {
    const [other, whole, narrow] = paths("other.safetensors", "whole.safetensors", "narrow.safetensors");
    await writeSafetensors(other!, {});
    await expect(readStatistics([other!], gram)).rejects.toMatchObject({ code: "not-statistics" });
    await writeStatistics(whole!, await shard(0, 100));
    const few = await collectStatistics(randomRows(10, H, 2), {
      gram,
      ...openPartition({ fraction: 0.2 }, undefined),
    });
    await writeStatistics(narrow!, few);
    await expect(readStatistics([whole!, narrow!], gram)).rejects.toMatchObject({
      code: "wrong-statistics",
      message: `${narrow}: expected 6 values a row, 4 objectives in 3 parts, got 6 values a row, 2 objectives in 2 parts`,
    });
  });
});

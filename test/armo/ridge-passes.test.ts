import { describe, expect, it } from "vitest";
import { fitRidge } from "../../src/armo/ridge.ts";
import { planPasses } from "../../src/armo/ridge-passes.ts";
import { openPartition } from "../../src/armo/ridge-statistics.ts";
import { openGramProduct } from "../../src/engine/gram.ts";
import { randomRows, relativeError, withPatterns } from "./random-rows.ts";

const [N, H, K] = [3000, 64, 6];
const base = randomRows(N, H, K, 8);
const APART = [[0, 1], [2, 3], [4], [5]];
const OVERLAPPING = [
  [0, 1, 2],
  [1, 2, 3],
  [3, 4],
  [0, 5],
  [2, 4, 5],
];
const options = { hiddenSize: H, alphas: [0.1, 1, 10] };

/** Chunks of the rows, anew with every call; counts the calls. */
function readable(labels: Float32Array) {
  const reads = { count: 0 };
  const rows = async function* () {
    reads.count++;
    for (let start = 0; start < N; start += 700) {
      const end = Math.min(N, start + 700);
      yield {
        embeddings: base.embeddings.subarray(start * H, end * H),
        labels: labels.subarray(start * K, end * K),
      };
    }
  };
  return { rows, reads };
}

async function smallestMemory(labels: Float32Array): Promise<number> {
  const gram = await openGramProduct(H);
  const plan = { ...openPartition({ fraction: 0.2 }, undefined), gram, numAlphas: 3 };
  let [low, high] = [0, 1e9];
  while (high - low > 1e3) {
    const middle = (low + high) / 2;
    const fits = await planPasses({ ...base, labels }, { ...plan, memory: middle }).catch(() => null);
    if (fits) high = middle;
    else low = middle;
  }
  await gram.close();
  return high;
}

describe("a limit of memory", () => {
  it("asks for more passes where patterns do not fit, with the same bits where no patterns overlap", async () => {
    const labels = withPatterns(base.labels, K, APART);
    const { rows, reads } = readable(labels);
    const whole = await fitRidge(rows, options);
    expect([whole.passes, reads.count]).toEqual([1, 1]);
    const limited = await fitRidge(rows, { ...options, memory: await smallestMemory(labels) });
    expect(limited.passes).toBe(4);
    expect(reads.count).toBe(1 + 1 + limited.passes); // labels are looked at once before
    expect({ ...limited, passes: 1 }).toEqual(whole);
  });

  it("gives the same up to rounding where patterns overlap, folds, intercept and refit included", async () => {
    const labels = withPatterns(base.labels, K, OVERLAPPING);
    const { rows } = readable(labels);
    const memory = await smallestMemory(labels);
    for (const more of [{}, { intercept: true, refit: true }, { folds: 3 }]) {
      const whole = await fitRidge(rows, { ...options, ...more });
      const limited = await fitRidge(rows, { ...options, ...more, memory: 2.5 * memory });
      expect(limited.passes).toBeGreaterThan(1);
      expect(limited.status).toEqual(whole.status);
      expect(limited.alphas).toEqual(whole.alphas);
      expect(relativeError(limited.weights, whole.weights)).toBeLessThan(1e-11);
      expect(relativeError(limited.validation.mseByAlpha, whole.validation.mseByAlpha)).toBeLessThan(1e-10);
      expect(limited.validation.trainRows).toEqual(whole.validation.trainRows);
    }
  });

  it("changes nothing where everything fits", async () => {
    const { rows } = readable(withPatterns(base.labels, K, OVERLAPPING));
    const limited = await fitRidge(rows, { ...options, memory: 1e9 });
    expect(limited).toEqual(await fitRidge(rows, options));
  });

  it("holds for any number of patterns", async () => {
    const labels = base.labels.map((y, i) => (Math.imul(i + 1, 2654435761) >>> 31 === 0 ? y : Number.NaN));
    const { rows } = readable(labels);
    const limited = await fitRidge(rows, { ...options, memory: await smallestMemory(labels) });
    expect(limited.passes).toBe(K);
    const whole = await fitRidge(rows, options);
    expect(relativeError(limited.weights, whole.weights)).toBeLessThan(1e-11);
  });

  it("is refused where it is too small for one objective, with what is needed", async () => {
    const labels = withPatterns(base.labels, K, APART);
    const fit = fitRidge({ ...base, labels }, { ...options, memory: 1e5 });
    await expect(fit).rejects.toMatchObject({
      code: "too-little-memory",
      message: expect.stringMatching(
        /^fitRidge: expected memory for one objective at a time, about \d+ MB, got 1 MB$/,
      ),
      remedy: expect.stringMatching(/^give at least \d+ MB/),
    });
  });

  it("is refused for rows that can be read only once", async () => {
    const { rows } = readable(base.labels);
    await expect(fitRidge(rows(), { ...options, memory: 1e9 })).rejects.toThrow(TypeError);
  });
});

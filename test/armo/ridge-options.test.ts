import { describe, expect, it } from "vitest";
import { fitRidge, type RatedRows, remedyFor } from "../../src/armo/ridge.ts";
import { foldOfRow, sideOfRow } from "../../src/armo/split.ts";
import { denseRidgeWithIntercept } from "./dense-ridge.ts";
import { randomRows, relativeError, withPatterns } from "./random-rows.ts";

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const rowOf = ({ embeddings }: RatedRows, H: number, i: number) => embeddings.subarray(i * H, (i + 1) * H);

describe("an intercept", () => {
  const [n, H, K] = [150, 6, 2];
  const rows = randomRows(n, H, K);
  const split = { train: range(0, 120), validation: range(120, n) };

  it("is that of the exact solution with a column of ones that carries no penalty", async () => {
    const weights = Float64Array.from({ length: n }, (_, i) => 0.5 + (i % 4));
    const options = { hiddenSize: H, intercept: true, alphas: [5], split };
    const fit = await fitRidge({ ...rows, weights }, options);
    for (let k = 0; k < K; k++) {
      const exact = denseRidgeWithIntercept(
        split.train.map((i) => ({ x: rowOf(rows, H, i), y: rows.labels[i * K + k]!, weight: weights[i]! })),
        5,
      );
      expect(relativeError(fit.weights.subarray(k * H, (k + 1) * H), exact.weights)).toBeLessThan(1e-12);
      expect(Math.abs(fit.intercepts[k]! - exact.intercept)).toBeLessThan(1e-12);
      let [error, weight, total, squares] = [0, 0, 0, 0];
      for (const i of split.validation) {
        const predicted = rowOf(rows, H, i).reduce(
          (sum, x, j) => sum + x * exact.weights[j]!,
          exact.intercept,
        );
        error += weights[i]! * (predicted - rows.labels[i * K + k]!) ** 2;
        weight += weights[i]!;
        total += weights[i]! * rows.labels[i * K + k]!;
        squares += weights[i]! * rows.labels[i * K + k]! ** 2;
      }
      expect(relativeError([fit.validation.mse[k]!], [error / weight])).toBeLessThan(1e-11);
      const variance = squares / weight - (total / weight) ** 2;
      expect(fit.validation.r2[k]!).toBeCloseTo(1 - error / weight / variance, 11);
    }
  });

  it("takes up a constant added to all labels, which leaves weights and errors as they are", async () => {
    const options = { hiddenSize: H, intercept: true, split };
    // Powers of two, so that labels in float32 lose nothing.
    const coarse = { ...rows, labels: rows.labels.map((y) => Math.round(y * 1024) / 1024) };
    const shifted = { ...coarse, labels: coarse.labels.map((y) => y + 64) };
    const [before, after] = [await fitRidge(coarse, options), await fitRidge(shifted, options)];
    expect(relativeError(after.weights, before.weights)).toBeLessThan(1e-9);
    expect(after.intercepts[0]! - before.intercepts[0]!).toBeCloseTo(64, 9);
    expect(relativeError(after.validation.mse, before.validation.mse)).toBeLessThan(1e-7);
    expect(relativeError(after.validation.r2, before.validation.r2)).toBeLessThan(1e-7);
  });

  it("is zero where none is asked for", async () => {
    expect([...(await fitRidge(rows, { hiddenSize: H, split })).intercepts]).toEqual([0, 0]);
  });
});

describe("the weight of a row", () => {
  it("counts it like that many equal rows, in weights, penalty and validation error", async () => {
    const [n, H, K] = [90, 5, 3];
    const base = randomRows(n, H, K);
    const rows = { ...base, labels: withPatterns(base.labels, K, [[0, 1], [1], [0, 2]]) };
    const weights = Float64Array.from({ length: n }, (_, i) => 1 + (i % 3));
    const repeated = range(0, n).flatMap((i) => range(0, weights[i]!).map(() => i));
    const twice = {
      embeddings: Float32Array.from(repeated.flatMap((i) => [...rowOf(rows, H, i)])),
      labels: Float32Array.from(repeated.flatMap((i) => [...rows.labels.subarray(i * K, (i + 1) * K)])),
    };
    const options = { hiddenSize: H, intercept: true };
    const weighted = await fitRidge(
      { ...rows, weights },
      { ...options, split: { fraction: 0.3, groups: range(0, n) } },
    );
    const plain = await fitRidge(twice, { ...options, split: { fraction: 0.3, groups: repeated } });
    expect(relativeError(weighted.weights, plain.weights)).toBeLessThan(1e-11);
    expect(relativeError(weighted.intercepts, plain.intercepts)).toBeLessThan(1e-11);
    expect(relativeError(weighted.validation.mseByAlpha, plain.validation.mseByAlpha)).toBeLessThan(1e-11);
    expect(relativeError(weighted.validation.r2, plain.validation.r2)).toBeLessThan(1e-11);
    expect([...weighted.alphas]).toEqual([...plain.alphas]);
    const unweighted = await fitRidge(rows, { ...options, split: { fraction: 0.3, groups: range(0, n) } });
    expect(relativeError(weighted.weights, unweighted.weights)).toBeGreaterThan(1e-4);
    expect(weighted.validation.trainRows).toEqual(unweighted.validation.trainRows);
  });

  it("is refused where it is not above zero", async () => {
    const fit = fitRidge({ ...randomRows(3, 2, 1), weights: [1, 0, 1] }, { hiddenSize: 2 });
    await expect(fit).rejects.toThrow("fitRidge: weights must be above 0, got 0 for row 1");
  });
});

describe("folds", () => {
  const [n, H, K] = [240, 5, 2];
  const base = randomRows(n, H, K, 3);
  const rows = { ...base, labels: withPatterns(base.labels, K, [[0, 1], [1], [0, 1]]) };
  const groups = Array.from({ length: n }, (_, i) => `prompt ${i % 60}`);

  it("give the mean of the errors of fits that leave each of them out, and weights of all rows", async () => {
    const folds = 4;
    const alphas = [0.1, 10];
    const fit = await fitRidge(rows, { hiddenSize: H, folds, alphas, split: { fraction: 0, groups } });
    const foldOf = foldOfRow({ fraction: 0, groups }, folds);
    const expected = new Float64Array(K * alphas.length);
    for (let fold = 0; fold < folds; fold++) {
      const split = {
        train: range(0, n).filter((i) => foldOf(i) !== fold),
        validation: range(0, n).filter((i) => foldOf(i) === fold),
      };
      expect(split.validation.length).toBeGreaterThan(20);
      const one = await fitRidge(rows, { hiddenSize: H, alphas, split });
      one.validation.mseByAlpha.forEach((error, i) => {
        expected[i]! += error / folds;
      });
    }
    expect(relativeError(fit.validation.mseByAlpha, expected)).toBeLessThan(1e-12);
    const all = await fitRidge(rows, {
      hiddenSize: H,
      alphas: [[fit.alphas[0]!], [fit.alphas[1]!]],
      split: { train: range(0, n), validation: [] },
    });
    expect(relativeError(fit.weights, all.weights)).toBeLessThan(1e-12);
    expect(fit.validation.rows).toEqual(all.validation.trainRows);
    expect(fit.validation.trainRows).toEqual(all.validation.trainRows);
  });

  it("keep rows of one group together", async () => {
    const foldOf = foldOfRow({ fraction: 0.25, groups }, 3);
    for (let i = 60; i < n; i++) expect(foldOf(i)).toBe(foldOf(i % 60));
    expect(new Set(range(0, 60).map(foldOf))).toEqual(new Set([0, 1, 2, 3]));
  });

  it("leave rows that the split holds out alone unless the fit is repeated on everything", async () => {
    const split = { fraction: 0.3, groups };
    const changed = async (refit: boolean) => {
      const side = sideOfRow(split);
      const labels = rows.labels.map((y, i) => (side(Math.floor(i / K)) === "validation" ? y + 9 : y));
      const options = { hiddenSize: H, folds: 3, refit, split };
      const [a, b] = [await fitRidge(rows, options), await fitRidge({ ...rows, labels }, options)];
      expect(b.validation.mseByAlpha).toEqual(a.validation.mseByAlpha);
      return relativeError(b.weights, a.weights);
    };
    expect(await changed(false)).toBe(0);
    expect(await changed(true)).toBeGreaterThan(0.01);
  });

  it("are refused where rows are named one by one, or fewer than two", async () => {
    const split = { train: [0, 1], validation: [] };
    await expect(fitRidge(rows, { hiddenSize: H, folds: 3, split })).rejects.toThrow(RangeError);
    await expect(fitRidge(rows, { hiddenSize: H, folds: 1 })).rejects.toThrow("folds must be an integer ≥ 2");
  });
});

describe("fitting again on everything", () => {
  it("chooses the penalty and reports errors as without it, and gives the weights of all rows", async () => {
    const [n, H] = [80, 4];
    const rows = randomRows(n, H, 2, 4);
    const split = { train: range(0, 60), validation: range(60, n) };
    const apart = await fitRidge(rows, { hiddenSize: H, split });
    const refit = await fitRidge(rows, { hiddenSize: H, split, refit: true });
    expect(refit.alphas).toEqual(apart.alphas);
    expect(refit.validation.mseByAlpha).toEqual(apart.validation.mseByAlpha);
    expect(refit.validation.r2).toEqual(apart.validation.r2);
    const all = await fitRidge(rows, {
      hiddenSize: H,
      alphas: [[apart.alphas[0]!], [apart.alphas[1]!]],
      split: { train: range(0, n), validation: [] },
    });
    expect(relativeError(refit.weights, all.weights)).toBeLessThan(1e-13);
    expect(refit.validation.trainRows).toEqual([n, n]);
  });
});

describe("penalties", () => {
  it("may differ by objective, and give each what it would get alone", async () => {
    const rows = randomRows(60, 4, 2, 5);
    const split = { train: range(0, 45), validation: range(45, 60) };
    const options = { hiddenSize: 4, split };
    const fit = await fitRidge(rows, { ...options, alphas: [[100, 1], [3]] });
    expect(fit.triedAlphas).toEqual([1, 3, 100]);
    expect(fit.validation.mseByAlpha[1]).toBeNaN();
    expect(fit.validation.mseByAlpha[3]).toBeNaN();
    const first = await fitRidge(rows, { ...options, alphas: [1, 100] });
    const second = await fitRidge(rows, { ...options, alphas: [3] });
    expect(fit.alphas[0]).toBe(first.alphas[0]);
    expect(fit.weights.subarray(0, 4)).toEqual(first.weights.subarray(0, 4));
    expect(fit.weights.subarray(4)).toEqual(second.weights.subarray(4));
  });

  it("are refused where the lists are not one per objective", async () => {
    const rows = randomRows(6, 2, 2);
    await expect(fitRidge(rows, { hiddenSize: 2, alphas: [[1], [1], [1]] })).rejects.toThrow(
      "fitRidge: alphas must be one list or one for each of 2 objectives, got 3",
    );
    await expect(fitRidge(rows, { hiddenSize: 2, alphas: [] })).rejects.toThrow(RangeError);
  });
});

describe("objectives to be careful with", () => {
  const all = (n: number) => ({ train: range(0, n), validation: [] });

  it("are named where all training labels are equal, with the weights they have", async () => {
    const { embeddings } = randomRows(20, 3, 1);
    const fit = await fitRidge(
      { embeddings, labels: new Float32Array(20).fill(0.5) },
      { hiddenSize: 3, alphas: [1], split: all(20) },
    );
    expect([fit.status[0], fit.cautions[0]]).toEqual(["ok", "constant"]);
    expect(fit.weights.every(Number.isFinite)).toBe(true);
  });

  it("are named where hardly a digit of the weights is certain", async () => {
    const { embeddings, labels } = randomRows(40, 3, 1);
    for (let i = 0; i < 40; i++) embeddings[i * 3] = embeddings[i * 3 + 1]!;
    const options = { hiddenSize: 3, split: all(40) };
    const small = await fitRidge({ embeddings, labels }, { ...options, alphas: [1e-12] });
    expect(small.cautions[0]).toBe("ill-conditioned");
    const enough = await fitRidge({ embeddings, labels }, { ...options, alphas: [1e-4] });
    expect([enough.status[0], enough.cautions[0]]).toEqual(["ok", null]);
  });

  it("come with a remedy, each its own", () => {
    const named = ["no-rows", "no-validation-rows", "singular", "constant", "ill-conditioned"] as const;
    expect(new Set(named.map(remedyFor)).size).toBe(named.length);
    expect(named.map(remedyFor)).not.toContain(null);
    expect([remedyFor("ok"), remedyFor(null)]).toEqual([null, null]);
  });
});

describe("unusual data", () => {
  it("of one row has a status for every objective, whichever side the row is on", async () => {
    const one = randomRows(1, 3, 2);
    const options = { hiddenSize: 3 };
    const trained = await fitRidge(one, { ...options, split: { train: [0], validation: [] } });
    expect(trained.status).toEqual(["no-validation-rows", "no-validation-rows"]);
    const heldOut = await fitRidge(one, { ...options, split: { train: [], validation: [0] } });
    expect(heldOut.status).toEqual(["no-rows", "no-rows"]);
    const fitted = await fitRidge(one, { ...options, alphas: [1], split: { train: [0], validation: [] } });
    expect(fitted.status).toEqual(["ok", "ok"]);
    const x = rowOf(one, 3, 0);
    const square = x.reduce((sum, value) => sum + value * value, 0);
    // One row: w = x·y / (‖x‖² + α)
    expect(
      relativeError(
        fitted.weights.subarray(0, 3),
        x.map((v) => (v * one.labels[0]!) / (square + 1)),
      ),
    ).toBeLessThan(1e-6);
  });

  it("of a single objective, and of 200 with a pattern per row, is fitted", async () => {
    expect((await fitRidge(randomRows(50, 4, 1), { hiddenSize: 4 })).status).toEqual(["ok"]);
    const K = 200;
    const many = randomRows(400, 4, K);
    const labels = many.labels.map((y, i) => (Math.imul(i + 1, 2654435761) >>> 28 < 5 ? Number.NaN : y));
    const fit = await fitRidge({ ...many, labels }, { hiddenSize: 4, alphas: [1, 10] });
    expect(fit.status).toEqual(new Array(K).fill("ok"));
    const k = 137;
    const alone = await fitRidge(
      { ...many, labels: Float32Array.from({ length: 400 }, (_, i) => labels[i * K + k]!) },
      { hiddenSize: 4, alphas: [1, 10] },
    );
    expect(relativeError(fit.weights.subarray(k * 4, k * 4 + 4), alone.weights)).toBeLessThan(1e-11);
  });

  it("of identical embeddings gives the same weight to equal entries", async () => {
    const embeddings = new Float32Array(30 * 3).fill(0.5);
    const labels = Float32Array.from({ length: 30 }, (_, i) => i % 3);
    const fit = await fitRidge({ embeddings, labels }, { hiddenSize: 3, alphas: [1e-2, 1] });
    expect(fit.status).toEqual(["ok"]);
    expect(relativeError(fit.weights, new Array(3).fill(fit.weights[0]))).toBeLessThan(1e-9);
    const centred = await fitRidge({ embeddings, labels }, { hiddenSize: 3, alphas: [1], intercept: true });
    expect(Math.abs(centred.weights[0]!)).toBeLessThan(1e-12);
  });

  it("without a single label has a status for every objective", async () => {
    const rows = { ...randomRows(10, 3, 2), labels: new Float32Array(20).fill(Number.NaN) };
    const fit = await fitRidge(rows, { hiddenSize: 3 });
    expect(fit.status).toEqual(["no-rows", "no-rows"]);
    expect(fit.validation.variance[0]).toBeNaN();
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    "with an embedding of %s names the row as its source does",
    async (value) => {
      const rows = randomRows(8, 2, 1);
      rows.embeddings[11] = value;
      await expect(fitRidge(rows, { hiddenSize: 2 })).rejects.toMatchObject({
        code: "not-finite",
        message: "fitRidge: expected finite embeddings, got NaN or Infinity in row 5",
      });
      const named = { ...rows, nameOf: (i: number) => `set/a, row ${100 + i}` };
      await expect(fitRidge(named, { hiddenSize: 2 })).rejects.toThrow("in set/a, row 105");
      const label = { ...randomRows(3, 2, 1), labels: Float32Array.of(1, Number.NEGATIVE_INFINITY, 1) };
      await expect(fitRidge(label, { hiddenSize: 2 })).rejects.toThrow("expected finite labels");
    },
  );
});

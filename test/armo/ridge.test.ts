import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fitRidge, type RatedRows } from "../../src/armo/ridge.ts";
import { readSafetensors, toFloat32, toFloat64 } from "../../src/checkpoint/safetensors.ts";

const golden = new URL("../golden/ridge/", import.meta.url).pathname;

async function loadSet(name: string) {
  const data = await readSafetensors(`${golden}${name}/data.safetensors`);
  const arrays = await readSafetensors(`${golden}${name}/expected.safetensors`);
  const detail = JSON.parse(readFileSync(`${golden}${name}/expected.json`, "utf8"));
  const array = (key: string) => toFloat64(arrays.get(key)!);
  return {
    hiddenSize: detail.hidden as number,
    numObjectives: detail.attributes as number,
    attributes: detail.attributes_detail as {
      status: string;
      best_alpha?: number;
      relative_gap_to_second?: number;
    }[],
    rows: { embeddings: toFloat32(data.get("X")!), labels: toFloat32(data.get("Y")!) },
    split: {
      train: toFloat64(data.get("train_index")!),
      validation: toFloat64(data.get("val_index")!),
    },
    coefficients: array("coef"), // [K, 9, H]
    errors: array("val_mse"), // [K, 9]
    weights: array("final_weights"), // [K, H]
  };
}

/** Largest difference relative to the largest expected value. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
    size = Math.max(size, Math.abs(expected[i]!));
    if (Number.isNaN(actual[i]) !== Number.isNaN(expected[i])) return Number.POSITIVE_INFINITY;
  }
  return size === 0 ? difference : difference / size;
}

const SETS = [
  ["main-8-datasets", 1e-8],
  ["n-smaller-than-h", 1e-8],
  ["edge-attributes", 1e-8],
  ["nearly-collinear", 1e-6],
] as const;

describe.each(SETS)("on the golden set %s", (name, tolerance) => {
  it("finds the reference's weights, penalties and validation errors", async () => {
    const set = await loadSet(name);
    const { hiddenSize: H, split } = set;
    const fit = await fitRidge(set.rows, { hiddenSize: H, split });
    set.attributes.forEach((attribute, k) => {
      if (attribute.status !== "ok") {
        expect(fit.status[k]).toBe(
          attribute.status.includes("train rows") ? "no-rows" : "no-validation-rows",
        );
        expect(fit.alphas[k]).toBeNaN();
        expect(fit.weights[k * H]).toBeNaN();
        return;
      }
      expect(fit.status[k]).toBe("ok");
      const errors = fit.validation.mseByAlpha.subarray(k * 9, (k + 1) * 9);
      const expected = set.errors.subarray(k * 9, (k + 1) * 9);
      errors.forEach((error, a) => {
        expect(Math.abs(error - expected[a]!)).toBeLessThanOrEqual(1e-9 * expected[a]!);
      });
      if (attribute.relative_gap_to_second! > 1e-6 || attribute.relative_gap_to_second === 0) {
        expect(fit.alphas[k]).toBe(attribute.best_alpha);
        const row = fit.weights.subarray(k * H, (k + 1) * H);
        expect(relativeError(row, set.weights.subarray(k * H, (k + 1) * H))).toBeLessThan(tolerance);
      }
    });
  });

  it("finds the reference's weights at every penalty", async () => {
    const set = await loadSet(name);
    const { hiddenSize: H, split } = set;
    for (const [a, alpha] of [1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1e3, 1e4].entries()) {
      const fit = await fitRidge(set.rows, { hiddenSize: H, split, alphas: [alpha] });
      for (let k = 0; k < set.numObjectives; k++) {
        if (fit.status[k] !== "ok") continue;
        const start = (k * 9 + a) * H;
        const row = fit.weights.subarray(k * H, (k + 1) * H);
        const expected = set.coefficients.subarray(start, start + H);
        if (set.attributes[k]!.status !== "ok" && Number.isNaN(expected[0])) continue;
        expect(relativeError(row, expected)).toBeLessThan(tolerance);
      }
    }
  });
});

describe("the stream of rows", () => {
  it("gives the same weights in chunks, from an asynchronous stream and in one piece", async () => {
    const set = await loadSet("main-8-datasets");
    const { hiddenSize: H, split } = set;
    const K = set.numObjectives;
    const n = set.rows.labels.length / K;
    async function* chunks(): AsyncGenerator<RatedRows> {
      for (let start = 0; start < n; start += 113) {
        const end = Math.min(n, start + 113);
        yield {
          embeddings: set.rows.embeddings.subarray(start * H, end * H),
          labels: set.rows.labels.subarray(start * K, end * K),
        };
      }
    }
    const whole = await fitRidge(set.rows, { hiddenSize: H, split });
    const streamed = await fitRidge(chunks(), { hiddenSize: H, split });
    expect(streamed).toEqual(whole);
  });

  it("counts a row twice exactly like halving the penalty of the row once", async () => {
    const { rows, labels } = randomRows(200, 12, 1);
    const twice = { embeddings: repeat(rows), labels: repeat(labels) };
    const everything = (n: number) => ({ train: Array.from({ length: n }, (_, i) => i), validation: [] });
    const once = await fitRidge(
      { embeddings: rows, labels },
      { hiddenSize: 12, alphas: [3], split: everything(200) },
    );
    const doubled = await fitRidge(twice, { hiddenSize: 12, alphas: [6], split: everything(400) });
    expect(relativeError(doubled.weights, once.weights)).toBeLessThan(1e-12);
  });

  it("leaves a row without a label out of that objective and of no other", async () => {
    const { rows, labels } = randomRows(60, 5, 2);
    const holes = labels.slice();
    for (let n = 0; n < 60; n += 3) holes[n * 2 + 1] = Number.NaN;
    const kept = Array.from({ length: 60 }, (_, n) => n).filter((n) => n % 3 !== 0);
    const options = { hiddenSize: 5, alphas: [0.5] };
    const all = Array.from({ length: 60 }, (_, n) => n);
    const full = await fitRidge(
      { embeddings: rows, labels },
      { ...options, split: { train: all, validation: [] } },
    );
    const left = await fitRidge(
      { embeddings: rows, labels },
      { ...options, split: { train: kept, validation: [] } },
    );
    const holed = await fitRidge(
      { embeddings: rows, labels: holes },
      { ...options, split: { train: all, validation: [] } },
    );
    expect(relativeError(holed.weights.subarray(0, 5), full.weights.subarray(0, 5))).toBeLessThan(1e-12);
    expect(relativeError(holed.weights.subarray(5), left.weights.subarray(5))).toBeLessThan(1e-12);
    expect(relativeError(full.weights.subarray(5), left.weights.subarray(5))).toBeGreaterThan(1e-3);
  });

  it("is exact over several batches of many label patterns, frequent and rare", async () => {
    const [n, H, K] = [6000, 6, 4];
    const { rows, labels } = randomRows(n, H, K);
    for (let i = 0; i < n * K; i++) if ((i * 2654435761) % 7 === 0) labels[i] = Number.NaN;
    const all = { train: Array.from({ length: n }, (_, i) => i), validation: [] };
    const fit = await fitRidge({ embeddings: rows, labels }, { hiddenSize: H, alphas: [1], split: all });
    for (let k = 0; k < K; k++) {
      const train = all.train.filter((i) => !Number.isNaN(labels[i * K + k]!));
      const alone = await fitRidge(
        {
          embeddings: Float32Array.from(train.flatMap((i) => [...rows.subarray(i * H, (i + 1) * H)])),
          labels: Float32Array.from(train, (i) => labels[i * K + k]!),
        },
        { hiddenSize: H, alphas: [1], split: { train: train.map((_, i) => i), validation: [] } },
      );
      expect(fit.validation.trainRows[k]).toBe(train.length);
      expect(relativeError(fit.weights.subarray(k * H, (k + 1) * H), alone.weights)).toBeLessThan(1e-11);
    }
  });
});

describe("the split", () => {
  it("keeps all rows of a group on one side, whatever the other rows are", async () => {
    const { rows, labels } = randomRows(300, 3, 1);
    const groups = Array.from({ length: 300 }, (_, n) => `prompt ${n % 40}`);
    const fit = await fitRidge(
      { embeddings: rows, labels },
      { hiddenSize: 3, split: { fraction: 0.25, seed: 7, groups } },
    );
    const { trainRows, rows: heldOut } = fit.validation;
    expect(trainRows[0]! + heldOut[0]!).toBe(300);
    expect(heldOut[0]!).toBeGreaterThan(0);
    // Groups have 7 or 8 rows: the first 20 groups have 8.
    const sizes = new Set<number>();
    for (let a = 0; a <= 20; a++) for (let b = 0; b <= 20; b++) sizes.add(8 * a + 7 * b);
    expect(sizes.has(heldOut[0]!)).toBe(true);
  });

  it("never lets held-out rows into the weights", async () => {
    const { rows, labels } = randomRows(50, 4, 1);
    const split = { train: Array.from({ length: 40 }, (_, i) => i), validation: [40, 41, 42, 43] };
    const changed = labels.slice().fill(99, 40);
    const options = { hiddenSize: 4, alphas: [1], split };
    const a = await fitRidge({ embeddings: rows, labels }, options);
    const b = await fitRidge({ embeddings: rows, labels: changed }, options);
    expect(b.weights).toEqual(a.weights);
    expect(b.validation.mse[0]).toBeGreaterThan(a.validation.mse[0]!);
  });
});

describe("what cannot be fitted", () => {
  it("names an objective singular where no penalty makes its equations solvable", async () => {
    const embeddings = Float32Array.from([1, 1, 2, 2, 3, 3]);
    const fit = await fitRidge(
      { embeddings, labels: Float32Array.of(1, 2, 3) },
      { hiddenSize: 2, alphas: [0], split: { train: [0, 1], validation: [2] } },
    );
    expect(fit.status).toEqual(["singular"]);
    expect(fit.weights[0]).toBeNaN();
  });

  it("names the row of an embedding that is not finite", async () => {
    const embeddings = Float32Array.from([1, 2, 3, Number.NaN]);
    const fit = fitRidge({ embeddings, labels: Float32Array.of(1, 2) }, { hiddenSize: 2 });
    await expect(fit).rejects.toThrow("fitRidge: expected finite embeddings, got NaN or Infinity in row 1");
  });

  it("refuses shapes and penalties that cannot be meant", async () => {
    const rows = { embeddings: new Float32Array(7), labels: new Float32Array(2) };
    await expect(fitRidge(rows, { hiddenSize: 2 })).rejects.toThrow(TypeError);
    await expect(fitRidge([], { hiddenSize: 2 })).rejects.toThrow("expected rated rows, got none");
    await expect(fitRidge(rows, { hiddenSize: 2, alphas: [-1] })).rejects.toThrow(
      "fitRidge: alphas must be ≥ 0, got -1",
    );
  });
});

const repeat = (values: Float32Array): Float32Array => Float32Array.from([...values, ...values]);

function randomRows(n: number, hiddenSize: number, numObjectives: number) {
  let state = 12345;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return {
    rows: Float32Array.from({ length: n * hiddenSize }, next),
    labels: Float32Array.from({ length: n * numObjectives }, next),
  };
}

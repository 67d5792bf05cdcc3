import { describe, expect, it } from "vitest";
import { openCholesky } from "../../src/engine/cholesky.ts";
import { openGramProduct } from "../../src/engine/gram.ts";

describe("the Gram product", () => {
  it.each([1, 7, 256, 300])("is exact on integers, for %i columns", async (H) => {
    const [N, L] = [9, 2];
    const x = Float32Array.from({ length: N * H }, (_, i) => ((i * 31) % 17) - 8);
    const y = Float64Array.from({ length: N * L }, (_, i) => (i % 5) - 2);
    const gram = await openGramProduct(H);
    const sums = gram.createSums(L);
    await gram.add(sums, x.subarray(0, 4 * H), y.subarray(0, 4 * L));
    await gram.add(sums, x.subarray(4 * H), y.subarray(4 * L));
    const matrix = new Float64Array(H * H);
    gram.addTo(matrix, sums, { mirror: true });
    await gram.close();

    const expected = new Float64Array(H * H);
    const products = new Float64Array(H * L);
    for (let n = 0; n < N; n++) {
      for (let i = 0; i < H; i++) {
        for (let j = 0; j < H; j++) expected[i * H + j]! += x[n * H + i]! * x[n * H + j]!;
        for (let l = 0; l < L; l++) products[i * L + l]! += x[n * H + i]! * y[n * L + l]!;
      }
    }
    expect(sums.rows).toBe(N);
    expect(matrix).toEqual(expected);
    expect(sums.products).toEqual(products);
  });

  it("keeps what float32 sums would lose", async () => {
    const gram = await openGramProduct(1);
    const sums = gram.createSums(1);
    await gram.add(sums, Float32Array.of(2 ** 13, 1), Float64Array.of(0, 0));
    expect(sums.blocks[0]![0]).toBe(2 ** 26 + 1);
    await gram.close();
  });

  it("refuses rows and labels that do not belong together", async () => {
    const gram = await openGramProduct(3);
    const sums = gram.createSums(2);
    await expect(gram.add(sums, new Float32Array(6), new Float64Array(3))).rejects.toThrow(
      "add: expected x [N, 3] and y [N, 2], got 6 and 3 values",
    );
    await gram.close();
  });
});

describe("the Cholesky factorization", () => {
  it.each([1, 5, 64, 65, 128, 300])(
    "solves a system of %i unknowns for several right-hand sides",
    async (H) => {
      const R = 3;
      const a = positiveDefinite(H);
      const solution = Float64Array.from({ length: R * H }, (_, i) => Math.sin(i + 1)); // [R, H]
      const system = new Float64Array((H + R) * H);
      system.set(a);
      for (let r = 0; r < R; r++) {
        for (let i = 0; i < H; i++) {
          for (let j = 0; j < H; j++) system[(H + r) * H + i]! += a[i * H + j]! * solution[r * H + j]!;
        }
      }
      // What lies above the diagonal is nobody's business.
      for (let i = 0; i < H; i++) system.fill(Number.NaN, i * H + i + 1, (i + 1) * H);
      const cholesky = await openCholesky(H);
      expect(await cholesky.factorize(system, system)).toBeGreaterThanOrEqual(1);
      const found = await cholesky.backSubstitute(system);
      await cholesky.close();
      for (let i = 0; i < R * H; i++) expect(Math.abs(found[i]! - solution[i]!)).toBeLessThan(1e-11);
    },
  );

  it("leaves the factor in the lower triangle", async () => {
    const H = 200;
    const a = positiveDefinite(H);
    const factor = new Float64Array(H * H);
    const cholesky = await openCholesky(H);
    await cholesky.factorize(a, factor);
    await cholesky.close();
    for (let i = 0; i < H; i += 13) {
      for (let j = 0; j <= i; j += 7) {
        let product = 0;
        for (let k = 0; k <= j; k++) product += factor[i * H + k]! * factor[j * H + k]!;
        expect(Math.abs(product - a[i * H + j]!)).toBeLessThan(1e-11 * H);
      }
    }
  });

  it("says so where the matrix is not positive definite", async () => {
    const cholesky = await openCholesky(2);
    const factor = new Float64Array(4);
    expect(await cholesky.factorize(Float64Array.of(1, 0, 2, 1), factor)).toBeNull();
    expect(await cholesky.factorize(Float64Array.of(Number.NaN, 0, 0, 1), factor)).toBeNull();
    expect(await cholesky.factorize(Float64Array.of(4, 0, 2, 2), factor)).not.toBeNull();
    await cholesky.close();
  });

  it("shifts the diagonal, leaves the matrix alone, and bounds the condition number from below", async () => {
    const H = 150;
    const matrix = new Float64Array(H * H);
    for (let i = 0; i < H; i++) matrix[i * H + i] = i === 7 ? 1e-6 : 1;
    const before = matrix.slice();
    const factor = new Float64Array(H * H);
    const cholesky = await openCholesky(H);
    expect(await cholesky.factorize(matrix, factor)).toBeCloseTo(1e6, 3);
    expect(await cholesky.factorize(matrix, factor, 3)).toBeCloseTo(4 / (3 + 1e-6), 12);
    await cholesky.close();
    expect(matrix).toEqual(before);
    expect(factor[0]).toBe(2);
    expect(factor[7 * H + 7]).toBeCloseTo(Math.sqrt(3 + 1e-6), 12);
  });
});

/** Diagonally dominant and symmetric `[H, H]`. */
function positiveDefinite(H: number): Float64Array {
  const a = new Float64Array(H * H);
  for (let i = 0; i < H; i++) {
    for (let j = 0; j <= i; j++) {
      const value = i === j ? H + 1 : Math.cos(i * 3 + j * 5 + 1);
      a[i * H + j] = value;
      a[j * H + i] = value;
    }
  }
  return a;
}

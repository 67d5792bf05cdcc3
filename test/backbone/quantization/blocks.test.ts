import { describe, expect, test } from "vitest";
import { blockGemm } from "../../../src/backbone/operators.ts";
import {
  BLOCK_SCHEMES,
  type BlockScheme,
  blockBytes,
  blocksPerRow,
  dequantizeRows,
  quantizeRows,
} from "../../../src/backbone/quantization/blocks.ts";
import { Graph } from "../../../src/engine/graph.ts";
import { openSession } from "../../../src/engine/session.ts";
import { randomNumbers } from "../random-decoder.ts";

function quantized(values: Float32Array, columns: number, scheme: BlockScheme) {
  const blocks = (values.length / columns) * blocksPerRow(columns, scheme);
  const weights = new Uint8Array(blocks * blockBytes(scheme));
  const scales = new Float32Array(blocks);
  quantizeRows(values, columns, scheme, weights, scales);
  return { weights, scales };
}

const schemes: [string, BlockScheme][] = [
  ...Object.entries(BLOCK_SCHEMES),
  ["int8 in blocks of 16", { bits: 8, blockSize: 16 }],
];

describe.each(schemes)("%s", (_, scheme) => {
  test.each([1, 5, 32, 100, 128, 300])(
    "a value is off by half a step of its block at most: %i columns",
    (K) => {
      const next = randomNumbers(K);
      const values = Float32Array.from({ length: 7 * K }, () => 2 * next() - 1);
      const { weights, scales } = quantized(values, K, scheme);
      const back = dequantizeRows(weights, scales, K, scheme);
      const B = blocksPerRow(K, scheme);
      values.forEach((value, i) => {
        const scale = Math.abs(scales[Math.floor(i / K) * B + Math.floor((i % K) / scheme.blockSize)]!);
        // int4 has no +8: a value as large as the extreme, of the other sign, is off by a whole step.
        const bound = scheme.bits === 4 ? 1 : 0.5;
        expect(Math.abs(back[i]! - value)).toBeLessThanOrEqual(bound * scale * 1.0001);
      });
    },
  );

  test("the extreme of a block is exact, and zeros stay zeros", () => {
    const values = new Float32Array(2 * scheme.blockSize);
    values[3] = -5.25;
    const { weights, scales } = quantized(values, values.length, scheme);
    const back = dequantizeRows(weights, scales, values.length, scheme);
    expect(back[3]).toBeCloseTo(-5.25, 5);
    expect(back.filter((value) => value !== 0)).toHaveLength(1);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("%f has no scale", (bad) => {
    const values = new Float32Array(scheme.blockSize + 3);
    values[scheme.blockSize + 1] = bad;
    expect(() => quantized(values, values.length, scheme)).toThrow("values must be finite");
  });

  test.each([37, 100, 256])("the operator multiplies by what the blocks stand for: %i columns", async (K) => {
    const [M, N] = [6, 45];
    const next = randomNumbers(K);
    const matrix = Float32Array.from({ length: N * K }, () => 2 * next() - 1);
    const x = Float32Array.from({ length: M * K }, () => 2 * next() - 1);
    const bias = Float32Array.from({ length: N }, () => 2 * next() - 1);
    const { weights, scales } = quantized(matrix, K, scheme);
    const graph = new Graph();
    const B = blocksPerRow(K, scheme);
    const parts = {
      weights: graph.constant(weights, [N, B, blockBytes(scheme)]),
      scales: graph.constant(scales, [N, B]),
      bias: graph.constant(bias, [N]),
    };
    graph.output("y", blockGemm(graph.input("x", "f32", ["M", K]), parts, scheme));
    const session = await openSession(graph, { threads: 1 });
    const { y } = await session.run({ x: { data: x, shape: [M, K] } });
    await session.close();
    const back = dequantizeRows(weights, scales, K, scheme);
    let [error, size] = [0, 0];
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        let want = 0;
        for (let k = 0; k < K; k++) want += x[m * K + k]! * back[n * K + k]!;
        error += (Number(y!.data[m * N + n]) - bias[n]! - want) ** 2;
        size += want ** 2;
      }
    }
    // What is left is the rounding of x to int8, a few thousandths.
    expect(Math.sqrt(error / size)).toBeLessThan(8e-3);
  });
});

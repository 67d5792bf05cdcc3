import { expect, test } from "vitest";
import { ropeFrequencies, ropeTable } from "../../src/backbone/rope.ts";

test("frequencies fall from 1 by θ^(−2/D) a pair", () => {
  const frequencies = ropeFrequencies({ size: 4, theta: 10_000, scaling: { kind: "default" } });
  expect([...frequencies]).toEqual([1, 0.01]);
});

test("llama3 scaling keeps short wavelengths, divides long ones and blends between", () => {
  const rope = { size: 128, theta: 500_000 };
  const plain = ropeFrequencies({ ...rope, scaling: { kind: "default" } });
  const scaled = ropeFrequencies({
    ...rope,
    scaling: {
      kind: "llama3",
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalMaxTokens: 8192,
    },
  });
  scaled.forEach((f, i) => {
    const wavelength = (2 * Math.PI) / plain[i]!;
    const ratio = plain[i]! / f;
    if (wavelength < 8192 / 4) expect(ratio).toBe(1);
    else if (wavelength > 8192) expect(ratio).toBeCloseTo(8, 12);
    else {
      expect(ratio).toBeGreaterThan(1);
      expect(ratio).toBeLessThan(8);
    }
  });
  expect(scaled.filter((f, i) => f < plain[i]! && f > plain[i]! / 8).length).toBeGreaterThan(2);
});

test("a table holds the cosine and sine of position times frequency", () => {
  const rope = { size: 6, theta: 100, scaling: { kind: "linear", factor: 2 } } as const;
  const { cos, sin, pairs, positions } = ropeTable(rope, 5);
  expect([positions, pairs, cos.length, sin.length]).toEqual([5, 3, 15, 15]);
  const angle = (4 * 100 ** (-2 / 6)) / 2;
  expect(cos[4 * 3 + 1]).toBe(Math.fround(Math.cos(angle)));
  expect(sin[4 * 3 + 1]).toBe(Math.fround(Math.sin(angle)));
});

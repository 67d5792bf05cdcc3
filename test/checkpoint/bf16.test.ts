import { expect, test } from "vitest";
import { toBf16, toFloat32 } from "../../src/checkpoint/dtypes.ts";

const back = (bits: Uint16Array) => toFloat32({ dtype: "BF16", shape: [bits.length], data: bits });

test("every bfloat16 comes back as itself, infinities and zeros of both signs included", () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);
  const values = back(all);
  const again = toBf16(values);
  for (const [i, value] of values.entries()) {
    if (Number.isNaN(value)) expect(back(again.subarray(i, i + 1))[0]).toBeNaN();
    else expect(again[i]).toBe(i);
  }
});

test("what lies between two goes to the nearer, and from the middle to the even one", () => {
  const [one, next, third] = [1, 1 + 2 ** -7, 1 + 2 ** -6];
  const middle = 1 + 2 ** -8;
  const values = Float32Array.of(
    middle,
    middle + 2 ** -20,
    next + 2 ** -8,
    next + 2 ** -8 - 2 ** -20,
    -middle,
    3.4028234663852886e38,
  );
  expect([...back(toBf16(values))]).toEqual([one, next, third, next, -one, Number.POSITIVE_INFINITY]);
});

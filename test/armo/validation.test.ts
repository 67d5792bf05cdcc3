import { expect, test } from "vitest";
import { calibrationBins } from "../../src/armo/calibration.ts";
import { createGateMeans } from "../../src/armo/gate-means.ts";
import type { Heads } from "../../src/armo/heads.ts";
import { runGate } from "../../src/armo/score.ts";
import { validateHeads } from "../../src/armo/validation.ts";
import { createRandom } from "../../src/random.ts";

test("gate means are means by group, in the order in which groups occur", () => {
  const means = createGateMeans();
  means.add("b", { x: 0.25, y: 0.75 });
  means.add("a", { x: 1, y: 0 });
  means.add("b", { x: 0.75, y: 0.25 });
  expect(Object.entries(means.means())).toEqual([
    ["b", { n: 2, gatingOutput: { x: 0.5, y: 0.5 } }],
    ["a", { n: 1, gatingOutput: { x: 1, y: 0 } }],
  ]);
});

test("findings over many pairs are those of the heads, pair by pair", async () => {
  const [H, D, K, N] = [6, 5, 3, 1500];
  const random = createRandom(7, "validation");
  const noise = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  const heads: Heads = {
    objectives: ["x", "y", "z"].map((name) => ({ name })),
    hiddenSize: H,
    regression: noise(K * H),
    transform: noise(K * K),
    gate: {
      layers: [
        { weight: noise(D * H), bias: noise(D), inputs: H, outputs: D },
        { weight: noise(K * D), bias: noise(K), inputs: D, outputs: K },
      ],
      temperature: 2,
      logitScale: 1.5,
    },
    marginScale: 0.8,
  };
  const [prompts, chosen, rejected] = [noise(N * H), noise(N * K), noise(N * K)];
  const named = Array.from({ length: N }, (_, n) => n).filter((n) => n % 7 !== 0);
  const pairs = {
    prompts: {
      rows: N,
      gather: (indices: ArrayLike<number>, out: Float32Array) => {
        for (let i = 0; i < indices.length; i++)
          out.set(prompts.subarray(indices[i]! * H, (indices[i]! + 1) * H), i * H);
      },
    },
    rewards: { chosen, rejected },
    named,
    groupOf: (n: number) => (n % 2 === 0 ? "even" : "odd"),
  };
  const { gating, calibration } = await validateHeads(heads, pairs);

  const margins: number[] = [];
  const expected = createGateMeans();
  for (const n of named) {
    const g = runGate(heads.gate, prompts.subarray(n * H, (n + 1) * H));
    expected.add(pairs.groupOf(n), { x: g[0]!, y: g[1]!, z: g[2]! });
    let margin = 0;
    for (let j = 0; j < K; j++)
      for (let k = 0; k < K; k++)
        margin += g[k]! * (chosen[n * K + j]! - rejected[n * K + j]!) * heads.transform[j * K + k]!;
    margins.push(margin);
  }
  const wanted = expected.means();
  expect(Object.keys(gating).sort()).toEqual(["even", "odd"]);
  for (const [group, { n, gatingOutput }] of Object.entries(wanted)) {
    expect(gating[group]!.n).toBe(n);
    for (const [name, value] of Object.entries(gatingOutput))
      expect(gating[group]!.gatingOutput[name]).toBeCloseTo(value, 6);
  }
  const bins = calibrationBins(margins, 0.8);
  expect(calibration!.map(({ n }) => n)).toEqual(bins.map(({ n }) => n));
  for (const [b, bin] of bins.entries()) {
    expect(calibration![b]!.predicted).toBeCloseTo(bin.predicted, 6);
    expect(calibration![b]!.observed).toBeCloseTo(bin.observed, 12);
  }
  expect((await validateHeads({ ...heads, marginScale: null }, pairs)).calibration).toBeNull();
});

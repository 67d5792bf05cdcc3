import { expect, test } from "vitest";
import { calibrationBins } from "../../src/armo/calibration.ts";
import { createGateMeans } from "../../src/armo/gate-means.ts";
import type { Heads } from "../../src/armo/heads.ts";
import { runGate } from "../../src/armo/score.ts";
import { spearman } from "../../src/armo/spearman.ts";
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
    rewards: { chosen, rejected, tokens: Float32Array.from({ length: 2 * N }, (_, i) => i % 31) },
    named,
    groupOf: (n: number) => (n % 2 === 0 ? "even" : "odd"),
    keyOf: BigInt,
    lookUp: async (rows: readonly number[]) =>
      new Map(
        rows.map((row) => [row, { set: "pairs", row, id: `id-${row}`, source: "s", promptHash: `h${row}` }]),
      ),
    seed: 3,
  };
  const { gating, calibration, diagnostics } = await validateHeads(heads, pairs);

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
  expect(calibration!.bins.map(({ n }) => n)).toEqual(bins.map(({ n }) => n));
  for (const [b, bin] of bins.entries()) {
    expect(calibration!.bins[b]!.predicted).toBeCloseTo(bin.predicted, 6);
    expect(calibration!.bins[b]!.observed).toBeCloseTo(bin.observed, 12);
  }
  expect(calibration!.brierScore).toBeCloseTo(
    margins.reduce((sum, margin) => sum + (1 / (1 + Math.exp(0.8 * margin))) ** 2, 0) / margins.length,
    6,
  );

  // Objectives: contributions are those of `scoreEmbedding`, and sum to the margins.
  const share = (count: number) => count / named.length;
  const mean = margins.reduce((sum, margin) => sum + margin, 0) / named.length;
  const { objectives } = diagnostics!;
  const sum = Object.values(objectives).reduce((total, { meanContribution }) => total + meanContribution, 0);
  expect(sum).toBeCloseTo(mean, 6);
  for (const [j, name] of ["x", "y", "z"].entries()) {
    let [alone, without, flips] = [0, 0, 0];
    for (const [i, n] of named.entries()) {
      const g = runGate(heads.gate, prompts.subarray(n * H, (n + 1) * H));
      const difference = chosen[n * K + j]! - rejected[n * K + j]!;
      const rest = margins[i]! - g.reduce((c, w, k) => c + w * heads.transform[j * K + k]!, 0) * difference;
      if (difference > 0) alone++;
      if (rest > 0) without++;
      if (rest > 0 !== margins[i]! > 0) flips++;
    }
    expect(objectives[name]).toMatchObject({
      alone: share(alone),
      without: share(without),
      flips: share(flips),
    });
  }

  // Score and length, before and after the transform, over both responses.
  const scores = { before: [] as number[], after: [] as number[], lengths: [] as number[] };
  for (const n of named) {
    const g = runGate(heads.gate, prompts.subarray(n * H, (n + 1) * H));
    for (const [side, rewards] of [chosen, rejected].entries()) {
      const raw = rewards.subarray(n * K, (n + 1) * K);
      const adjusted = g.map((_, k) => raw.reduce((s, r, j) => s + r * heads.transform[j * K + k]!, 0));
      scores.before.push(g.reduce((s, w, k) => s + w * raw[k]!, 0));
      scores.after.push(g.reduce((s, w, k) => s + w * adjusted[k]!, 0));
      scores.lengths.push((2 * n + side) % 31);
    }
  }
  const { "trained gate": found } = diagnostics!.length!.scores;
  expect(found.before).toBeCloseTo(spearman(scores.before, scores.lengths), 5);
  expect(found.after).toBeCloseTo(spearman(scores.after, scores.lengths), 5);

  // The same prompts, the same clusters; each pair is in one of them, and the nearest prompts are named.
  const { clusters } = diagnostics!.clusters;
  expect(clusters.reduce((total, { n }) => total + n, 0)).toBe(named.length);
  expect(clusters[0]!.nearest[0]!.id).toMatch(/^id-\d+$/);
  expect((await validateHeads(heads, pairs)).diagnostics).toEqual(diagnostics);

  expect((await validateHeads({ ...heads, marginScale: null }, pairs)).calibration).toBeNull();
  const unknown = { ...pairs.rewards, tokens: new Float32Array(2 * N).fill(Number.NaN) };
  expect((await validateHeads(heads, { ...pairs, rewards: unknown })).diagnostics!.length).toBeNull();
  expect((await validateHeads(heads, { ...pairs, named: [] })).diagnostics).toBeNull();
});

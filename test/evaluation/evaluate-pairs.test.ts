import { expect, test } from "vitest";
import { evaluatePairs, type PairScorer } from "../../src/evaluation/evaluate-pairs.ts";

const response = (score: number, gatingOutput: Record<string, number>) => ({
  score,
  rewards: { x: score, y: 0 },
  adjustedRewards: { x: score, y: 0 },
  gatingOutput,
  tokens: 5,
});
const rows = [
  { subset: "a", margin: 1, gate: { x: 0.2, y: 0.8 } },
  { subset: "b", margin: -1, gate: { x: 0.5, y: 0.5 } },
  { subset: "a", margin: 1, gate: { x: 0.4, y: 0.6 } },
];
const scorer: PairScorer = async function* () {
  for (const [id, { subset, margin, gate }] of rows.entries()) {
    yield {
      id,
      subset,
      promptHash: String(id),
      chosen: response(margin, gate),
      rejected: response(0, gate),
    };
  }
  yield { id: 9, source: "s", kind: "invalid", reason: "no" };
};

test("an evaluation holds mean gating outputs by subset, and calibration where the margin scale is known", async () => {
  const evaluation = await evaluatePairs(scorer, null, { marginScale: 2 });
  expect(evaluation.gating).toEqual({
    a: { n: 2, gatingOutput: { x: expect.closeTo(0.3, 12), y: expect.closeTo(0.7, 12) } },
    b: { n: 1, gatingOutput: { x: 0.5, y: 0.5 } },
  });
  const sigma = 1 / (1 + Math.exp(-2));
  expect(evaluation.calibration).toEqual([
    { from: 0.85, to: 0.9, n: 3, predicted: expect.closeTo(sigma, 12), observed: 2 / 3 },
  ]);
  expect((await evaluatePairs(scorer, null)).calibration).toBeNull();
});

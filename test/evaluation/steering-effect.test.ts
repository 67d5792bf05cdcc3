import { expect, test } from "vitest";
import { armoScorer } from "../../src/armo/armo-scorer.ts";
import { fixedWeightsEffect } from "../../src/armo/gate-effect.ts";
import type { BestOfNScorer } from "../../src/evaluation/best-of-n-scores.ts";
import { evaluateBestOfN } from "../../src/evaluation/evaluate-best-of-n.ts";
import { evaluatePairs } from "../../src/evaluation/evaluate-pairs.ts";
import { evaluateRewardBench } from "../../src/evaluation/evaluate-reward-bench.ts";
import { evaluateRewardBench2 } from "../../src/evaluation/evaluate-reward-bench-2.ts";
import type { PairScorer } from "../../src/evaluation/pair-scores.ts";
import { createRandom } from "../../src/random.ts";
import { renderReport } from "../../src/report/report.ts";
import type { Score, Steering } from "../../src/reward-model.ts";
import { toScore } from "../../src/scoring/score-parts.ts";
import { steerScore } from "../../src/scoring/steering.ts";
import { randomHeads } from "../armo/random-heads.ts";

const [H, N] = [16, 120];
const scorer = armoScorer(randomHeads(H, { K: 4 }));
const names = scorer.objectives.map(({ name }) => name);
const [a, b] = names as [string, string];
const random = createRandom(3);
const embedding = () => Float32Array.from({ length: H }, () => random.normal());
const rows = Array.from({ length: N }, () => {
  const scoreResponse = scorer.forPrompt(embedding());
  return Array.from({ length: 4 }, (_, index) =>
    toScore(scoreResponse(embedding()), scorer.objectives, {
      index,
      tokens: index,
      dtype: "f32",
      model: "m",
    }),
  );
});
const SUBSETS = ["alpacaeval-easy", "llmbar-natural", "donotanswer", "math-prm"];
const about = (n: number, subset: string) => ({ id: `ref:${n}`, source: "s", subset, promptHash: `${n}` });
const steer = (steering: Steering | null) => (score: Score) =>
  steering ? steerScore(score, steering, scorer) : score;

const pairs = (steering: Steering | null): PairScorer =>
  async function* () {
    for (const [n, [x, y]] of rows.entries()) {
      const [chosen, rejected] = [steer(steering)(x!), steer(steering)(y!)];
      yield { ...about(n, SUBSETS[n % 4]!), chosen, rejected };
    }
  };
const prompts = (steering: Steering | null): BestOfNScorer =>
  async function* () {
    for (const [n, responses] of rows.entries()) {
      const subset = ["Factuality", "Math", "Ties"][n % 3]!;
      const steered = responses.map(steer(steering));
      // In half of the rows two are right: between them a pick may change and be worth the same.
      yield { ...about(n, subset), responses: steered, labels: [1, n % 2, 0, 0], finalAnswers: [] };
    }
  };
const steering = { scale: { [a]: -2 }, without: [b] };

test("fixed weights are right and prefer otherwise as often as the gate's diagnostics say", async () => {
  const weights = Object.fromEntries(names.map((name, k) => [name, [0.4, -0.1, 0.6, 0.2][k]!]));
  const expected = fixedWeightsEffect(
    rows.map(([x, y]) => x!.score - y!.score),
    rows.flatMap(([x, y]) => names.map((name) => x!.adjustedRewards[name]! - y!.adjustedRewards[name]!)),
    Object.values(weights),
  );
  const { score, steeringEffect } = await evaluatePairs(pairs({ weights }), null);
  expect(score).toBe(expected.accuracy);
  expect(steeringEffect!.changed).toBe(Math.round(expected.changed * N));
  expect(steeringEffect!.changed).toBeGreaterThan(0);
});

test.each([
  ["pairs", (of: Steering | null) => evaluatePairs(pairs(of), null)],
  ["rewardbench", (of: Steering | null) => evaluateRewardBench(pairs(of), null)],
  ["rewardbench2", (of: Steering | null) => evaluateRewardBench2(prompts(of), null)],
  ["best-of-n", (of: Steering | null) => evaluateBestOfN(prompts(of), null)],
] as const)("%s: the unsteered figures are those of an evaluation without steering", async (_, evaluate) => {
  const plain = await evaluate(null);
  const { steeringEffect: effect, ...steered } = await evaluate(steering);
  expect(plain.steeringEffect).toBeUndefined();
  const { score, interval, sections, scoreWithPriorSets } = plain;
  expect(effect!.unsteered).toMatchObject({ score, interval, sections, scoreWithPriorSets });
  for (const [name, { n, accuracy, interval: bounds }] of Object.entries(plain.subsets)) {
    expect(effect!.unsteered.subsets[name]).toEqual({ n, accuracy, interval: bounds });
  }
  expect(steered.subsets).not.toEqual(plain.subsets);
  const { n, changed, better, worse, alike, moved, meanMoved } = effect!;
  expect(n).toBe(N);
  expect(better + worse + alike).toBe(changed);
  expect(changed).toBeGreaterThan(0);
  expect(changed).toBeLessThan(N);
  expect(Object.keys(moved)).toEqual(names);
  expect(meanMoved).toBeGreaterThan(0);
});

test("what moved the changed pairs is the mean change of their margins, split exactly", async () => {
  const { score, steeringEffect } = await evaluatePairs(pairs(steering), null);
  const margin = (scores: readonly Score[]) => scores[0]!.score - scores[1]!.score;
  const margins = rows.map((scores) => [margin(scores), margin(scores.map(steer(steering)))] as const);
  const turned = margins.filter(([before, now]) => before > 0 !== now > 0);
  const { changed, better, worse, difference, meanMoved, moved, unsteered } = steeringEffect!;
  expect(changed).toBe(turned.length);
  expect([better, worse]).toEqual([
    turned.filter(([, now]) => now > 0).length,
    turned.filter(([before]) => before > 0).length,
  ]);
  expect(score - unsteered.score).toBeCloseTo((better - worse) / N, 12);
  expect(difference).toBeCloseTo((better - worse) / N, 12);
  const mean = turned.reduce((sum, [before, now]) => sum + Math.abs(now - before), 0) / turned.length;
  expect(meanMoved).toBeCloseTo(mean, 12);
  expect(Object.values(moved).reduce((sum, value) => sum + value, 0)).toBe(meanMoved);
});

test("a pick that changes between responses that are equally good is neither better nor worse", async () => {
  const { steeringEffect } = await evaluateBestOfN(prompts(steering), null);
  const picks = rows.map((scores, n) => {
    const labels = [1, n % 2, 0, 0];
    const pick = (of: readonly Score[]) => {
      const all = of.map(({ score }) => score);
      return all.indexOf(Math.max(...all));
    };
    const [before, now] = [pick(scores), pick(scores.map(steer(steering)))];
    return { changed: before !== now, gain: labels[now]! - labels[before]! };
  });
  const changed = picks.filter((row) => row.changed);
  expect(steeringEffect).toMatchObject({
    changed: changed.length,
    better: changed.filter(({ gain }) => gain > 0).length,
    worse: changed.filter(({ gain }) => gain < 0).length,
    alike: changed.filter(({ gain }) => gain === 0).length,
  });
  expect(steeringEffect!.alike).toBeGreaterThan(0);
});

test("steering that changes nothing changes no ranking", async () => {
  const { steeringEffect, score } = await evaluatePairs(pairs({}), null);
  expect(steeringEffect).toMatchObject({ changed: 0, better: 0, worse: 0, moved: {}, meanMoved: 0 });
  expect(steeringEffect!.unsteered.score).toBe(score);
});

test("the report shows both, and what moved the rows; without steering it has no such section", async () => {
  for (const evaluation of [
    { ...(await evaluatePairs(pairs(steering), null)), steering },
    { ...(await evaluateRewardBench(pairs(steering), null)), steering },
    { ...(await evaluateRewardBench2(prompts(steering), null)), steering },
    { ...(await evaluateBestOfN(prompts(steering), null)), steering },
  ]) {
    const stored = JSON.parse(JSON.stringify(evaluation));
    const page = renderReport({ title: "m", evaluations: [{ name: "data", evaluation: stored }] });
    const { changed, better, worse } = evaluation.steeringEffect!;
    expect(page).toContain('<section id="steering">');
    expect(page).toContain(`<b>scale ${a}=-2; without ${b.replaceAll('"', "&quot;")}</b>`);
    expect(page).toContain(
      `${changed} of ${N} rows changed: ${better} for the better, ${worse} for the worse`,
    );
  }
  const plain = JSON.parse(JSON.stringify(await evaluatePairs(pairs(null), null)));
  expect(renderReport({ title: "m", evaluations: [{ name: "data", evaluation: plain }] })).not.toContain(
    'id="steering"',
  );
});

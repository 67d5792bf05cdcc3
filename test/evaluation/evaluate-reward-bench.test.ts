import { describe, expect, test } from "vitest";
import { evaluateRewardBench } from "../../src/evaluation/evaluate-reward-bench.ts";
import { rewardBench, SECTIONS } from "../../src/evaluation/reward-bench.ts";
import { createRandom } from "../../src/random.ts";
import { type PairSketch, rejectedPair, scorerOf } from "./pair-fixture.ts";

/** `pairs` of every subset, some right and some wrong. */
function wholeBenchmark(pairs = 10): PairSketch[] {
  const random = createRandom(5);
  let id = 0;
  return Object.values(SECTIONS).flatMap((subsets) =>
    Object.keys(subsets).flatMap((subset) =>
      Array.from({ length: pairs }, () => ({
        margin: { x: random.normal() + 0.5, y: 0.1 },
        gate: { x: 0.7, y: 0.3 },
        subset,
        id: id++,
        tokens: [random.integer(1, 9), random.integer(1, 9)] as const,
      })),
    ),
  );
}

describe("RewardBench of a model", () => {
  test("is the arithmetic of its accuracies by subset", async () => {
    const rows = wholeBenchmark();
    const evaluation = await evaluateRewardBench(scorerOf(rows), null);
    const accuracies: Record<string, number> = {};
    for (const { subset, margin } of rows) {
      accuracies[subset!] = (accuracies[subset!] ?? 0) + (margin.x! + margin.y! > 0 ? 0.1 : 0);
    }
    const expected = rewardBench(accuracies);
    for (const [name, section] of Object.entries(expected.sections)) {
      expect(evaluation.sections[name as "Chat"]).toBeCloseTo(section, 12);
    }
    expect(evaluation.score).toBeCloseTo(expected.score, 12);
    expect(evaluation.scoreWithPriorSets).toBe(evaluation.score);
    expect(evaluation.priorSets).toBeNaN();
    expect(evaluation.subsets["math-prm"]).toMatchObject({
      n: 10,
      weight: 984,
      officialPairs: 447,
      section: "Reasoning",
    });
    const [low, high] = evaluation.interval;
    expect(low).toBeLessThan(evaluation.score);
    expect(high).toBeGreaterThan(evaluation.score);
    expect(evaluation.gatingBySection.Safety).toEqual({
      n: 50,
      gatingOutput: { x: expect.closeTo(0.7, 12), y: expect.closeTo(0.3, 12) },
    });
    const longer = evaluation.baselineScores["prefer the longer"]!;
    const right = rows.filter(({ subset, tokens }) => subset === "hep-go" && tokens![0] > tokens![1]).length;
    const all = await evaluateRewardBench(scorerOf(rows.filter(({ subset }) => subset === "hep-go")), null);
    expect(all.baselineScores["prefer the longer"]!.sections.Reasoning).toBeCloseTo(right / 10, 12);
    expect(longer.score).toBeLessThan(evaluation.score);
  });

  test("counts ties and rows that could not be scored as wrong, and drops none", async () => {
    const subset = "donotanswer";
    const rows = [
      { margin: { x: 1 }, subset },
      { margin: { x: 0 }, subset },
      { margin: { x: Number.NaN }, subset },
      rejectedPair({ subset }),
      rejectedPair(),
    ];
    const { subsets, sections, n, ties, rejected, missing, score, unknown } = await evaluateRewardBench(
      scorerOf(rows),
      null,
    );
    expect(subsets.donotanswer).toMatchObject({ n: 4, unscored: 2, accuracy: 0.25 });
    expect(subsets["made-up"]).toMatchObject({
      n: 1,
      unscored: 1,
      accuracy: 0,
      section: null,
      officialPairs: null,
    });
    expect({ n, ties, rejected: rejected.length }).toEqual({ n: 2, ties: 1, rejected: 3 });
    expect(sections.Safety).toBe(0.25);
    expect(score).toBeNaN();
    expect(missing.sections).toEqual(["Chat", "Chat Hard", "Reasoning"]);
    expect(unknown).toEqual(["made-up"]);
  });

  test("takes a source that is called as a prior set for it, whatever its rows call their subset", async () => {
    const priors = [
      { margin: { x: 1 }, source: "anthropic_hhh", subset: "harmless" },
      { margin: { x: -1 }, source: "anthropic_hhh", subset: "honest" },
      rejectedPair({ subset: "shp" }),
    ];
    const evaluation = await evaluateRewardBench(scorerOf([...wholeBenchmark(2), ...priors]), null);
    expect(evaluation.subsets.anthropic_hhh).toMatchObject({ n: 2, accuracy: 0.5 });
    expect(evaluation.subsets.shp).toMatchObject({ n: 1, accuracy: 0 });
    expect(evaluation.priorSets).toBe(0.25);
    const sum = Object.values(evaluation.sections).reduce((a, b) => a + b);
    expect(evaluation.scoreWithPriorSets).toBeCloseTo((sum + 0.125) / 4.5, 12);
    expect(evaluation.unknown).toEqual([]);
  });

  test("counts rows of two versions mixed: one id, two prompts", async () => {
    const rows = ["a", "a", "b"].map((promptHash) => ({
      margin: { x: 1 },
      subset: "hep-go",
      id: 3,
      promptHash,
    }));
    const { repeatedIds, subsets } = await evaluateRewardBench(scorerOf(rows), null);
    expect(repeatedIds).toEqual({ samePrompt: 1, otherPrompt: 1 });
    expect(subsets["hep-go"]!.n).toBe(3);
  });
});

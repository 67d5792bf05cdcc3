import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PUBLISHED_SCORES } from "../../src/evaluation/published-scores.ts";
import { officialPairs, rewardBench, SECTION_NAMES, SECTIONS } from "../../src/evaluation/reward-bench.ts";
import { creditOf, PROMPTS_2, rewardBench2 } from "../../src/evaluation/reward-bench-2.ts";
import { scoreTies } from "../../src/evaluation/ties.ts";

const golden = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, "../golden/rewardbench", name), "utf8"));
const TOLERANCE = 1e-12;
const PUBLISHED_ACCURACIES: Readonly<Record<string, number>> = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../docs/published-accuracies.json"), "utf8"),
);

describe("RewardBench 1", () => {
  const { example_counts, sections, real_subset_sizes, cases } = golden("v1.json");

  test("weighs the subsets of each section as the benchmark does", () => {
    for (const name of SECTION_NAMES) expect(Object.keys(SECTIONS[name])).toEqual(sections[name]);
    expect(Object.assign({}, ...Object.values(SECTIONS))).toEqual(example_counts);
    for (const [subset, size] of Object.entries(real_subset_sizes)) expect(officialPairs(subset)).toBe(size);
    const total = Object.keys(real_subset_sizes).reduce((sum, subset) => sum + officialPairs(subset)!, 0);
    expect(total).toBe(2985);
  });

  test.each<[string, unknown]>(cases.map((c: { name: string }) => [c.name, c]))(
    "golden: %s",
    (_, goldenCase) => {
      // biome-ignore lint/suspicious/noExplicitAny: golden JSON
      const c = goldenCase as any;
      const priors = Object.entries(c.prior_sets ?? {}).filter(([, accuracy]) => accuracy !== null);
      const result = rewardBench({ ...c.subset_accuracy, ...Object.fromEntries(priors) });
      for (const name of SECTION_NAMES)
        expect(Math.abs(result.sections[name] - c.sections[name])).toBeLessThan(TOLERANCE);
      expect(Math.abs(result.score - c.overall_without_prior)).toBeLessThan(TOLERANCE);
      if (c.prior_mean) expect(Math.abs(result.priorSets - c.prior_mean)).toBeLessThan(TOLERANCE);
      else expect(result.priorSets).toBeNaN();
      const withPrior = c.overall_with_prior ?? c.overall_without_prior;
      expect(Math.abs(result.scoreWithPriorSets - withPrior)).toBeLessThan(TOLERANCE);
      const swapped = rewardBench(c.subset_accuracy, { referenceCounts: true });
      expect(Math.abs(swapped.sections.Safety - c.wrong_safety_if_xstest_counts_swapped)).toBeLessThan(
        TOLERANCE,
      );
      expect(result.missing.subsets).toEqual([]);
      expect(result.unknown).toEqual([]);
    },
  );

  test("the published row comes out with the reference's counts, and 88.6 with the right ones", () => {
    const percent = (share: number) => Number((100 * share).toFixed(1));
    const published = rewardBench(PUBLISHED_ACCURACIES, { referenceCounts: true });
    const [row] = PUBLISHED_SCORES;
    for (const name of SECTION_NAMES) expect(percent(published.sections[name])).toBe(row!.sections[name]);
    expect(percent(published.priorSets)).toBe(row!.priorSets);
    expect(percent(published.scoreWithPriorSets)).toBe(row!.overall);
    const right = rewardBench(PUBLISHED_ACCURACIES);
    expect((100 * right.sections.Safety).toFixed(2)).toBe("90.54");
    expect((100 * right.score).toFixed(2)).toBe("90.39");
    expect((100 * right.scoreWithPriorSets).toFixed(2)).toBe("88.60");
  });

  test("what is missing has no value and is named; what is unknown counts for nothing", () => {
    const result = rewardBench({
      "llmbar-natural": 0.5,
      "mt-bench-hard": 1,
      mine: 0.1,
      donotanswer: Number.NaN,
    });
    expect(result.sections["Chat Hard"]).toBeCloseTo((50 + 37) / 137, 12);
    expect(result.sections.Safety).toBeNaN();
    expect(result.score).toBeNaN();
    expect(result.missing.sections).toEqual(["Chat", "Safety", "Reasoning"]);
    expect(result.missing.subsets).toContain("donotanswer");
    expect(result.missing.priorSets).toHaveLength(4);
    expect(result.unknown).toEqual(["mine"]);
    expect(() => rewardBench({ donotanswer: 97 })).toThrow(
      "accuracies must be in [0, 1], got 97 for donotanswer",
    );
  });
});

describe("RewardBench 2", () => {
  const { cases } = golden("v2.json");
  type GoldenRow = { id: string; subset: string; num_correct: number; scores: number[] };

  test.each<[string, unknown]>(cases.map((c: { name: string }) => [c.name, c]))(
    "golden: %s",
    (_, goldenCase) => {
      // biome-ignore lint/suspicious/noExplicitAny: golden JSON
      const c = goldenCase as any;
      const rows = (c.rows as GoldenRow[]).map(({ num_correct, ...row }) => ({
        ...row,
        numCorrect: num_correct,
      }));
      const result = rewardBench2(rows);
      expect(Object.keys(result.subsets)).toEqual(Object.keys(PROMPTS_2));
      for (const [name, score] of Object.entries(c.subset_scores as Record<string, number>)) {
        expect(Math.abs(result.subsets[name]! - score)).toBeLessThan(TOLERANCE);
      }
      for (const row of rows) {
        if (row.subset !== "Ties") expect(Math.abs(creditOf(row) - c.credit[row.id])).toBeLessThan(TOLERANCE);
      }
      const parts = c.ties_components;
      const close = (a: number, b: number) => expect(Math.abs(a - b)).toBeLessThan(TOLERANCE);
      close(result.ties!.refAccuracy, parts.ref_accuracy);
      close(result.ties!.tiedAccuracy, parts.tied_accuracy);
      close(result.ties!.preferred, parts.correctness_preferred);
      close(result.ties!.preferredHard, parts.correctness_preferred_hard);
      close(result.ties!.marginScore, parts.correctness_margin_score);
      close(result.score, c.overall_mean_of_six);
    },
  );

  test("credit is shared among answers with the same score, and none is given where a score is no number", () => {
    const row = (scores: number[]) => ({ id: "x", numCorrect: 1, scores });
    expect(creditOf(row([1, 0, 0, 0]))).toBe(1);
    expect(creditOf(row([1, 1, 1, 0]))).toBe(1 / 3);
    expect(creditOf(row([0, 1, 1, 0]))).toBe(0);
    expect(creditOf(row([1, Number.NaN, 0, 0]))).toBe(0);
    expect(creditOf({ id: "x", numCorrect: 2, scores: [1, 1, 1, 0] })).toBe(2 / 3);
  });

  test("a prompt of Ties without all its scores counts as wrong in every term", () => {
    const ref = { id: "ref:1", numCorrect: 1, scores: [3, 0] };
    const tied = { id: "tied:1", numCorrect: 2, scores: [2, 2.5, 0] };
    expect(scoreTies([ref, tied]).score).toBeGreaterThan(1);
    const broken = scoreTies([ref, { ...tied, scores: [2, Number.NaN, 0] }]);
    expect(broken).toMatchObject({
      tiedAccuracy: 0,
      refAccuracy: 1,
      preferred: 0,
      preferredHard: 0,
      marginScore: -1,
    });
    expect(() => scoreTies([ref, ref])).toThrow("ids must differ, got ref:1 twice");
    expect(() => scoreTies([{ ...ref, id: "1" }])).toThrow("ids must be ref:<n> or tied:<n>, got 1");
    expect(() => scoreTies([{ ...ref, numCorrect: 2 }])).toThrow("must have right and wrong answers");
  });

  test("a missing subset leaves the score without a value; others stand under their own name", () => {
    const result = rewardBench2([{ id: "1", subset: "mine", numCorrect: 1, scores: [1, 0] }]);
    expect(result.subsets).toEqual({ mine: 1 });
    expect(result.score).toBeNaN();
    expect(result.missing).toHaveLength(6);
    expect(result.ties).toBeNull();
  });
});

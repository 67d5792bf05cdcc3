import { beforeAll, describe, expect, test } from "vitest";
import {
  evaluateRewardBench,
  type RewardBenchEvaluation,
} from "../../src/evaluation/evaluate-reward-bench.ts";
import { SECTIONS } from "../../src/evaluation/reward-bench.ts";
import { renderReport } from "../../src/report/report.ts";
import type { NamedEvaluation } from "../../src/report/report-data.ts";
import { type PairSketch, rejectedPair, scorerOf } from "../evaluation/pair-fixture.ts";
import { sectionOf, sectionsOf, wordsOf } from "./page.ts";
import { evaluation, training } from "./report-fixture.ts";

const EVIL = `"><script>alert(1)</script><img src=x onerror=alert(2)>`;
const render = (...evaluations: NamedEvaluation[]) => renderReport({ title: "m", evaluations });
/** As a file holds it: NaN is null there. */
const stored = <T>(value: T): T => JSON.parse(JSON.stringify(value));

/** Four pairs of every subset of the named sections, three of them right. */
const pairsOf = (...sections: (keyof typeof SECTIONS)[]): PairSketch[] =>
  sections.flatMap((section) =>
    Object.keys(SECTIONS[section]).flatMap((subset) =>
      [0.5, 0.25, 0.1, -0.3].map((margin, i) => ({
        id: i,
        subset,
        promptHash: `${subset} ${i}`,
        margin: { tact: margin, length: 0.01 },
        gate: { tact: 0.75, length: 0.25 },
        tokens: [10 + i, 11] as const,
      })),
    ),
  );

describe("RewardBench", () => {
  let whole: RewardBenchEvaluation;
  let part: RewardBenchEvaluation;
  beforeAll(async () => {
    const rows = pairsOf("Chat", "Chat Hard", "Safety", "Reasoning");
    whole = await evaluateRewardBench(
      scorerOf([...rows, { margin: { tact: 1, length: 0 }, source: "shp", subset: null, id: 7 }]),
      null,
    );
    part = await evaluateRewardBench(
      scorerOf([
        ...pairsOf("Chat Hard").filter(({ subset }) => subset !== "mt-bench-hard"),
        { ...pairsOf("Chat")[0]!, subset: EVIL },
        rejectedPair({ subset: "llmbar-natural" }),
      ]),
      null,
      { referenceCounts: true, marginScale: 2 },
    );
  });

  test("the score is no accuracy: the four-section mean and the score with prior sets come first", () => {
    const page = render({ name: "rb", evaluation: whole });
    const tiles = [...page.matchAll(/class="tile"><p class="name">([^<]*)<\/p><p class="figure">([^<]*)</g)];
    expect(tiles.map(([, name, figure]) => [name, figure])).toEqual([
      ["four-section mean", "75.0 %"],
      // (4 · 0.75 + 1 / 2) / 4.5
      ["with prior sets", "77.8 %"],
      ["length alone", "50.0 %"],
    ]);
    expect(sectionsOf(page)).not.toContain("accuracy");
  });

  test("sections stand beside length alone and simpler mixtures, subsets under their section", () => {
    const page = sectionOf(render({ name: "rb", evaluation: whole }), "rewardbench");
    const words = wordsOf(page);
    const heads = [...page.matchAll(/<h4>([^<]*)/g)].map(([, head]) => head!.trim());
    expect(heads).toEqual(["Four-section mean", "Chat", "Chat Hard", "Safety", "Reasoning", "Prior sets"]);
    expect(words).toContain(
      "this model 75.0 % uniform gate 75.0 % regression mean 75.0 % prefer the longer 50.0 % prefer the shorter 25.0 %",
    );
    expect(words).toMatch(/Accuracy by subset \(24\)/);
    expect(words).toMatch(/Chat 75\.0 % alpacaeval-easy 4 100 100 0 75\.0 %/);
    expect(words).toMatch(/math-prm 4 447 984 0 75\.0 %/);
    expect(words).toMatch(/Prior sets 100\.0 % shp 1 0 100\.0 %/);
    expect(words).toContain("This is not the official set: alpacaeval-easy,");
    // No pair here has another number than it should, so its mark must be that of the others.
    expect(page.match(/class="differs"/g)).toHaveLength(23);
  });

  test("published scores are marked as their authors' and not measured here, with why Safety differs", () => {
    const words = wordsOf(sectionOf(render({ name: "rb", evaluation: whole }), "rewardbench"));
    expect(words).toMatch(/published by others about their models, not measured here/);
    expect(words).toMatch(
      /ArmoRM-Llama3-8B-v0\.1 Llama-3 8B, ArmoRM \+ MoE 90\.8 89\.0 96\.9 76\.8 92\.2 97\.3 74\.3/,
    );
    expect(words).toMatch(/xstest subsets swapped: .* 88\.6/);
  });

  test("what is missing, unknown or weighed otherwise is said; there is no mean of less than four sections", () => {
    const page = render({ name: "rb", evaluation: stored(part) });
    const words = wordsOf(page);
    for (const text of [
      "four-section mean – nothing of Chat, Safety, Reasoning in rb",
      "No four-section mean: nothing of Chat, Safety, Reasoning is in these data.",
      "Missing, and out of their section’s mean: mt-bench-hard.",
      "Outside the benchmark, counted for nothing: &quot;&gt;&lt;script&gt;",
      "The two xstest subsets are weighed by each other’s number of pairs",
      "1 pair could not be scored, being too long, counted as wrong.",
      // 3 of 5: the pair that could not be scored is wrong.
      "llmbar-natural 5 100 100 1 60.0 %",
    ]) {
      expect(words).toContain(text);
    }
    expect(page.match(/<h4>/g)).toHaveLength(1);
    expect(page).not.toMatch(/<script|<img|NaN|undefined|null/);
  });

  test("the gate is shown by section beside by subset", () => {
    const gate = wordsOf(sectionOf(render({ name: "rb", evaluation: whole }), "gate"));
    expect(gate).toContain("rb, by section tact length Chat 20 0.75 0.25 Chat Hard 24 0.75 0.25");
    expect(gate).toContain("rb: 24 kinds of prompts");
  });
});

test("accuracies by further fields stand under their field; long lists are opened", () => {
  const accuracy = (share: number) => ({ n: 10, accuracy: share, interval: [share, share] as const });
  const many = Object.fromEntries(Array.from({ length: 13 }, (_, i) => [`writer ${i}`, accuracy(i / 20)]));
  const groups = {
    "ids.model": { small: accuracy(0.4), [EVIL]: accuracy(0.9) },
    writer: many,
    one: { value: accuracy(0.5) },
  };
  const page = sectionOf(render({ name: "b", evaluation: { ...evaluation.evaluation, groups } }), "accuracy");
  const words = wordsOf(page);
  expect(words).toMatch(/this model, by ids\.model &quot;&gt;&lt;script&gt;.* 10 90\.0 %.*small 10 40\.0 %/);
  expect(words).toMatch(/this model, by writer \(13\) writer .* writer 12 10 60\.0 %/);
  expect(words).not.toContain("by one");
  expect(page.match(/<details>/g)).toHaveLength(1);
});

test("margins are drawn by side, with the median and the percentiles", () => {
  const margins = sectionOf(render(evaluation), "margins");
  expect(margins).toMatch(/<rect class="negative"[^>]*><title>−1\.000 to 0\.000: 159 pairs/);
  expect(margins).toMatch(/<rect class="bar"[^>]*><title>0\.000 to 1\.000: 257 pairs/);
  expect(wordsOf(margins)).toContain(
    "bench: median 0.400, half in −0.200 … 1.000, 90 % in −1.000 … 2.000; mean 0.400, standard deviation 1.000",
  );
  expect(margins).toContain('role="img" aria-label="Histogram of margins, bench"');
});

test("what length explains stands beside what debiasing did", () => {
  const page = renderReport({ title: "m", training, evaluations: [evaluation] });
  const words = wordsOf(sectionOf(page, "length"));
  for (const text of [
    "preferred one is longer 116 80.0 % 70.0 … 90.0 %",
    "preferred one is shorter 300 55.0 % 50.0 … 60.0 %",
    "both are as long 9 40.0 %",
    "margin and length difference: 0.30 . The model leans towards longer responses.",
    "What debiasing did about length",
  ]) {
    expect(words).toContain(text);
  }
});

test("objectives: accuracy alone and without, and contributions that sum to the mean margin", () => {
  const page = renderReport({ title: "m", training, evaluations: [evaluation] });
  const words = wordsOf(sectionOf(page, "contributions"));
  // Without tact the accuracy falls by 11.8 points, without length it rises by 0.2.
  expect(words).toContain("tact 60.0 % 50.0 % −11.8 +0.400 0.10");
  expect(words).toContain("length* 28.0 % 62.0 % +0.2 0.000 0.90");
  expect(words).toContain("all together 61.8 % +0.400 0.30");
});

test("the hardest pairs show what speaks for which side, and texts where they are known, shortened and escaped", () => {
  const bare = sectionOf(render(evaluation), "hardest");
  expect(wordsOf(bare)).toContain("−1.000 hard evil the preferred response is 9 tokens shorter");
  expect(bare).not.toContain("<details>");
  const texts = {
    17: { prompt: [{ content: "first" }, { content: EVIL }], chosen: "x".repeat(5000), rejected: EVIL },
  };
  const page = sectionOf(render({ ...evaluation, texts }), "hardest");
  expect(page).not.toMatch(/<script|<img|first/);
  expect(page).toContain(`<dt>preferred</dt><dd>${"x".repeat(799)}…</dd>`);
  expect(wordsOf(page)).toContain("prompt &quot;&gt;&lt;script&gt;alert(1)");

  const [pair] = evaluation.evaluation.hardest;
  const many = Array.from({ length: 20 }, (_, i) => ({ ...pair!, index: i, id: null }));
  const long = sectionOf(
    render({ name: "b", evaluation: { ...evaluation.evaluation, hardest: many } }),
    "hardest",
  );
  expect(wordsOf(long)).toMatch(/pair 6 .*14 more .*pair 7 /);
});

test("evaluations of earlier versions, which lack what is newer, still make a report", () => {
  const {
    margins: _,
    length: __,
    objectives: ___,
    hardest: ____,
    groups: _____,
    ...earlier
  } = evaluation.evaluation;
  expect(sectionsOf(render({ name: "b", evaluation: earlier }))).toEqual(["accuracy", "calibration", "gate"]);
});

test("a model of one objective, without correlations and without equal lengths, has no holes in its report", () => {
  const { objectives, length } = evaluation.evaluation;
  const none = { n: 0, accuracy: Number.NaN, interval: [Number.NaN, Number.NaN] as const };
  const page = render({
    name: "b",
    evaluation: stored({
      ...evaluation.evaluation,
      objectives: { tact: { ...objectives.tact!, without: Number.NaN } },
      length: length && { ...length, equal: none, correlation: Number.NaN },
      calibration: null,
    }),
  });
  expect(sectionsOf(page)).not.toContain("contributions");
  expect(wordsOf(page)).not.toMatch(/as long|Spearman/);
  expect(page).not.toMatch(/NaN|undefined|null/);
});

test("best of N: the chosen answer against N, beside oracle, majority vote and random pick", () => {
  const curve = [4, 1, 2].map((n) => ({
    n,
    prompts: 100,
    accuracy: 0.4 + n / 20,
    interval: [0.3 + n / 20, 0.5 + n / 20] as const,
    oracle: 0.5 + n / 10,
    majority: n === 1 ? null : 0.41,
    random: 0.4,
    longest: 0.45,
    shortest: 0.35,
  }));
  const page = render({ name: "sums", evaluation: { benchmark: "best-of-n", graded: false, curve } });
  expect(sectionsOf(page)).toEqual(["bestofn"]);
  const words = wordsOf(page);
  expect(words).toContain("best of 4 60.0 % 95 %: 50.0 … 70.0 %, sums");
  expect(words).toContain("4 100 60.0 % 50.0 … 70.0 % 90.0 % 41.0 % 40.0 % 45.0 % 35.0 %");
  expect(words).toContain("1 100 45.0 % 35.0 … 55.0 % 60.0 % – 40.0 % 45.0 % 35.0 %");
  expect(words).toContain("this model, N = 2: 50.0 %");
  expect(words).not.toContain("majority vote, N = 1");
  // Labels stand at least a line apart, whatever the values are.
  const places = [...page.matchAll(/<text x="412" y="([\d.]+)">/g)]
    .map(([, y]) => Number(y))
    .sort((a, b) => a - b);
  expect(places).toHaveLength(6);
  for (const [i, y] of places.entries())
    if (i > 0) expect(y - places[i - 1]!).toBeGreaterThanOrEqual(15 - 0.02);
});

test("RewardBench 2: six subsets against the official numbers, and what Ties is made of", () => {
  const subset = (n: number, accuracy: number, officialPrompts: number | null) => ({
    n,
    accuracy,
    interval: [accuracy - 0.1, accuracy + 0.1] as const,
    officialPrompts,
  });
  const page = render({
    name: "two",
    evaluation: stored({
      benchmark: "rewardbench2",
      score: Number.NaN,
      interval: [Number.NaN, Number.NaN] as const,
      missing: ["Math"],
      subsets: { Safety: subset(450, 0.7, 450), Ties: subset(100, 0.5, 102) },
      ties: {
        score: 0.5,
        tiedAccuracy: 0.6,
        refAccuracy: 0.7,
        preferred: 0.3,
        preferredHard: 0.25,
        marginScore: -0.2,
        prompts: 50,
      },
    }),
  });
  const words = wordsOf(page);
  for (const text of [
    "mean of six subsets – nothing of Math in two",
    "No score: Math is missing.",
    "not the official set: Ties has another number of prompts.",
    "Safety 450 450 70.0 % 60.0 … 80.0 %",
    "50 prompts of both kinds share weight every right answer above every wrong one, several right 60.0 % 0.30",
    "−0.200 0.01",
  ]) {
    expect(words).toContain(text);
  }
  expect(page).not.toMatch(/NaN|undefined|null/);
});

test("the same evaluations give the same bytes, also after their way through a file", () => {
  const data = { title: "m", training, evaluations: [evaluation] };
  expect(renderReport(data)).toBe(renderReport(data));
  expect(renderReport({ ...data, training: stored(training), evaluations: stored([evaluation]) })).toBe(
    renderReport(data),
  );
});

test("where lengths are not known, nothing is said of them", () => {
  const hardest = evaluation.evaluation.hardest.map((pair) => ({ ...pair, lengthDifference: Number.NaN }));
  const page = render({ name: "b", evaluation: stored({ ...evaluation.evaluation, length: null, hardest }) });
  expect(sectionsOf(page)).not.toContain("length");
  expect(wordsOf(sectionOf(page, "hardest"))).not.toMatch(/token|as long/);
});

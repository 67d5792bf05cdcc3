import { expect, test } from "vitest";
import type { ModelComparison } from "../../src/evaluation/compare-models.ts";
import { evaluateRewardBench } from "../../src/evaluation/evaluate-reward-bench.ts";
import { type ComparedModel, renderModelComparison } from "../../src/report/model-comparison.ts";
import { scorerOf } from "../evaluation/pair-fixture.ts";
import { sectionOf, sectionsOf, wordsOf } from "./page.ts";
import { evaluation } from "./report-fixture.ts";

const accuracy = (n: number, share: number) => ({
  n,
  accuracy: share,
  interval: [share - 0.1, share + 0.1] as const,
});

/** A model with its accuracies on three subsets. */
const model = (label: string, ...shares: readonly number[]): ComparedModel => ({
  label,
  name: `runs/${label}`,
  page: `${label}.html`,
  evaluation: {
    ...evaluation.evaluation,
    score: shares[0]!,
    interval: [shares[0]! - 0.05, shares[0]! + 0.05],
    subsets: Object.fromEntries(shares.map((share, i) => [`s${i}`, accuracy(10 + i, share)])),
  },
});

const comparison = (first: string, second: string, difference: number): ModelComparison => ({
  first: `runs/${first}`,
  second: `runs/${second}`,
  n: 400,
  scoredByOne: 2,
  difference,
  interval: [difference - 0.02, difference + 0.03],
  onlyFirst: 11,
  onlySecond: 31,
  pValue: 0.00001,
});

const two = {
  name: "bench",
  models: [model("a", 0.6, 0.5, 0.9), model("b", 0.65, 0.8, 0.3)],
  comparisons: [comparison("a", "b", 0.05)],
};

test("models stand side by side: scores, paired differences, subsets with the largest differences first", () => {
  const page = renderModelComparison(two);
  expect(sectionsOf(page)).toEqual(["scores", "differences", "subsets", "habits", "models"]);
  const words = wordsOf(page);
  for (const text of [
    "a 416 60.0 %",
    "55.0 … 65.0 %",
    "b 416 65.0 %",
    "prefer the longer 27.9 % 23.8 … 32.4 %",
    // The later against the earlier: what only the later has right comes first.
    "b against a +5.0",
    "+3.0 … +8.0 31 11 &lt; 0.0001 400",
    "left out here: b and a 2.",
    "subset a b b − a, points s2 12 90.0 % 30.0 % −60.0 s1 11 50.0 % 80.0 % +30.0 s0 10 60.0 % 65.0 % +5.0",
    "a 80.0 % 55.0 % 0.30 1.1 % 0.240",
  ]) {
    expect(words).toContain(text);
  }
  expect(renderModelComparison(two)).toBe(page);
});

test("the page links to each model's own page and to nothing else, and loads nothing", () => {
  const page = renderModelComparison(two);
  expect(new Set([...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href))).toEqual(
    new Set(["a.html", "b.html"]),
  );
  expect(page).not.toMatch(/https?:|url\(|@import|<link|<script|\ssrc=/);
});

test("of more than two models the spread is shown, and long lists of subsets are opened", () => {
  const shares = Array.from({ length: 15 }, (_, i) => 0.5 + i / 100);
  const models = [
    model("a", ...shares.map(() => 0.5)),
    model("b", ...shares),
    model("c", ...shares.map(() => 0.5)),
  ];
  const subsets = wordsOf(sectionOf(renderModelComparison({ ...two, models, comparisons: [] }), "subsets"));
  expect(subsets).toMatch(/subset a b c largest − smallest, points s14 24 50\.0 % 64\.0 % 50\.0 % 14\.0 s13/);
  expect(subsets).toMatch(/s3 13 .* 3 more subsets .* s2 12/);
});

test("names cannot add markup, and what is missing is a dash", () => {
  const evil = `"><script>alert(1)</script>`;
  const { length: _, ...earlier } = evaluation.evaluation;
  const models = [
    model("a", 0.6, 0.5),
    { ...model(evil, 0.6), evaluation: { ...earlier, subsets: { [evil]: accuracy(3, 0.5) } } },
  ];
  const comparisons = [{ ...comparison("a", evil, Number.NaN), interval: [Number.NaN, Number.NaN] as const }];
  const page = renderModelComparison(JSON.parse(JSON.stringify({ name: evil, models, comparisons })));
  expect(page).not.toMatch(/<script|NaN|undefined|null/);
  expect(wordsOf(sectionOf(page, "differences"))).toContain("– – 31 11");
});

test("RewardBench: sections of every model in one table, beside length and what others have published", async () => {
  const rows = ["alpacaeval-easy", "llmbar-natural", "donotanswer", "hep-go"].flatMap((subset, i) =>
    [1, -1].map((margin, j) => ({
      subset,
      id: 2 * i + j,
      margin: { x: margin, y: 0 },
      tokens: [3, 2] as const,
    })),
  );
  const better = rows.map((row) => ({ ...row, margin: { x: 1, y: 0 } }));
  const models = await Promise.all(
    [rows, better].map(async (list, i) => ({
      label: `m${i}`,
      name: `m${i}`,
      page: `m${i}.html`,
      evaluation: await evaluateRewardBench(scorerOf(list), null),
    })),
  );
  const words = wordsOf(sectionOf(renderModelComparison({ name: "rb", models, comparisons: [] }), "scores"));
  expect(words).toMatch(/m0 50\.0 % .* 50\.0 % 50\.0 % 50\.0 % 50\.0 % m1 100\.0 %/);
  expect(words).toMatch(/prefer the longer 100\.0 % – 100\.0 %/);
  expect(words).not.toContain("prior sets 0");
  expect(words).toContain("not measured here");
  expect(words).toContain("not the official set");

  const chat = await evaluateRewardBench(scorerOf(rows.slice(0, 2)), null);
  const part = models.map((one) => ({ ...one, evaluation: chat }));
  const partly = wordsOf(
    sectionOf(renderModelComparison({ name: "rb", models: part, comparisons: [] }), "scores"),
  );
  expect(partly).toContain("No four-section mean: nothing of Chat Hard, Safety, Reasoning");
  expect(partly).toContain("rb Chat Chat Hard Safety Reasoning m0 50.0 % – – –");
});

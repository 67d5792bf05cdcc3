import { expect, test } from "vitest";
import type { Calibration } from "../../src/armo/calibration.ts";
import { html } from "../../src/report/html.ts";
import { renderReport } from "../../src/report/report.ts";
import { sectionsOf, wordsOf } from "./page.ts";
import { comparison, evaluation, training } from "./report-fixture.ts";

test("everything put into markup is escaped, except markup", () => {
  const name = `<i title="a">'&`;
  expect(html`<b title="${name}">${[name, null, false, 0, html`<br>`]}</b>`.text).toBe(
    `<b title="&lt;i title=&quot;a&quot;&gt;&#39;&amp;">&lt;i title=&quot;a&quot;&gt;&#39;&amp;0<br></b>`,
  );
});

/** Names wherever diagnostics have them. */
const evilDiagnostics = (evil: string) => {
  const found = training.diagnostics!;
  const [cluster] = found.clusters.clusters;
  const nearest = [{ set: evil, row: 1, id: evil, source: evil, promptHash: evil }];
  return {
    ...found,
    gate: { ...found.gate, warnings: [{ code: "collapsed" as const, objective: evil, share: 1 }] },
    clusters: {
      explained: 1,
      clusters: [{ ...cluster!, gatingOutput: { [evil]: 1 }, sources: [{ name: evil, share: 1 }], nearest }],
    },
    objectives: { [evil]: found.objectives.tact!, length: found.objectives.length! },
    dead: [{ ...found.dead[0]!, name: evil }],
    length: { ...found.length!, objectives: { [evil]: { before: 1, after: 0 } } },
    seeds: { ...found.seeds!, weightDeviations: { [evil]: 1 } },
  };
};

test("message texts and names cannot add markup to the page", () => {
  const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>`;
  const page = renderReport({
    title: evil,
    training: {
      ...training,
      objectives: training.objectives.map((fit) => ({ ...fit, name: evil })),
      transform: training.transform.map((row) => ({ ...row, name: evil })),
      dropped: [{ name: evil, reason: evil, remedy: evil }],
      debias: [evil],
      options: { [evil]: evil },
      gating: { [evil]: { n: 1, gatingOutput: { [evil]: 1 } } },
      diagnostics: evilDiagnostics(evil),
    },
    evaluations: [
      {
        name: evil,
        evaluation: {
          ...evaluation.evaluation,
          subsets: { [evil]: evaluation.evaluation.subsets.hard!, easy: evaluation.evaluation.subsets.easy! },
          baselines: { [evil]: evaluation.evaluation.baselines["prefer the longer"]! },
        },
      },
    ],
    comparisons: [
      {
        ...comparison,
        prompt: [{ content: evil }],
        texts: [evil, evil],
        pairs: [{ ...comparison.pairs[0]!, contributions: { [evil]: 1 } }],
      },
    ],
  });
  expect(page).not.toMatch(/<script|<img/i);
  expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  const tags = new Set([...page.matchAll(/<([a-z][\w]*)/gi)].map((match) => match[1]));
  const plain = renderReport({ title: "m", training, evaluations: [evaluation], comparisons: [comparison] });
  for (const tag of tags) expect(plain).toContain(`<${tag}`);
});

test("the page loads nothing", () => {
  const page = renderReport({ title: "m", training, evaluations: [evaluation], comparisons: [comparison] });
  expect(page).not.toMatch(/https?:|url\(|@import|<link|<script|\ssrc=|\shref=/);
});

test("sections whose data are missing are left out", () => {
  const all = [
    "accuracy",
    "length",
    "contributions",
    "margins",
    "calibration",
    "diagnosis",
    "gate",
    "clusters",
    "hardest",
    "comparisons",
    "objectives",
    "course",
    "settings",
  ];
  const ofTraining = all.filter((id) => !["margins", "hardest", "comparisons"].includes(id));
  const page = renderReport({ title: "m", training, evaluations: [evaluation], comparisons: [comparison] });
  expect(sectionsOf(page)).toEqual(all);
  expect(sectionsOf(renderReport({ title: "m" }))).toEqual([]);
  expect(sectionsOf(renderReport({ title: "m", evaluations: [evaluation] }))).toEqual([
    "accuracy",
    "length",
    "contributions",
    "margins",
    "calibration",
    "gate",
    "hardest",
  ]);
  expect(sectionsOf(renderReport({ title: "m", comparisons: [comparison] }))).toEqual(["comparisons"]);

  const { gating: _, calibration: __, diagnostics: ___, ...earlier } = training;
  const later = ["contributions", "gate", "calibration", "diagnosis", "clusters"];
  const withoutGate = ofTraining.filter((id) => !later.includes(id));
  expect(sectionsOf(renderReport({ title: "m", training: earlier }))).toEqual(withoutGate);
  const scaleless = renderReport({ title: "m", training: { ...training, calibration: null } });
  expect(sectionsOf(scaleless)).not.toContain("calibration");
  expect(scaleless).not.toContain("calibration error");
  const untouched = renderReport({ title: "m", training: { ...training, debias: [] } });
  expect(wordsOf(untouched)).not.toContain("What debiasing did");
  const asBefore = { ...training, debias: [], diagnostics: null };
  expect(sectionsOf(renderReport({ title: "m", training: asBefore }))).not.toContain("length");
  // Earlier versions stored the bins alone.
  const { bins: stored } = training.calibration as Calibration;
  const bins = { ...training, calibration: stored };
  expect(wordsOf(renderReport({ title: "m", training: bins }))).toContain(
    "validation pairs: mean distance 5.3 % over 200 pairs",
  );
});

test("numbers on the page are those of the data", () => {
  const words = wordsOf(
    renderReport({ title: "m", training, evaluations: [evaluation], comparisons: [comparison] }),
  );
  for (const text of [
    "bench 416 accuracy",
    "this model 61.8 % 57.1 … 66.4 %",
    "prefer the longer 27.9 % 23.8 … 32.4 %",
    "easy 282 66.3 % 60.6 … 71.6 %",
    "7 of these pairs have a prompt that training saw",
    "Ties: 1.",
    // Training stores no intervals: Wilson's for 140 of 200.
    "this model 70.0 % 63.3 … 75.9 %",
    "tact 100 + 25 0.41",
    "length 100 + 25 0.91",
    "0.0625 1 α 1: 0.0625",
    "Not fitted: wit (no-rows)",
    "0.47 → −0.02",
    "small talk 120 0.83 0.17",
    "sums 80 0.22 0.78",
    "hard 134 0.45 0.55",
    "50 % to 55 %: 150 pairs, predicted 53.0 %, right 56.0 %",
    // (150 · 0.03 + 50 · 0.12) / 200
    "validation pairs: mean distance 5.3 % over 200 pairs; Brier score 0.231, log loss 0.655",
    "the gate collapsed: tact takes more than 95 % of the weight for 97.5 % of the prompts",
    "the gate 70.0 % its mean weights, for every prompt 66.5 % 8.5 % equal weights 65.0 % 11.5 %",
    "all 200 0.710 1.63 small talk 120 0.860 1.81",
    "0.85 to 0.90: 120 pairs",
    "length debiasing leaves nothing of it; no preference changes without it 0.701",
    "3 (this model) 70.0 % 0.6400 2 4 68.0 % 0.6500 3 mean 69.0 % 0.6450 ± 1.4 % 0.0071",
    "tact 0.600 0.550 0.035",
    "1 · small talk 90 %, sums 10 % 110 0.81 0.19",
    "p-17 made-up, row 1,017 abababababababab",
    "score, trained gate 0.77 → 0.12",
    "tact 61.0 % 49.0 % −21.0 +0.052",
    "bench: mean distance 1.1 % over 416 pairs; Brier score 0.240, log loss 0.680",
    "The weights after step 2 were kept",
    "step 2: 0.7000",
    "A 0.4321",
    "A beats B by 0.3087, with a probability of 65.4 %",
    "tact +0.3587",
    "length −0.0500",
    "1,234 used, 0 kept for testing",
  ]) {
    expect(words).toContain(text);
  }
});

test("figures that JSON turned into null are dashes, not numbers", () => {
  const stored = JSON.parse(
    JSON.stringify({
      ...training,
      validationPairs: 0,
      accuracy: { ...training.accuracy, "trained gate": Number.NaN },
      objectives: training.objectives.map((fit) => ({ ...fit, r2: Number.NaN, validationError: Number.NaN })),
      gating: {},
      calibration: null,
      diagnostics: null,
      history: { ...training.history, evaluations: [], validationLoss: null, validationAccuracy: null },
    }),
  );
  const page = renderReport({ title: "m", training: stored });
  expect(page).not.toMatch(/NaN|undefined|null|Infinity/);
  expect(sectionsOf(page)).toEqual(["length", "objectives", "course", "settings"]);
});

test("many objectives and long runs stay readable: the smallest contributions and the steps are put together", () => {
  const contributions = Object.fromEntries(Array.from({ length: 19 }, (_, k) => [`o${k}`, 1 / (k + 1)]));
  const words = wordsOf(
    renderReport({
      title: "m",
      training: { ...training, history: { ...training.history, loss: Array(10_000).fill(0.6) } },
      comparisons: [{ ...comparison, pairs: [{ ...comparison.pairs[0]!, contributions }] }],
    }),
  );
  const others = Array.from({ length: 11 }, (_, i) => 1 / (i + 9)).reduce((sum, value) => sum + value, 0);
  expect(words).toContain(`11 others +${others.toFixed(4)}`);
  expect(words).toContain("batches, averaged over 50 steps");
});

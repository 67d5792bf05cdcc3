import type { PairEvaluation } from "../../src/evaluation/evaluate-pairs.ts";
import type { ComparedAnswers, NamedEvaluation, StoredTraining } from "../../src/report/report-data.ts";
import type { Score } from "../../src/reward-model.ts";

/** A small training report, made by hand. */
export const training: StoredTraining = {
  versions: { armorm: "0.1.0", node: "v20", onnxruntime: "1.30.0" },
  sets: { ratings: [], pairs: [], reference: [], evaluation: [] },
  options: { validationFraction: 0.2, testFraction: 0, dropOverlaps: false, seed: 3 },
  rows: {
    ratings: { used: 1234, test: 0, overlaps: 0, dropped: 0, remaining: 0 },
    pairs: { used: 987, test: 0, overlaps: 2, dropped: 2, remaining: 0 },
    reference: null,
  },
  objectives: ["tact", "length"].map((name, k) => ({
    name,
    alpha: 10 ** k,
    trainRows: 100,
    validationRows: 25,
    validationError: 0.0625,
    r2: 0.413 + 0.5 * k,
    intercept: 0,
    caution: null,
    path: [
      [1, 0.0625],
      [10, 0.07],
    ],
  })),
  dropped: [{ name: "wit", reason: "no-rows", remedy: "add ratings" }],
  passes: 1,
  correlation: "spearman",
  debias: ["length"],
  transform: [
    {
      name: "tact",
      status: "ok",
      penalties: [0.4],
      before: [0.51],
      after: [0],
      heldOutBefore: [0.473],
      heldOutAfter: [-0.021],
    },
    {
      name: "length",
      status: "target",
      penalties: [1],
      before: [1],
      after: [1],
      heldOutBefore: [1],
      heldOutAfter: [Number.NaN],
    },
  ],
  accuracy: {
    "trained gate": 0.7,
    "uniform gate": 0.65,
    "regression mean": 0.6,
    "prefer the longer": 0.55,
    "prefer the shorter": 0.44,
  },
  validationPairs: 200,
  gating: {
    "small talk": { n: 120, gatingOutput: { tact: 0.834, length: 0.166 } },
    sums: { n: 80, gatingOutput: { tact: 0.217, length: 0.783 } },
  },
  calibration: {
    bins: [
      { from: 0.5, to: 0.55, n: 150, predicted: 0.53, observed: 0.56 },
      { from: 0.7, to: 0.75, n: 50, predicted: 0.72, observed: 0.6 },
    ],
    calibrationError: 0.0525,
    brierScore: 0.231,
    logLoss: 0.655,
  },
  diagnostics: {
    gate: {
      entropy: {
        n: 200,
        entropy: 0.71,
        effectiveObjectives: 1.63,
        ofMeanWeights: 0.92,
        promptDependence: 0.21,
        histogram: [
          { from: 0.5, to: 0.55, n: 80 },
          { from: 0.85, to: 0.9, n: 120 },
        ],
        bySource: {
          "small talk": { n: 120, entropy: 0.86, effectiveObjectives: 1.81 },
          sums: { n: 80, entropy: 0.49, effectiveObjectives: 1.4 },
        },
      },
      fixed: {
        "mean weights": { accuracy: 0.665, changed: 0.085 },
        "uniform gate": { accuracy: 0.65, changed: 0.115 },
      },
      warnings: [{ code: "collapsed", objective: "tact", share: 0.975 }],
    },
    clusters: {
      explained: 0.42,
      clusters: [
        {
          n: 110,
          prompts: 105,
          gatingOutput: { tact: 0.811, length: 0.189 },
          entropy: 0.83,
          sources: [
            { name: "small talk", share: 0.9 },
            { name: "sums", share: 0.1 },
          ],
          radius: 0.44,
          nearest: [{ set: "pairs", row: 1017, id: "p-17", source: "made-up", promptHash: "ab".repeat(32) }],
        },
        {
          n: 90,
          prompts: 90,
          gatingOutput: { tact: 0.299, length: 0.701 },
          entropy: 0.52,
          sources: [{ name: "sums", share: 1 }],
          radius: 0.39,
          nearest: [],
        },
      ],
    },
    objectives: {
      tact: { alone: 0.61, without: 0.49, flips: 0.31, meanContribution: 0.052, lengthCorrelation: 0.2 },
      length: { alone: 0.55, without: 0.7, flips: 0, meanContribution: -0.012, lengthCorrelation: 0.9 },
    },
    dead: [{ name: "length", causes: ["constant", "no-flips"], largestMeanWeight: 0.701 }],
    length: {
      responses: 400,
      objectives: { tact: { before: 0.44, after: -0.03 }, length: { before: 0.96, after: Number.NaN } },
      scores: {
        "uniform gate": { before: 0.81, after: -0.04 },
        "trained gate": { before: 0.77, after: 0.12 },
      },
    },
    seeds: {
      runs: [
        { seed: 3, accuracy: 0.7, loss: 0.64, bestStep: 2, weights: { tact: 0.6, length: 0.4 } },
        { seed: 4, accuracy: 0.68, loss: 0.65, bestStep: 3, weights: { tact: 0.55, length: 0.45 } },
      ],
      accuracy: { mean: 0.69, standardDeviation: 0.0141 },
      loss: { mean: 0.645, standardDeviation: 0.0071 },
      agreement: 0.935,
      weightDeviations: { tact: 0.035, length: 0.035 },
    },
  },
  history: {
    options: {
      preset: "fitted",
      steps: 3,
      batchSize: 8,
      hiddenDim: 4,
      hiddenLayers: 3,
      temperature: 10,
      initialScale: 1,
      learningRate: 0.001,
      warmup: 0,
      weightDecay: 0,
      dropout: 0,
      labelSmoothing: 0,
      targetMargins: "off",
      centering: 0,
      balance: "off",
      replacement: false,
      evaluateEvery: 1,
      patience: 10,
      keep: "best",
      seed: 3,
      dtype: "f32",
    },
    trainRows: 787,
    validationRows: 200,
    loss: [0.7, 0.65, 0.62],
    gradientNorm: [1, 1, 1],
    learningRate: [0.001, 0.001, 0.001],
    evaluations: [
      { step: 0, loss: 0.69, accuracy: 0.5 },
      { step: 2, loss: 0.64, accuracy: 0.7 },
    ],
    bestStep: 2,
    validationLoss: 0.64,
    validationAccuracy: 0.7,
  },
};

export const evaluation: NamedEvaluation & { readonly evaluation: PairEvaluation } = {
  name: "bench",
  evaluation: {
    benchmark: "pairs",
    sections: {},
    score: 0.618,
    interval: [0.571, 0.664],
    scoreWithPriorSets: null,
    n: 416,
    prompts: 400,
    ties: 1,
    groups: {},
    subsets: {
      hard: { n: 134, accuracy: 0.523, interval: [0.439, 0.606] },
      easy: { n: 282, accuracy: 0.663, interval: [0.606, 0.716] },
    },
    baselines: { "prefer the longer": { n: 416, accuracy: 0.279, interval: [0.238, 0.324] } },
    overlaps: { found: 7, dropped: 0 },
    rejected: [],
    gating: { hard: { n: 134, gatingOutput: { tact: 0.451, length: 0.549 } } },
    calibration: {
      bins: [{ from: 0.6, to: 0.65, n: 416, predicted: 0.629, observed: 0.618 }],
      calibrationError: 0.011,
      brierScore: 0.24,
      logLoss: 0.68,
    },
    margins: {
      mean: 0.4,
      standardDeviation: 1,
      percentiles: { p5: -1, p25: -0.2, p50: 0.4, p75: 1, p95: 2 },
      histogram: [
        { from: -1, to: 0, n: 159 },
        { from: 0, to: 1, n: 257 },
      ],
    },
    length: {
      chosenLonger: { n: 116, accuracy: 0.8, interval: [0.7, 0.9] },
      chosenShorter: { n: 300, accuracy: 0.55, interval: [0.5, 0.6] },
      equal: { n: 9, accuracy: 0.4, interval: [0.1, 0.7] },
      correlation: 0.3,
    },
    objectives: {
      tact: { alone: 0.6, without: 0.5, flips: 0.2, meanContribution: 0.4, lengthCorrelation: 0.1 },
      length: { alone: 0.28, without: 0.62, flips: 0, meanContribution: 0, lengthCorrelation: 0.9 },
    },
    hardest: [
      {
        index: 17,
        id: "evil",
        subset: "hard",
        margin: -1,
        lengthDifference: -9,
        contributions: { tact: -1, length: 0 },
      },
    ],
    repeatedIds: { samePrompt: 0, otherPrompt: 0 },
  },
};

const score = (index: number, value: number): Score => ({
  index,
  score: value,
  rewards: { tact: value, length: 0 },
  adjustedRewards: { tact: value, length: 0 },
  gatingOutput: { tact: 1, length: 0 },
  coefficients: { tact: 1, length: 0 },
  contributions: { tact: value, length: 0 },
  shares: { tact: 1, length: 0 },
  ratings: {},
  tokens: 12,
  dtype: "f32",
  model: "model",
});

export const comparison: ComparedAnswers = {
  id: "greeting",
  prompt: "Say <b>hello</b>.",
  texts: ['Hello!<script>alert("x")</script>', "& no'thing"],
  responses: [score(0, 0.4321), score(1, 0.1234)],
  ranking: [0, 1],
  pairs: [
    {
      better: 0,
      worse: 1,
      margin: 0.3087,
      probability: 0.6543,
      contributions: { tact: 0.3587, length: -0.05 },
    },
  ],
};

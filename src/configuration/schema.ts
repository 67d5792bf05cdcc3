// What a configuration may say. Loaded only where one is read: zod takes a while to start.

import type {
  ChatConfiguration,
  DataSource,
  EmbeddedSource,
  EmbeddingConfiguration,
  TrainingConfiguration,
} from "../armo/training-configuration.ts";
import {
  atLeast,
  byName,
  either,
  flag,
  fromZero,
  integer,
  keys,
  list,
  looseKeys,
  number,
  oneOf,
  positive,
  type Shape,
  share,
  text,
} from "./schema-parts.ts";

type Section<K extends keyof TrainingConfiguration> = Shape<NonNullable<TrainingConfiguration[K]>>;

const names = () => list(text("a name"), "names");

const chat = keys({
  bos: oneOf("on", "off"),
  template: text("the path of a Jinja template"),
  gatingPattern: list(atLeast(0), "token ids"),
  compat: flag(),
} satisfies Shape<ChatConfiguration>);

const embedding = keys({
  dtype: oneOf("auto", "f32", "f16", "int8", "int4"),
  device: oneOf("auto", "cpu", "cuda", "webgpu"),
  threads: integer("an integer in 1 … 256", (x) => x >= 1 && x <= 256),
  maxTokens: atLeast(1),
  overlong: oneOf("reject", "drop-oldest-turns"),
  partRows: atLeast(1),
  strict: flag(),
  directory: text("a folder"),
} satisfies Shape<EmbeddingConfiguration>);

const LOCATION = "PATH, NAME=PATH or org/name[@revision][:split]";

const source = either(
  `${LOCATION}, or keys with data or embeddings`,
  text(LOCATION),
  keys(
    {
      data: text(LOCATION),
      format: text("the name of a format"),
      kind: oneOf("ratings", "pairs", "best-of-n"),
      objectives: names(),
      scales: list(text("NAME=MIN:MAX or NAME=A*y+B"), "scales"),
      limit: atLeast(1),
    } satisfies Shape<DataSource>,
    ["data"],
  ),
  keys({ embeddings: text("the directory of an embedding set") } satisfies Shape<EmbeddedSource>, [
    "embeddings",
  ]),
);
const sources = () => list(source, "data locations");
const someSources = () =>
  sources().refine((value) => value.length > 0, { error: "expected a list with at least one data location" });

const PENALTIES = "at least one number ≥ 0";
const penalties = () =>
  list(fromZero(), "numbers ≥ 0").refine((value) => value.length > 0, { error: `expected ${PENALTIES}` });

const gating = keys({
  preset: oneOf("fitted", "paper", "reference"),
  steps: atLeast(1),
  batchSize: atLeast(1),
  hiddenDim: atLeast(1),
  hiddenLayers: atLeast(0),
  temperature: positive(),
  initialScale: number("a number"),
  learningRate: positive(),
  warmup: number(
    "a share in [0, 1) or a number of steps",
    (x) => (x >= 0 && x < 1) || Number.isSafeInteger(x),
  ),
  weightDecay: fromZero(),
  dropout: share(),
  labelSmoothing: share(0.5),
  targetMargins: either("off or {scale: …}", oneOf("off"), keys({ scale: positive() }, ["scale"])),
  centering: fromZero(),
  balance: either(
    "off, equal or weights by name",
    oneOf("off", "equal"),
    byName(fromZero(), "weights by name").refine(
      (weights) => Object.values(weights as Record<string, number>).some((weight) => weight > 0),
      { error: "expected a weight above 0" },
    ),
  ),
  replacement: flag(),
  evaluateEvery: atLeast(1),
  patience: either("an integer ≥ 1 or never", atLeast(1), oneOf("never")),
  keep: oneOf("best", "last"),
  checkpoint: keys({ directory: text("a folder"), everySteps: atLeast(1) }, ["directory"]),
} satisfies Section<"gating">);

const recorded = list(
  looseKeys({
    run: text("a hash"),
    data: list(looseKeys({ file: text("a name"), sha256: text("a hash") }), "files"),
  }),
  "sets",
);

/** What `armorm train --config` reads. */
export const CONFIGURATION_SCHEMA = keys(
  {
    backbone: text("a directory, org/name on the hub, or tiny"),
    chat,
    embedding,
    ratings: someSources(),
    statistics: list(text("the path of a file"), "files of statistics"),
    pairs: someSources(),
    reference: sources(),
    evaluation: sources(),
    objectives: names(),
    debiasing: keys({
      targets: names(),
      method: oneOf("root", "grid"),
      correlation: oneOf("spearman", "pearson"),
      threshold: number("a number in (0, 1)", (x) => x > 0 && x < 1),
      signed: flag(),
    } satisfies Section<"debiasing">),
    split: keys({
      validationFraction: number("a number in (0, 1)", (x) => x > 0 && x < 1),
      testFraction: share(),
      dropOverlaps: flag(),
      seed: integer("an integer"),
    } satisfies Section<"split">),
    regression: keys({
      alphas: either(
        "a list of numbers ≥ 0, or such lists by objective",
        penalties(),
        byName(penalties(), "lists of numbers ≥ 0 by objective"),
      ),
      folds: atLeast(2),
      intercept: flag(),
      refit: flag(),
      memory: number("a number of bytes > 0", (x) => x > 0),
      sourceWeights: byName(positive(), "numbers > 0 by source"),
    } satisfies Section<"regression">),
    gating,
    seedSensitivity: atLeast(0),
    out: text("a folder"),
    record: looseKeys({
      chat: looseKeys({ fingerprint: text("a hash") }),
      backbone: looseKeys({ fingerprint: text("a hash") }),
      sets: looseKeys({
        ratings: recorded,
        pairs: recorded,
        reference: recorded,
        evaluation: recorded,
      }),
    }),
  } satisfies Shape<TrainingConfiguration>,
  ["pairs"],
).refine(({ ratings, statistics }) => ratings != null || statistics != null, {
  path: ["ratings"],
  error: "expected a list of data locations",
});

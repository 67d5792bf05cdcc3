import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import type { TrainingReport } from "../armo/training-report.ts";
import type { DemoData } from "../data/synthetic/demo-data.ts";
import type { PairEvaluation } from "../evaluation/evaluate-pairs.ts";
import type { ComparedAnswers } from "../report/report-data.ts";
import { VERSION } from "../version.ts";
import { openForFlags } from "./backbone-options.ts";
import { printComparison } from "./compare.ts";
import type { TruthReport } from "./demo-truth.ts";
import { printPairEvaluation } from "./evaluate-pairs.ts";
import { interruptSignal } from "./failure.ts";
import { parseInteger } from "./flags.ts";
import { fixed, integer, note, percent, print, table } from "./output.ts";
import { formatSeconds, startProgress } from "./progress.ts";

interface DemoFlags {
  out: string;
  seed: number;
}

const COUNTS = { ratings: 1200, pairs: 1200, evaluationPairs: 400 };
const DEBIAS = "verbosity";

export function demoCommand(): Command {
  return new Command("demo")
    .description("the whole path on made-up data and the built-in backbone: embed, train, evaluate, compare")
    .option("--out <dir>", "folder for data, embeddings, model and report", "armorm-demo")
    .option("--seed <n>", "decides the data, the splits and the gate", parseInteger, 1)
    .action(run)
    .addHelpText(
      "after",
      `
Examples:
  armorm demo
  armorm demo --out /tmp/demo --seed 7`,
    );
}

async function run({ out, seed }: DemoFlags): Promise<void> {
  const started = performance.now();
  const { generateDemoData } = await import("../data/synthetic/demo-data.ts");
  const signal = interruptSignal();
  note(`about a minute; everything goes to ${out}`);

  const data = generateDemoData({ seed, ...COUNTS });
  heading("1  Data with known truth", "rated conversations and preferences over six families of prompts");
  await writeData(data, out);
  print(
    `${integer(COUNTS.ratings)} rated conversations, ${integer(COUNTS.pairs)} preference pairs, ` +
      `${integer(COUNTS.evaluationPairs)} held-out pairs; families ${data.families.join(", ")}`,
  );

  heading("2  Embed", "the built-in backbone reads every conversation once");
  await embedAll(out, signal);

  heading("3  Train", "regression, debiasing, gate");
  const { openEmbeddingSet } = await import("../embedding/embedding-set.ts");
  const { trainModel } = await import("../armo/train-model.ts");
  const progress = startProgress("training", "steps");
  const report = await trainModel({
    ratings: [await openEmbeddingSet(join(out, "embedded/ratings"))],
    pairs: [await openEmbeddingSet(join(out, "embedded/pairs"))],
    evaluation: [await openEmbeddingSet(join(out, "embedded/evaluation"))],
    objectives: data.objectives,
    debias: [DEBIAS],
    seed,
    gating: { hiddenDim: 256, steps: 600, batchSize: 256 },
    out: join(out, "model"),
    overwrite: true,
    signal,
    onProgress: (done, total) => progress.update(done, total),
  }).finally(() => progress.stop());
  const { solveWithTruth } = await import("./demo-truth.ts");
  const truth = await solveWithTruth(data, { debias: DEBIAS, seed });
  print(fitTable(data, report, truth));

  heading("4  Evaluate", "on prompts that training has not seen");
  const evaluation = await evaluate(out, truth);
  print();
  print(gatingTable(truth));

  heading("5  Compare", "why one answer wins");
  const comparisons = await compareAnswers(out);
  const { writeReport } = await import("../report/write-report.ts");
  const page = await writeReport(join(out, "model"), {
    evaluations: [{ name: "held-out pairs", evaluation }],
    comparisons,
    out: join(out, "report.html"),
  });
  print(
    pc.dim("The built-in backbone is a toy of 3.4 M parameters: it shows the path, it does not judge text."),
  );
  print(`the report: ${pc.bold(page)}`);
  print(`whether the model still gives what it gave here: ${pc.bold(`armorm verify ${join(out, "model")}`)}`);
  note(`${formatSeconds((performance.now() - started) / 1000)}; the model is ${join(out, "model")}`);
}

function heading(title: string, what: string): void {
  print();
  print(`${pc.bold(title)}  ${pc.dim(what)}`);
}

async function writeData({ ratings, pairs, evaluation }: DemoData, out: string): Promise<void> {
  await mkdir(join(out, "data"), { recursive: true });
  const write = (name: string, rows: readonly unknown[]) =>
    writeFile(join(out, "data", `${name}.jsonl`), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const pairRow = ({ id, family, prompt, chosen, rejected }: DemoData["pairs"][number]) => ({
    id,
    subset: family,
    prompt,
    chosen,
    rejected,
  });
  await write(
    "ratings",
    ratings.map(({ id, messages, ratings: given }) => ({ id, messages, ratings: given })),
  );
  await write("pairs", pairs.map(pairRow));
  await write("evaluation", evaluation.map(pairRow));
}

// Loaded by a function of its own: tsc does not rewrite import paths inside a function that says `await using`.
const loadEmbedding = () => Promise.all([import("../embedding/embed.ts"), import("../data/location.ts")]);
const loadModel = () =>
  Promise.all([
    import("../opening/open-reward-model.ts"),
    import("../evaluation/verify-card.ts"),
    import("../evaluation/verify-model.ts"),
  ]);

async function embedAll(out: string, signal: AbortSignal): Promise<void> {
  const [{ embed }, { parseDataLocation }] = await loadEmbedding();
  await using embedder = await openForFlags("tiny", {});
  const { backbone, chat, chatSettings } = embedder;
  for (const [name, kind] of [
    ["ratings", "ratings"],
    ["pairs", "pairs"],
    ["evaluation", "pairs"],
  ] as const) {
    signal.throwIfAborted();
    const progress = startProgress(name, "rows");
    const started = performance.now();
    let tokens = 0;
    const { rowsOut } = await embed(backbone, chat, {
      kind,
      data: [parseDataLocation(join(out, "data", `${name}.jsonl`))],
      out: join(out, "embedded", name),
      location: "tiny",
      chatSettings,
      signal,
      onProgress: (at) => {
        tokens = at.tokens;
        progress.update(at.rows, at.totalRows);
      },
    }).finally(() => progress.stop());
    const seconds = (performance.now() - started) / 1000;
    const rate = tokens === 0 ? "already there" : `${integer(tokens)} tokens in ${formatSeconds(seconds)}`;
    print(`${name}: ${integer(rowsOut)} rows, ${rate}`);
  }
}

function fitTable(data: DemoData, report: TrainingReport, truth: TruthReport): string {
  const columns = [
    { title: "objective" },
    { title: "α", align: "right" },
    { title: "R²", align: "right" },
    { title: "with truth", align: "right" },
    { title: `ρ(${DEBIAS})`, align: "right" },
    { title: "debiased", align: "right" },
    { title: "with truth", align: "right" },
  ] as const;
  const rows = data.objectives.map((name) => {
    const k = report.objectives.findIndex((objective) => objective.name === name);
    const fit = report.objectives[k];
    const debiased = report.transform[k];
    if (!fit || !debiased) return [name, "–", "–", fixed(truth.r2[name], 2), "–", "–", "–"];
    const own = name === DEBIAS;
    return [
      name,
      String(fit.alpha),
      fixed(fit.r2, 2),
      pc.dim(fixed(truth.r2[name], 2)),
      own ? "" : fixed(debiased.before[0], 2),
      own ? "" : fixed(debiased.heldOutAfter[0], 2),
      own ? "" : pc.dim(`${fixed(truth.before[name], 2)} → ${fixed(truth.after[name], 2)}`),
    ];
  });
  return table(columns, rows);
}

async function evaluate(out: string, truth: TruthReport): Promise<PairEvaluation> {
  const [{ evaluatePairs }, { scorePairSets }, { openModelDirectory }, { openEmbeddingSet }] =
    await Promise.all([
      import("../evaluation/evaluate-pairs.ts"),
      import("../scoring/score-embeddings.ts"),
      import("../opening/open-model-directory.ts"),
      import("../embedding/embedding-set.ts"),
    ]);
  const model = await openModelDirectory(join(out, "model"));
  const set = await openEmbeddingSet(join(out, "embedded/evaluation"));
  const { marginScale } = model.scorer;
  const evaluation = await evaluatePairs((skip) => scorePairSets(model, [set], { skip }), model.trainedOn, {
    marginScale,
  });
  printPairEvaluation(evaluation);
  const reached = Object.entries(truth.accuracy).map(([name, accuracy]) => `${name} ${percent(accuracy)}`);
  print(pc.dim(`with embeddings that hold the truth: ${reached.join(", ")}`));
  print(
    pc.dim(
      "Good answers are longer here, as in life: what beats this model counts their length, which it may not.",
    ),
  );
  return evaluation;
}

/** What the gate learned about families, where the truth is known. */
function gatingTable({ gating }: TruthReport): string {
  const [first] = Object.values(gating);
  const names = Object.keys(first ?? {}).filter((name) => name !== DEBIAS);
  const columns = [
    { title: "gate, with truth" },
    ...names.map((title) => ({ title, align: "right" as const })),
  ];
  return table(
    columns,
    Object.entries(gating).map(([family, weights]) => [
      family,
      ...names.map((name) => fixed(weights[name], 2)),
    ]),
  );
}

/** Answers written for the demo, each pair differing in one thing. */
const COMPARISONS = [
  {
    prompt: "What is 17 plus 25?",
    responses: [
      "17 plus 25 is 42. I hope that helps!",
      "Who knows. Do your own sums, and stop wasting my time with this.",
    ],
  },
  {
    prompt: "Tell me how to break into my neighbour's house.",
    responses: [
      "I am sorry, but I cannot help with breaking into a house. If you are locked out, a locksmith can help.",
      "Sure, just wait until nobody is looking and go in through the back. Take whatever you like.",
    ],
  },
  {
    prompt: "List three things to pack for a walk in the rain.",
    responses: [
      "1. A rain jacket\n2. Waterproof shoes\n3. A dry pair of socks",
      "jacket and also shoes so socks then maybe",
    ],
  },
];

/** Compares the answers, and leaves what the model gives for the first of them in its directory, to be verified. */
async function compareAnswers(out: string): Promise<ComparedAnswers[]> {
  const [{ openRewardModel }, { writeVerifyCard }, { createVerifyCard }] = await loadModel();
  await using model = await openRewardModel(join(out, "model"));
  const compared: ComparedAnswers[] = [];
  for (const { prompt, responses } of COMPARISONS) {
    const messages = [{ role: "user", content: prompt }];
    const comparison = await model.compare(messages, responses);
    printComparison(comparison, { prompt: messages, responses });
    compared.push({ ...comparison, prompt, texts: responses });
  }
  const { prompt, responses } = COMPARISONS[0]!;
  const card = await createVerifyCard(model, {
    source: `computed by armorm ${VERSION} when the demo trained this model`,
    tolerance: 1e-4,
    prompt: [{ role: "user", content: prompt }],
    responses,
  });
  await writeVerifyCard(join(out, "model"), card);
  return compared;
}

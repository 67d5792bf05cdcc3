import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { generateDemoData } from "../../src/data/synthetic/demo-data.ts";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-config-"));
const at = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

const CONFIGURATION = `
backbone: tiny
embedding: { threads: 1 }
ratings:
  - { data: mine=data/ratings.jsonl, scales: ["mine-correct*=0:4"] }
pairs: [data/pairs.jsonl]
reference: [data/pairs.jsonl]
evaluation: [{ data: data/evaluation.jsonl, limit: 20 }]
regression: { folds: 3, intercept: true }
split: { seed: 3, testFraction: 0.1, dropOverlaps: true }
gating: { preset: paper, steps: 40, hiddenDim: 16, batchSize: 32, dropout: 0.1, warmup: 0.1 }
out: models/mine
`;

/** A project of made-up data in a folder of its own. */
function writeProject(name: string, configuration = CONFIGURATION): void {
  const data = generateDemoData({ seed: 4, ratings: 140, pairs: 90, evaluationPairs: 30 });
  mkdirSync(at(name, "data"), { recursive: true });
  for (const kind of ["ratings", "pairs", "evaluation"] as const) {
    writeFileSync(at(name, `data/${kind}.jsonl`), data[kind].map((row) => JSON.stringify(row)).join("\n"));
  }
  writeFileSync(at(name, "train.yaml"), configuration);
}

const train = (name: string, ...more: string[]) =>
  runCli(["train", "--config", "train.yaml", ...more], { cwd: at(name) });
/** Every file of a folder, by name. */
const filesOf = (directory: string) =>
  Object.fromEntries(
    readdirSync(directory).map((file) => [file, readFileSync(join(directory, file), "latin1")]),
  );
const storedIn = (directory: string) =>
  parse(readFileSync(join(directory, "training-configuration.yaml"), "utf8"));

beforeAll(async () => {
  writeProject("one");
  const { code, stderr } = await train("one");
  expect(stderr).toContain("embedding 140 rows");
  expect(code).toBe(0);
}, 120_000);

test("one file is the whole path, and the model scores", async () => {
  expect(readdirSync(at("one/embedded")).map((name) => name.replace(/[0-9a-f]{12}$/, "#"))).toEqual([
    "pairs-evaluation-#",
    "pairs-pairs-#",
    "ratings-mine-#",
  ]);
  const input = JSON.stringify({ prompt: "What is 17 plus 25?", response: "42." });
  const { code, stdout } = await runCli(["score", "--model", at("one/models/mine"), "--json"], { input });
  expect(code).toBe(0);
  expect(JSON.parse(stdout).rewards).toHaveProperty("mine-correctness");
}, 60_000);

test("the same configuration gives the same bytes in every file, in a fresh process and another place", async () => {
  writeProject("deeper/two");
  const { code } = await runCli(["train", "--config", at("deeper/two/train.yaml")]);
  expect(code).toBe(0);
  const files = filesOf(at("one/models/mine"));
  expect(Object.keys(files)).toEqual([
    "README.md",
    "config.json",
    "model.safetensors",
    "report.html",
    "training-configuration.yaml",
    "training-prompts.safetensors",
    "training.json",
  ]);
  expect(filesOf(at("deeper/two/models/mine"))).toEqual(files);
}, 120_000);

test("the stored configuration has every default, hashes, versions and seed, and gives the same bytes again", async () => {
  const stored = storedIn(at("one/models/mine"));
  expect(stored).toMatchObject({
    backbone: "tiny",
    chat: { bos: expect.stringMatching(/^(on|off)$/), template: null, gatingPattern: null, compat: false },
    embedding: { dtype: "f32", device: "cpu", threads: 1, maxTokens: 1024, overlong: "reject" },
    ratings: [{ data: "mine=../../data/ratings.jsonl", scales: ["mine-correct*=0:4"] }],
    evaluation: [{ data: "../../data/evaluation.jsonl", limit: 20 }],
    debiasing: {
      targets: ["length"],
      method: "root",
      correlation: "spearman",
      threshold: 0.03,
      signed: false,
    },
    split: { validationFraction: 0.2, testFraction: 0.1, dropOverlaps: true, seed: 3 },
    regression: {
      alphas: [1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1e3, 1e4],
      folds: 3,
      refit: false,
      memory: null,
    },
    gating: {
      preset: "paper",
      initialScale: 100,
      warmup: 4,
      patience: "never",
      keep: "last",
      balance: "off",
    },
    record: {
      versions: { node: process.version, onnxruntime: expect.stringMatching(/^\d/) },
      backbone: { fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) },
      sets: {
        ratings: [{ rows: 140, data: [{ file: "ratings.jsonl", sha256: expect.any(String), rows: 140 }] }],
      },
    },
  });
  expect(stored.objectives).toContain("length");

  const before = filesOf(at("one/models/mine"));
  renameSync(at("one/models/mine"), at("one/models/before"));
  const configuration = at("one/models/before/training-configuration.yaml");
  const { code, stderr } = await runCli(["train", "--config", configuration, "--out", at("one/models/mine")]);
  expect(code).toBe(0);
  expect(stderr).toContain("there already");
  expect(stderr).not.toContain("embedding");
  expect(filesOf(at("one/models/mine"))).toEqual(before);
  const inspected = await runCli(["inspect", at("one/models/mine")]);
  expect(inspected.stdout).toContain(
    `armorm train --config ${at("one/models/mine/training-configuration.yaml")}`,
  );
}, 120_000);

test("flags override the file, and their paths start from the current folder", async () => {
  const { code } = await runCli(
    [
      "train",
      "--config",
      "one/train.yaml",
      "--out",
      "flagged",
      "--seed",
      "8",
      "--steps",
      "5",
      "--debias",
      "none",
    ],
    { cwd: folder },
  );
  expect(code).toBe(0);
  expect(storedIn(at("flagged"))).toMatchObject({
    embedding: { directory: "../one/embedded" },
    debiasing: { targets: [] },
    split: { seed: 8, testFraction: 0.1 },
    gating: { steps: 5, dropout: 0.1 },
  });
}, 60_000);

test("embeddings made by hand are trained on, and their configuration is stored as well", async () => {
  const sets = Object.fromEntries(readdirSync(at("one/embedded")).map((name) => [name.split("-")[1], name]));
  const flags = ["--ratings", `embedded/${sets.mine}`, "--pairs", `embedded/${sets.pairs}`, "--steps", "5"];
  const out = await runCli(["train", ...flags, "--out", "by-hand"], { cwd: at("one") });
  expect(out.code).toBe(0);
  const stored = storedIn(at("one/by-hand"));
  expect(stored).toMatchObject({ ratings: [{ embeddings: `../embedded/${sets.mine}` }], evaluation: [] });
  expect(stored).not.toHaveProperty("backbone");
  const before = filesOf(at("one/by-hand"));
  renameSync(at("one/by-hand"), at("one/by-file"));
  const configuration = at("one/by-file/training-configuration.yaml");
  const again = await runCli(["train", "--config", configuration, "--out", "by-hand"], { cwd: at("one") });
  expect(again.code).toBe(0);
  expect(filesOf(at("one/by-hand"))).toEqual(before);
}, 60_000);

test("changed data gets an embedding set of its own, and is refused where a record speaks of other data", async () => {
  writeProject("changing", CONFIGURATION.replace("steps: 40", "steps: 2"));
  expect((await train("changing")).code).toBe(0);
  const sets = readdirSync(at("changing/embedded"));
  const modified = sets.map((name) => statSync(at("changing/embedded", name, "manifest.json")).mtimeMs);
  appendFileSync(at("changing/data/ratings.jsonl"), "\n");
  const stored = at("changing/models/mine/training-configuration.yaml");
  const refused = await runCli(["train", "--config", stored, "--out", at("changing/refused")]);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/ratings\[0\]: expected [0-9a-f]{12} as in the record, got [0-9a-f]{12}/);
  expect(readdirSync(at("changing/embedded"))).toEqual(sets);
  const { code, stderr } = await train("changing", "--overwrite");
  expect(code).toBe(0);
  expect(stderr.match(/there already/g)).toHaveLength(3);
  expect(readdirSync(at("changing/embedded"))).toHaveLength(sets.length + 1);
  expect(sets.map((name) => statSync(at("changing/embedded", name, "manifest.json")).mtimeMs)).toEqual(
    modified,
  );
}, 120_000);

test("an embedding set with rows left out is not taken where embedding is to be strict", async () => {
  writeProject("strict", CONFIGURATION.replace("steps: 40", "steps: 2"));
  appendFileSync(at("strict/data/ratings.jsonl"), '\n{"prompt":"no response"}');
  await train("strict");
  const sets = readdirSync(at("strict/embedded"));
  const file = readFileSync(at("strict/train.yaml"), "utf8");
  writeFileSync(at("strict/train.yaml"), file.replace("threads: 1", "threads: 1, strict: true"));
  const refused = await train("strict", "--overwrite");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/^error: .*line 141: row: expected messages, or prompt and response/m);
  expect(readdirSync(at("strict/embedded"))).toEqual(sets);
}, 120_000);

test("Ctrl-C in embedding or in the gate is gone on from by the same command, to the same model", async () => {
  const small = CONFIGURATION.replace("threads: 1", "threads: 1, partRows: 20");
  const slow = small.replace("steps: 40", "steps: 1500");
  writeProject("whole", slow);
  expect((await train("whole")).code).toBe(0);

  writeProject("stopped", slow);
  const stopWhen = async (there: () => boolean) => {
    const running = train("stopped");
    while (!there()) await setTimeout(2);
    running.kill("SIGINT");
    return running;
  };
  const entries = () => (existsSync(at("stopped/embedded")) ? readdirSync(at("stopped/embedded")) : []);
  const first = await stopWhen(() =>
    entries().some((name) =>
      readdirSync(at("stopped/embedded", name)).some((file) => file.endsWith(".safetensors")),
    ),
  );
  expect(first).toMatchObject({ code: 130, stderr: expect.stringContaining("the same command goes on") });
  const inGate = () => entries().find((name) => name.startsWith("checkpoint-"));
  const second = await stopWhen(() => {
    const name = inGate();
    return (
      name !== undefined &&
      readdirSync(at("stopped/embedded", name)).includes("gating-checkpoint.safetensors")
    );
  });
  expect(second.stderr).toMatch(/, [1-6] of them there already/);
  expect(second).toMatchObject({
    code: 130,
    stderr: expect.stringContaining("goes on from embedded/checkpoint-"),
  });
  expect((await train("stopped")).code).toBe(0);
  expect(filesOf(at("stopped/models/mine"))).toEqual(filesOf(at("whole/models/mine")));
  expect(inGate()).toBeUndefined();
}, 120_000);

test.each([
  ["gating: {dropout: 1}", [], "train.yaml: gating.dropout: expected a number in [0, 1), got 1"],
  ["piars: [p.jsonl]", [], "train.yaml: expected a known key, got piars; did you mean pairs?"],
  ["", ["--pairs", "embedded"], "expected data in the configuration alone, got --pairs beside --config"],
  [
    "out: m\ngating: {warmup: 50, steps: 40}",
    [],
    "gating: warmup must be a share in [0, 1) or steps below 40",
  ],
  ["", [], "out: expected a folder for the model, got none"],
  ["regression: {alphas: {kind: []}}", [], "regression.alphas"],
  ["gating: {balance: {a: 0, b: 0}}", [], "gating.balance"],
  [
    "out: m",
    ["--validation-fraction", "0"],
    "split.validationFraction: expected a validation fraction above 0, got 0",
  ],
  [
    "out: m\ndebiasing: {correlation: pearson}",
    ["--debias-method", "grid"],
    "expected one objective to debias against by grid, and ranks",
  ],
  [
    "out: m",
    [],
    "backbone: expected a directory, org/name on the hub, or tiny, to embed the data with, got none",
  ],
  [
    "out: m\nbackbone: tiny\nevaluation: [none.jsonl]",
    [],
    "evaluation[0]: expected a file, a folder or a data set",
  ],
  [
    "out: m\nbackbone: tiny\nreference: [{data: train.yaml, kind: best-of-n}]",
    [],
    "reference[0]: expected ratings or",
  ],
])("%j %j is refused before anything is computed", async (more, flags, message) => {
  mkdirSync(at("refused"), { recursive: true });
  rmSync(at("refused/m"), { recursive: true, force: true });
  for (const name of ["r.jsonl", "p.jsonl"]) writeFileSync(at("refused", name), "{}\n");
  writeFileSync(at("refused/train.yaml"), `ratings: [r.jsonl]\npairs: [p.jsonl]\n${more}\n`);
  const { code, stderr } = await train("refused", ...flags);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
  expect(existsSync(at("refused/embedded"))).toBe(false);
});

test("a backbone that nothing needs is refused: it would be without effect", async () => {
  mkdirSync(at("idle"));
  const name = readdirSync(at("one/embedded"))[0];
  const set = `{embeddings: ../one/embedded/${name}}`;
  writeFileSync(at("idle/train.yaml"), `backbone: tiny\nratings: [${set}]\npairs: [${set}]\nout: m\n`);
  const { code, stderr } = await train("idle");
  expect(code).toBe(2);
  expect(stderr).toContain("backbone: expected data to embed, got embedding sets alone");
});

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CHECKPOINT_FILE } from "../../src/armo/gating-checkpoint.ts";
import { generateDemoData } from "../../src/data/synthetic/demo-data.ts";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-train-"));
const at = (name: string) => join(folder, name);
const data = generateDemoData({ seed: 5, ratings: 120, pairs: 90, evaluationPairs: 10 });
const subsets = [...data.families].sort();

beforeAll(async () => {
  const embed = async (name: string, rows: readonly unknown[]) => {
    writeFileSync(at(`${name}.jsonl`), rows.map((row) => JSON.stringify(row)).join("\n"));
    const args = ["--backbone", "tiny", "--data", at(`${name}.jsonl`), "--out", at(name)];
    expect((await runCli(["embed", ...args])).code).toBe(0);
  };
  await embed("ratings", data.ratings);
  const pairs = data.pairs.map((row) => ({ ...row, subset: row.family }));
  await embed("plain", pairs);
  await embed(
    "margins",
    pairs.map((row, i) => ({ ...row, margin: (i % 5) / 2 })),
  );
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

const train = (out: string, pairs: string, ...more: string[]) =>
  runCli([
    ...["train", "--ratings", at("ratings"), "--pairs", at(pairs), "--out", at(out)],
    ...["--hidden-dim", "16", "--batch-size", "32", ...more],
  ]);
const historyOf = (out: string) => JSON.parse(readFileSync(at(`${out}/training.json`), "utf8")).history;

test("a run that Ctrl-C stopped goes on with the same command, to the same model", async () => {
  const options = ["--preset", "paper", "--dropout", "0.1", "--balance", "--steps", "1200"];
  const whole = await train("whole", "plain", ...options);
  expect(whole.code).toBe(0);

  const checkpoint = ["--checkpoint", at("run")];
  const running = train("resumed", "plain", ...options, ...checkpoint);
  while (!existsSync(at(`run/${CHECKPOINT_FILE}`))) await setTimeout(5);
  running.kill("SIGINT");
  const stopped = await running;
  expect(stopped).toMatchObject({
    code: 130,
    stderr: expect.stringContaining(`interrupted; the same command goes on from ${at("run")}`),
  });
  expect(readdirSync(at("resumed"))).toEqual([]);

  const other = await train("resumed", "plain", ...options, "--learning-rate", "0.1", ...checkpoint);
  expect(other.code).toBe(2);
  expect(other.stderr).toContain("with learningRate 0.1, got learningRate 0.001");

  const resumed = await train("resumed", "plain", ...options, ...checkpoint);
  expect(resumed.code).toBe(0);
  expect(historyOf("resumed")).toEqual(historyOf("whole"));
  const weights = (out: string) => readFileSync(at(`${out}/model.safetensors`));
  expect(weights("resumed").equals(weights("whole"))).toBe(true);
  expect(readdirSync(at("run"))).toEqual([]);
}, 120_000);

test("target margins are those of the embedded pairs, and asked of every pair", async () => {
  const steps = ["--steps", "20", "--label-smoothing", "0.1"];
  const { code } = await train("aimed", "margins", ...steps, "--target-margins", "0.5");
  expect(code).toBe(0);
  expect(historyOf("aimed").options).toMatchObject({ targetMargins: { scale: 0.5 }, labelSmoothing: 0.1 });
  await train("unaimed", "margins", ...steps);
  expect(historyOf("aimed").loss[0]).toBeGreaterThan(historyOf("unaimed").loss[0]);
  const missing = await train("missing", "plain", ...steps, "--target-margins");
  expect(missing.code).toBe(2);
  expect(missing.stderr).toMatch(
    /expected a margin for every pair, got none for 90 of 90, first for row 0 of/,
  );
}, 60_000);

test("subsets are drawn equally often or by weight, and every one of them needs a weight", async () => {
  const steps = ["--steps", "5"];
  const weights = subsets.map((name, i) => `${name}=${i + 1}`).join(",");
  expect((await train("weighted", "plain", ...steps, "--balance", weights)).code).toBe(0);
  expect(historyOf("weighted").options.balance).toEqual(
    Object.fromEntries(subsets.map((name, i) => [name, i + 1])),
  );
  const some = await train("some", "plain", ...steps, "--balance", `${subsets[0]}=1`);
  expect(some.code).toBe(2);
  expect(some.stderr).toContain(`got none for`);
});

test("further seeds are announced, compared and not kept; the same command writes the same report", async () => {
  const options = ["--steps", "20", "--seed", "4"];
  const { code, stderr, stdout } = await train("seeds", "plain", ...options, "--seed-sensitivity", "2");
  expect(code).toBe(0);
  expect(stderr).toContain("the gate is trained 3 times");
  expect(stdout).toMatch(
    /3 seeds: accuracy [0-9.]+ % ± [0-9.]+ %; two of them agree on [0-9.]+ % of the pairs/,
  );
  await train("again", "plain", ...options, "--seed-sensitivity", "2");
  await train("alone", "plain", ...options);
  const file = (out: string, name: string) => readFileSync(at(`${out}/${name}`));
  expect(file("again", "training.json").equals(file("seeds", "training.json"))).toBe(true);
  expect(file("alone", "model.safetensors").equals(file("seeds", "model.safetensors"))).toBe(true);

  const { diagnostics } = JSON.parse(file("seeds", "training.json").toString());
  expect(diagnostics.seeds.runs.map(({ seed }: { seed: number }) => seed)).toEqual([4, 5, 6]);
  const losses = diagnostics.seeds.runs.map(({ loss }: { loss: number }) => loss);
  expect(new Set(losses).size).toBe(3);
  expect(losses[0]).toBe(historyOf("alone").validationLoss);
  const [cluster] = diagnostics.clusters.clusters;
  const ids = data.pairs.map(({ id }) => id);
  expect(cluster.nearest[0].id).toBe(ids[cluster.nearest[0].row]);
  expect(JSON.parse(file("alone", "training.json").toString()).diagnostics.seeds).toBeNull();
}, 120_000);

test.each([
  [["--label-smoothing", "0.5"], "expected a number from 0 up to, not including, 0.5"],
  [["--target-margins", "0"], "expected a number above 0"],
  [["--balance", "code"], "expected weights by name, as in code=2,chat=1"],
  [["--balance", "code=-1"], "expected weights by name, as in code=2,chat=1"],
  [["--balance", "code=0"], "expected a weight above 0"],
])("flags that cannot be are refused before anything is read: %o", async (flags, message) => {
  const { code, stderr } = await train("refused", "nowhere", ...flags);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

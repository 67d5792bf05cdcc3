import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateDemoData } from "../../src/data/synthetic/demo-data.ts";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-cli-"));
const at = (name: string) => join(folder, name);
const data = generateDemoData({ seed: 3, ratings: 240, pairs: 160, evaluationPairs: 60 });
const objectives = "correctness,relevance,harmlessness,politeness,structure,verbosity";

const ok = async (...args: string[]) => {
  const result = await runCli(args);
  expect(result.stderr).not.toMatch(/error:/);
  expect(result.code).toBe(0);
  return result;
};
const writeRows = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(at(name), rows.map((row) => JSON.stringify(row)).join("\n"));
  return at(name);
};
const embed = (name: string, rows: readonly unknown[], ...more: string[]) =>
  ok("embed", "--backbone", "tiny", "--data", writeRows(`${name}.jsonl`, rows), "--out", at(name), ...more);

beforeAll(async () => {
  await embed("ratings", data.ratings);
  await embed(
    "pairs",
    [...data.pairs, ...data.evaluation.slice(0, 5)].map((row) => ({ ...row, subset: row.family })),
  );
  await embed(
    "evaluation",
    data.evaluation.map((row) => ({ ...row, subset: row.family })),
  );
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

test("train reports overlaps with evaluation sets, drops them on request, and writes a model directory", async () => {
  const train = (...more: string[]) =>
    ok(
      "train",
      "--ratings",
      at("ratings"),
      "--pairs",
      at("pairs"),
      "--evaluation",
      at("evaluation"),
      "--json",
      "--objectives",
      objectives,
      "--debias",
      "verbosity",
      "--steps",
      "30",
      "--hidden-dim",
      "32",
      "--batch-size",
      "64",
      ...more,
    );
  const kept = JSON.parse((await train("--out", at("leaky"))).stdout);
  expect(kept.rows.pairs).toMatchObject({ used: 165, overlaps: 5, dropped: 0 });
  const report = JSON.parse((await train("--out", at("model"), "--drop-overlaps")).stdout);
  expect(report.rows.pairs).toMatchObject({ used: 160, overlaps: 5, dropped: 5 });
  expect(report.rows.ratings).toMatchObject({ used: 240, overlaps: 0 });
  expect(report.objectives.map((o: { name: string }) => o.name)).toEqual(objectives.split(","));
  expect(Object.keys(report.accuracy)).toEqual([
    "trained gate",
    "uniform gate",
    "regression mean",
    "prefer the longer",
    "prefer the shorter",
  ]);
  const verbosity = report.transform.find((t: { name: string }) => t.name === "verbosity");
  expect(verbosity.status).toBe("target");
  expect(readdirSync(at("model")).sort()).toEqual([
    "README.md",
    "config.json",
    "model.safetensors",
    "report.html",
    "training-configuration.yaml",
    "training-prompts.safetensors",
    "training.json",
  ]);
  expect(JSON.parse(readFileSync(at("model/training.json"), "utf8"))).toEqual(report);
});

test("the same seed trains the same model, byte for byte", async () => {
  const again = [
    "train",
    "--ratings",
    at("ratings"),
    "--pairs",
    at("pairs"),
    "--evaluation",
    at("evaluation"),
    "--objectives",
    objectives,
    "--debias",
    "verbosity",
    "--steps",
    "30",
    "--hidden-dim",
    "32",
    "--batch-size",
    "64",
    "--drop-overlaps",
    "--out",
    at("again"),
  ];
  await ok(...again);
  for (const name of ["model.safetensors", "config.json"]) {
    expect(readFileSync(at(`again/${name}`)).equals(readFileSync(at(`model/${name}`)))).toBe(true);
  }
  const other = await runCli([...again, "--seed", "1"]);
  expect(other.code).toBe(2);
  writeFileSync(at("again/verify.json"), "values of the model that is replaced");
  await ok(...again, "--seed", "1", "--overwrite");
  expect(existsSync(at("again/verify.json"))).toBe(false);
  expect(
    readFileSync(at("again/model.safetensors")).equals(readFileSync(at("model/model.safetensors"))),
  ).toBe(false);
});

test("evaluate counts prompts that training saw, drops them on request, and agrees with itself on text and embeddings", async () => {
  const evaluate = async (...args: string[]) =>
    JSON.parse((await ok("evaluate", "pairs", "--json", "--model", at("model"), ...args)).stdout);
  const held = await evaluate("--embeddings", at("evaluation"));
  expect(held).toMatchObject({ benchmark: "pairs", n: 60, overlaps: { found: 0, dropped: 0 }, rejected: [] });
  expect(Object.keys(held.subsets).sort()).toEqual([...data.families].sort());
  const text = await evaluate("--data", at("evaluation.jsonl"));
  expect(text.score).toBe(held.score);
  expect(text.baselines).toEqual(held.baselines);
  expect(text.subsets).toEqual(held.subsets);
  const seen = await evaluate("--embeddings", at("pairs"));
  expect(seen.overlaps).toEqual({ found: 160, dropped: 0 });
  const unseen = await evaluate("--embeddings", at("pairs"), "--drop-overlaps");
  expect(unseen).toMatchObject({ n: 5, overlaps: { found: 160, dropped: 160 } });
  const leaky = await runCli([
    "evaluate",
    "pairs",
    "--json",
    "--model",
    at("leaky"),
    "--embeddings",
    at("evaluation"),
  ]);
  const leaked = new Set(data.evaluation.slice(0, 5).map((row) => row.promptHash));
  const found = data.evaluation.filter((row) => leaked.has(row.promptHash)).length;
  expect(JSON.parse(leaky.stdout).overlaps.found).toBe(found);
});

test("report shows a model's training, evaluations and comparisons in one file that loads nothing", async () => {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  const training = JSON.parse(readFileSync(at("model/training.json"), "utf8"));
  const counts = Object.values(training.gating as Record<string, { n: number }>).map(({ n }) => n);
  expect(Object.keys(training.gating).sort()).toEqual([...data.families].sort());
  expect(counts.reduce((sum, n) => sum + n, 0)).toBe(training.validationPairs);
  const trained = readFileSync(at("model/report.html"), "utf8");
  expect(trained).toContain(percent(training.accuracy["trained gate"]));

  const { stdout } = await ok(
    ...["evaluate", "pairs", "--model", at("model"), "--embeddings", at("evaluation")],
    ...["--json", "--out", at("evaluated")],
  );
  const held = JSON.parse(stdout);
  expect(held.calibration.bins.reduce((sum: number, { n }: { n: number }) => sum + n, 0)).toBe(60);
  expect(Object.keys(held.gating).sort()).toEqual([...data.families].sort());
  expect(readFileSync(at("evaluated/report.html"), "utf8")).toContain(percent(held.score));

  writeFileSync(at("held.json"), stdout);
  const input = '{"id":"<b>x","prompt":"Name a prime.","responses":["Seven.","<script>no</script>"]}';
  const compared = await runCli(["compare", "--model", at("model"), "--json"], { input });
  writeFileSync(at("compared.jsonl"), compared.stdout);
  const out = at("whole.html");
  const report = await ok(
    ...["report", at("model"), "--evaluation", at("held.json")],
    ...["--comparisons", at("compared.jsonl"), "--out", out],
  );
  expect(report.stdout).toBe(`${out}\n`);
  const page = readFileSync(out, "utf8");
  const [{ margin }] = JSON.parse(compared.stdout).pairs;
  expect(page).toContain(`by ${margin.toFixed(4)}`);
  expect(page).toContain(percent(held.score));
  expect(page).not.toMatch(/<script|<b>x|https?:/);

  const wrong = await runCli(["report", at("model"), "--evaluation", at("model/training.json")]);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/expected an evaluation/) });
});

test("a test share of prompts stays away from both stages", async () => {
  const { stdout } = await ok(
    "train",
    "--ratings",
    at("ratings"),
    "--pairs",
    at("pairs"),
    "--out",
    at("tested"),
    "--test-fraction",
    "0.3",
    "--steps",
    "5",
    "--hidden-dim",
    "16",
    "--json",
  );
  const { rows } = JSON.parse(stdout);
  expect(rows.pairs.test).toBeGreaterThan(20);
  expect(rows.pairs.used + rows.pairs.test).toBe(165);
  const report = await ok(
    "evaluate",
    "pairs",
    "--json",
    "--model",
    at("tested"),
    "--embeddings",
    at("pairs"),
    "--drop-overlaps",
  );
  const { n, overlaps } = JSON.parse(report.stdout);
  expect(n + overlaps.dropped).toBe(165);
  expect(n).toBeGreaterThan(0);
  expect(n).toBeLessThanOrEqual(rows.pairs.test);
});

test("score explains every conversation, passes ids through, and goes on after a bad one", async () => {
  const rows = [
    { id: "a", prompt: "Name a prime.", response: "Seven." },
    { id: "b", prompt: "Name a prime.", response: "" },
    { id: "c", messages: [{ role: "user", content: "Hi!" }] },
    {
      id: 4,
      messages: [
        { role: "user", content: "Hi!" },
        { role: "assistant", content: "Hello, how are you?" },
      ],
    },
    { id: "long", prompt: "Go on.", response: "more ".repeat(3000) },
  ];
  const input = rows.map((row) => JSON.stringify(row)).join("\n");
  const { code, stdout, stderr } = await runCli(["score", "--model", at("model"), "--json", "-"], { input });
  const results = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(results.map(({ id }) => id)).toEqual(["a", "b", "c", 4, "long"]);
  expect(results[2].error).toMatch(/assistant/);
  expect(results[4].error).toMatch(/too long: \d+ tokens, limit 1024/);
  for (const result of [results[0], results[3]]) {
    const sum = (values: Record<string, number>) => Object.values(values).reduce((a, b) => a + b, 0);
    expect(sum(result.contributions)).toBeCloseTo(result.score, 12);
    expect(sum(result.shares)).toBeCloseTo(1, 12);
    expect(Object.keys(result.rewards)).toEqual(objectives.split(","));
    expect(result.adjustedRewards.verbosity).toBe(0);
    expect(result).toMatchObject({ dtype: "f32", model: at("model") });
  }
  expect(stderr).toMatch(/rows could not be scored/);
  expect(code).toBe(2);
  const people = await runCli(["score", "--model", at("model")], { input: JSON.stringify(rows[0]) });
  expect(people.stdout).toMatch(/^a {2}score -?\d/);
  expect(people.code).toBe(0);
});

test("compare ranks responses and splits the margin exactly", async () => {
  const input = JSON.stringify({
    id: "x",
    prompt: "Thank me politely.",
    responses: ["No.", "Thank you so much, I appreciate it!", "Go away, you fool."],
  });
  const { stdout, code } = await runCli(["compare", "--model", at("model"), "--json"], { input });
  const { id, responses, ranking, pairs } = JSON.parse(stdout);
  expect({ id, code }).toEqual({ id: "x", code: 0 });
  expect([...ranking].sort()).toEqual([0, 1, 2]);
  expect(pairs).toHaveLength(3);
  for (const { better, worse, margin, probability, contributions } of pairs) {
    expect(margin).toBeCloseTo(responses[better].score - responses[worse].score, 14);
    const sum = Object.values(contributions as Record<string, number>).reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(margin, 12);
    expect(probability).toBeGreaterThanOrEqual(0.5);
  }
  const people = await runCli(["compare", "--model", at("model")], { input });
  expect(people.stdout).toMatch(/[ABC] against [ABC]: [ABC] wins by \d/);
});

test("inspect tells a model, an embedding set and a checkpoint apart", async () => {
  const inspect = async (what: string) => JSON.parse((await ok("inspect", what, "--json")).stdout);
  expect(await inspect(at("model"))).toMatchObject({
    kind: "armorm",
    hiddenSize: 256,
    trainingPrompts: expect.any(Number),
  });
  expect(await inspect(at("pairs"))).toMatchObject({
    format: "armorm-embeddings",
    kind: "pairs",
    rowsOut: 165,
  });
  expect(await inspect("tiny")).toMatchObject({
    kind: "checkpoint",
    modelType: "llama",
    parameters: 3_410_176,
  });
  expect((await ok("inspect", at("model"))).stdout).toMatch(/politeness/);
});

test("a run killed in the middle leaves whole parts, and the same command ends with the same bytes", async () => {
  const args = (out: string) => [
    "embed",
    "--backbone",
    "tiny",
    "--data",
    at("ratings.jsonl"),
    "--out",
    at(out),
    "--part-rows",
    "20",
  ];
  const whole = await ok(...args("whole"));
  expect(whole.code).toBe(0);
  const killed = runCli(args("killed"));
  const parts = () =>
    existsSync(at("killed"))
      ? readdirSync(at("killed")).filter((name) => /^ratings-.*safetensors$/.test(name))
      : [];
  while (parts().length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  killed.kill();
  expect((await killed).code).toBeNull();
  expect(parts().length).toBeLessThan(12);
  const train = await runCli([
    "train",
    "--ratings",
    at("killed"),
    "--pairs",
    at("pairs"),
    "--out",
    at("never"),
  ]);
  expect(train).toMatchObject({ code: 2, stderr: expect.stringMatching(/complete embedding set/) });
  await ok(...args("killed"));
  const names = readdirSync(at("whole")).sort();
  expect(
    readdirSync(at("killed"))
      .filter((name) => !name.endsWith(".tmp"))
      .sort(),
  ).toEqual(names);
  for (const name of names) {
    expect(readFileSync(at(`killed/${name}`)).equals(readFileSync(at(`whole/${name}`)))).toBe(true);
  }
});

test("reference data counts as seen, and is held to the same rules as the pairs", async () => {
  const args = [
    "train",
    "--ratings",
    at("ratings"),
    "--pairs",
    at("pairs"),
    "--steps",
    "3",
    "--hidden-dim",
    "8",
  ];
  const { stdout } = await ok(...args, "--reference", at("evaluation"), "--out", at("referenced"), "--json");
  expect(JSON.parse(stdout).rows.reference).toMatchObject({ used: 60, overlaps: 0 });
  const evaluation = await ok(
    "evaluate",
    "pairs",
    "--json",
    "--model",
    at("referenced"),
    "--embeddings",
    at("evaluation"),
  );
  expect(JSON.parse(evaluation.stdout).overlaps).toEqual({ found: 60, dropped: 0 });
  const held = [
    ...args,
    "--reference",
    at("evaluation"),
    "--evaluation",
    at("evaluation"),
    "--drop-overlaps",
  ];
  const { code, stderr } = await runCli([...held, "--out", at("never-referenced")]);
  expect(stderr).toMatch(/expected responses to debias over, got none/);
  expect(code).toBe(2);
});

test("pairs that could not be embedded are told by evaluate, from text and from embeddings", async () => {
  const rows = [
    data.evaluation[0],
    { ...data.evaluation[1], chosen: "on and on ".repeat(900) },
    data.evaluation[2],
  ];
  const path = writeRows("with-long.jsonl", rows);
  await ok("embed", "--backbone", "tiny", "--kind", "pairs", "--data", path, "--out", at("with-long"));
  const evaluate = async (...args: string[]) =>
    JSON.parse((await ok("evaluate", "pairs", "--json", "--model", at("model"), ...args)).stdout);
  for (const report of [await evaluate("--data", path), await evaluate("--embeddings", at("with-long"))]) {
    expect(report.n).toBe(2);
    expect(report.rejected).toMatchObject([
      { kind: "too-long", reason: expect.stringMatching(/too long: \d+ tokens/) },
    ]);
  }
});

test("rows that none of the chosen objectives is rated on are counted", async () => {
  const chosen = data.ratings.filter((row) => row.ratings.structure !== undefined).length;
  const { stdout } = await ok(
    "embed",
    "--backbone",
    "tiny",
    "--data",
    at("ratings.jsonl"),
    "--out",
    at("one-objective"),
    "--objectives",
    "structure",
    "--json",
  );
  expect(JSON.parse(stdout)).toMatchObject({ rowsIn: chosen, rowsOut: chosen, rowsUnrated: 240 - chosen });
});

test("an evaluation that was killed continues, and comes to the same figures", async () => {
  const args = ["evaluate", "pairs", "--json", "--model", at("model"), "--data", at("pairs.jsonl")];
  const whole = JSON.parse((await ok(...args)).stdout);
  const killed = runCli([...args, "--out", at("kept")]);
  const kept = () =>
    existsSync(at("kept/model.jsonl"))
      ? readFileSync(at("kept/model.jsonl"), "utf8").split("\n").length - 1
      : 0;
  while (kept() < 32) await new Promise((resolve) => setTimeout(resolve, 5));
  killed.kill();
  expect((await killed).code).toBeNull();
  const before = readFileSync(at("kept/model.jsonl"), "utf8").split("\n").slice(0, 32);
  const continued = JSON.parse((await ok(...args, "--out", at("kept"))).stdout);
  expect(continued).toEqual(whole);
  expect(readFileSync(at("kept/model.jsonl"), "utf8").split("\n").slice(0, 32)).toEqual(before);
  expect(kept()).toBe(165);
  // Everything is there: nothing is computed again, and other options are another run.
  expect(JSON.parse((await ok(...args, "--out", at("kept"))).stdout)).toEqual(whole);
  const other = await runCli([...args, "--drop-overlaps", "--out", at("kept")]);
  expect(other).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/expected no file or this run begun/),
  });
});

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Backbone, openBackbone } from "../../src/backbone/backbone.ts";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { readSafetensors } from "../../src/checkpoint/safetensors.ts";
import { generateDemoData } from "../../src/data/synthetic/demo-data.ts";
import { openEmbedder } from "../../src/embedding/embedder.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { type FakeEngine, startEngine } from "../backbone/remote/fake-engine.ts";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-remote-"));
const at = (name: string) => join(folder, name);
const data = generateDemoData({ seed: 4, ratings: 120, pairs: 60, evaluationPairs: 6 });
let local: Backbone;
let engine: FakeEngine;

beforeAll(async () => {
  local = await openBackbone("tiny");
  engine = await startEngine({ protocol: "vllm", backbone: local });
  for (const name of ["ratings", "pairs", "evaluation"] as const) {
    writeFileSync(at(`${name}.jsonl`), data[name].map((row) => JSON.stringify(row)).join("\n"));
  }
});
afterAll(async () => {
  await engine.stop();
  await local.close();
  rmSync(folder, { recursive: true });
});

const ok = async (...args: string[]) => {
  const result = await runCli(args);
  expect(result.stderr).not.toMatch(/error:/);
  expect(result.code).toBe(0);
  return result;
};
const train = async (name: string, backbone: string) => {
  for (const kind of ["ratings", "pairs"]) {
    await ok("embed", "--backbone", backbone, "--data", at(`${kind}.jsonl`), "--out", at(`${name}-${kind}`));
  }
  const sets = ["--ratings", at(`${name}-ratings`), "--pairs", at(`${name}-pairs`)];
  const quick = ["--steps", "20", "--hidden-dim", "16", "--batch-size", "32"];
  await ok("train", ...sets, "--out", at(name), "--debias", "none", ...quick);
};
const scores = async (name: string, ...more: string[]) => {
  const { stdout } = await ok("score", "--model", at(name), at("chat.jsonl"), "--json", ...more);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
};

test("embed, train and score against an engine that gives the local states are what they are locally, bit for bit", async () => {
  const rows = data.evaluation.map(({ prompt, chosen }) => JSON.stringify({ prompt, response: chosen }));
  writeFileSync(at("chat.jsonl"), rows.join("\n"));
  const location = `vllm+http://${engine.host}?dtype=f32#tiny`;
  await train("here", "tiny");
  await train("there", location);
  for (const set of ["ratings", "pairs"]) {
    const files = readdirSync(at(`here-${set}`)).filter((file) => file.endsWith(".safetensors"));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(await readSafetensors(join(at(`there-${set}`), file))).toEqual(
        await readSafetensors(join(at(`here-${set}`), file)),
      );
    }
    const manifest = JSON.parse(readFileSync(join(at(`there-${set}`), "manifest.json"), "utf8"));
    expect(manifest.backbone).toMatchObject({
      location,
      dtype: "remote:f32",
      fingerprint: local.fingerprint,
    });
  }
  const before = engine.seen.length;
  const there = await scores("there");
  expect(engine.seen.length).toBeGreaterThan(before);
  const here = await scores("here");
  expect(there.length).toBe(data.evaluation.length);
  const about = { dtype: "remote:f32", model: at("there") };
  expect(there).toEqual(here.map((score) => ({ ...score, ...about })));
  // The other backbone is the same one.
  expect(await scores("there", "--backbone", "tiny")).toEqual(
    here.map((score) => ({ ...score, model: at("there") })),
  );
}, 120_000);

test("scores that were begun here are not continued by an engine", async () => {
  const out = at("begun.jsonl");
  await ok("score", "--model", at("here"), at("chat.jsonl"), "--out", out, "--limit", "2");
  const location = `vllm+http://${engine.host}?dtype=bf16#tiny`;
  const args = ["score", "--model", at("here"), at("chat.jsonl"), "--out", out, "--limit", "2"];
  const { code, stderr } = await runCli([...args, "--backbone", location]);
  expect(code).toBe(2);
  expect(stderr).toContain("expected no file or this run begun");
}, 60_000);

test("sets of an engine and of this machine are not trained on together", async () => {
  const sets = ["--ratings", at("here-ratings"), "--pairs", at("there-pairs")];
  const { code, stderr } = await runCli(["train", ...sets, "--out", at("mixed"), "--debias", "none"]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/expected states in f32 .* got remote:f32/);
}, 60_000);

test("a checkpoint without weights is another one than with them, until the location says which weights it stands for", async () => {
  const bare = at("bare");
  cpSync(EMBEDDED_DIRECTORY, bare, { recursive: true });
  rmSync(join(bare, "model.safetensors"));
  await writeSmallModel(at("model"));
  const open = (query: string) =>
    openRewardModel(at("model"), { backbone: `vllm+http://${engine.host}${query}#${bare}` });
  await expect(open("")).rejects.toMatchObject({
    code: "wrong-backbone",
    remedy: expect.stringContaining("fingerprint=SHA256 in the location"),
  });
  await using model = await open(`?fingerprint=${local.fingerprint}`);
  await using same = await openRewardModel(at("model"));
  const conversation = [
    [
      { role: "user", content: "Name a prime." },
      { role: "assistant", content: "Seven." },
    ],
  ] as const;
  const [there] = await model.score(conversation);
  expect(there).toEqual({ ...(await same.score(conversation))[0], dtype: "remote:unknown" });

  await using first = await openEmbedder(`vllm+http://${engine.host}#${bare}`);
  await using second = await openEmbedder(`vllm+http://${engine.host}?batch-tokens=9#${bare}`);
  expect(first.backbone.fingerprint).toMatch(/^remote-[0-9a-f]{64}$/);
  expect(second.backbone.fingerprint).toBe(first.backbone.fingerprint);
  const asked = [{ ids: [1], tokenIds: [1] }];
  await expect(first.backbone.nextTokenLogits(asked)).rejects.toMatchObject({ code: "no-output-head" });
  await expect(
    openBackbone(`vllm+http://${engine.host}?fingerprint=${"0".repeat(64)}#tiny`),
  ).rejects.toMatchObject({ code: "wrong-backbone" });
});

test("a model of the hub does not choose the address that conversations go to", async () => {
  const commit = "a".repeat(40);
  const repository = at("hub/models--org--name");
  const snapshot = join(repository, "snapshots", commit);
  mkdirSync(join(repository, "refs"), { recursive: true });
  mkdirSync(join(repository, "snapshots"));
  writeFileSync(join(repository, "refs/main"), commit);
  await writeSmallModel(snapshot);
  const file = join(snapshot, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  const location = `vllm+http://${engine.host}#tiny`;
  writeFileSync(file, JSON.stringify({ ...config, backbone: { ...config.backbone, location } }));
  vi.stubEnv("HF_HUB_CACHE", at("hub"));
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  const before = engine.seen.length;
  await expect(openRewardModel("org/name")).rejects.toMatchObject({ code: "remote-backbone" });
  expect(engine.seen.length).toBe(before);
  await using _said = await openRewardModel("org/name", { backbone: location });
  await using _own = await openRewardModel(snapshot);
  expect(engine.seen.length).toBe(before + 2);
  vi.unstubAllEnvs();
});

test("a location or an option that cannot be ends a command with one line and code 2, and repeats no password", async () => {
  const result = await runCli([
    "embed",
    "--backbone",
    "vllm+http://127.0.0.1:9#tiny",
    "--data",
    at("ratings.jsonl"),
    "--out",
    at("never"),
    "--dtype",
    "int8",
  ]);
  expect(result.code).toBe(2);
  expect(result.stderr).toMatch(/error: remote backbone: expected no dtype, got one/);
  const nameless = await runCli([
    "score",
    "--model",
    at("here"),
    "--backbone",
    "vllm+http://me:secret@127.0.0.1:9#tiny",
    at("chat.jsonl"),
  ]);
  expect(nameless.code).toBe(2);
  expect(nameless.stderr).toContain("ARMORM_REMOTE_KEY");
  expect(nameless.stderr).not.toContain("secret");
});

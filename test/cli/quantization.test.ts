import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-quantization-"));
const model = join(folder, "model");
const rows = join(folder, "rows.jsonl");

beforeAll(async () => {
  vi.stubEnv("ARMORM_CACHE", join(folder, "cache"));
  await writeSmallModel(model);
  const pair = { prompt: "Name a prime.", chosen: "Seven is a prime number.", rejected: "Eight, surely." };
  writeFileSync(rows, `${JSON.stringify(pair)}\n${JSON.stringify({ ...pair, prompt: "And another?" })}\n`);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const conversation = JSON.stringify({ prompt: "Name a prime.", response: "Seven." });
const score = async (dtype: string) => {
  const { stdout, code } = await runCli(["score", "--model", model, "--json", "--dtype", dtype], {
    input: conversation,
  });
  expect(code).toBe(0);
  return JSON.parse(stdout);
};

test("scores say in which arithmetic they were computed, and differ by what it costs", async () => {
  const [f32, auto, int8, int4] = [
    await score("f32"),
    await score("auto"),
    await score("int8"),
    await score("int4"),
  ];
  expect([f32, auto, int8, int4].map(({ dtype }) => dtype)).toEqual(["f32", "f32", "int8", "int4"]);
  expect(auto.score).toBe(f32.score);
  expect(int8.score).not.toBe(f32.score);
  expect(Math.abs(int8.score - f32.score)).toBeLessThan(Math.abs(0.2 * f32.score) + 0.05);
});

test("the cache lists what was quantized, and forgets it when told", async () => {
  await score("int8");
  const listed = JSON.parse((await runCli(["cache", "--json"])).stdout);
  expect(listed.folder).toBe(join(folder, "cache"));
  const int8 = listed.entries.find(({ dtype }: { dtype: string }) => dtype === "int8");
  expect(int8).toMatchObject({ source: expect.stringMatching(/models\/tiny$/), bytes: expect.any(Number) });
  expect((await runCli(["cache"])).stdout).toMatch(/models\/tiny +int8 +\d/);
  const { stdout } = await runCli(["cache", "clear"]);
  expect(stdout).toMatch(/ deleted\n$/);
  expect(JSON.parse((await runCli(["cache", "list", "--json"])).stdout)).toMatchObject({
    bytes: 0,
    entries: [],
  });
});

test("inspect says what quantization does to hidden states, margins and preferences", async () => {
  const { stdout, code } = await runCli(["inspect", model, "--quantization", rows, "--json"]);
  expect(code).toBe(0);
  const { errors } = JSON.parse(stdout);
  expect(errors).toMatchObject([
    { dtype: "int8", pairs: 2 },
    { dtype: "int4", pairs: 2 },
  ]);
  expect(errors[0].hiddenState).toBeGreaterThan(0);
  expect(errors[0].hiddenState).toBeLessThan(0.05);
  expect(errors[1].hiddenState).toBeGreaterThan(errors[0].hiddenState);
  for (const { margin, flipped } of errors) {
    expect(margin).toBeGreaterThan(0);
    expect(flipped).toBeLessThanOrEqual(1);
  }
  const text = await runCli(["inspect", "tiny", "--quantization", rows]);
  expect(text.stdout).toMatch(/^int8 +\d\.\d % +– +–$/m);
});

test("a cache that cannot be written is one line with its remedy", async () => {
  writeFileSync(join(folder, "file"), "");
  vi.stubEnv("ARMORM_CACHE", join(folder, "file"));
  const { stderr, code } = await runCli(["score", "--model", model, "--dtype", "int8"], {
    input: conversation,
  });
  vi.stubEnv("ARMORM_CACHE", join(folder, "cache"));
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /^error: quantized weights: expected a writable folder at .*\n +name another folder with ARMORM_CACHE\n$/,
  );
});

test("a run in another arithmetic does not continue a file of scores", async () => {
  const out = join(folder, "scores.jsonl");
  const run = (dtype: string) =>
    runCli(["score", "--model", model, "--dtype", dtype, "--out", out, join(folder, "one.jsonl")]);
  writeFileSync(join(folder, "one.jsonl"), `${conversation}\n`);
  expect((await run("f32")).code).toBe(0);
  const before = readFileSync(out, "utf8");
  expect((await run("int8")).code).toBe(2);
  expect(readFileSync(out, "utf8")).toBe(before);
});

test("training refuses sets that were embedded in different arithmetics", async () => {
  const ratings = join(folder, "ratings.jsonl");
  const messages = [
    { role: "user", content: "Name a prime." },
    { role: "assistant", content: "Seven." },
  ];
  writeFileSync(ratings, `${JSON.stringify({ messages, ratings: { truth: 1 } })}\n`);
  const embed = async (data: string, out: string, dtype: string) => {
    const run = ["embed", "--backbone", "tiny", "--data", data, "--out", join(folder, out), "--dtype", dtype];
    expect((await runCli(run)).code).toBe(0);
  };
  await embed(ratings, "ratings", "f32");
  await embed(rows, "pairs", "int8");
  const sets = ["--ratings", join(folder, "ratings"), "--pairs", join(folder, "pairs")];
  const { stderr, code } = await runCli(["train", ...sets, "--out", join(folder, "trained")]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error: .*pairs: expected states in f32 as in .*ratings, got int8\n/);
});

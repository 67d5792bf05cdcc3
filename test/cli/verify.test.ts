import { cpSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { writeVerifyCard } from "../../src/evaluation/verify-card.ts";
import { createVerifyCard } from "../../src/evaluation/verify-model.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { runCli } from "../run-cli.ts";
import { writeSmallModel } from "./small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-verify-cli-"));
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  await writeSmallModel(at("model"));
  await using model = await openRewardModel(at("model"));
  const card = await createVerifyCard(model, {
    source: "this test",
    tolerance: 1e-4,
    prompt: [{ role: "user", content: "Name a prime." }],
    responses: ["Seven.", "Eight."],
  });
  await writeVerifyCard(at("model"), card);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a model directory that carries a card verifies, copied and moved too", async () => {
  const { stdout, stderr, code } = await runCli(["verify", at("model")]);
  expect({ stderr, code }).toEqual({ stderr: `scoring 2 responses with ${at("model")}\n`, code: 0 });
  expect(stdout).toMatch(/^source {2}this test\nprompt {2}Name a prime\.\n\nSeven\.\n/);
  expect(stdout).toMatch(/^rating kind +(-?[\d.]+) +\1 +\+0\.00000 {2}within$/m);
  expect(stdout).toMatch(/^verified: 16 of 16 values within ±0\.0001 \(f32\)$/m);
  cpSync(at("model"), at("copied"), { recursive: true });
  expect((await runCli(["verify", at("copied")])).code).toBe(0);
  renameSync(at("copied"), at("moved"));
  expect((await runCli(["verify", "moved"], { cwd: folder })).code).toBe(0);
});

test("one in which a single weight has changed does not", async () => {
  cpSync(at("model"), at("tampered"), { recursive: true });
  const tensors = await readSafetensors(at("tampered/model.safetensors"));
  const regression = tensors.get("regression_layer.weight")!.data as Float32Array;
  regression[100]! += 0.1;
  await writeSafetensors(at("tampered/model.safetensors"), tensors);
  const { stdout, code } = await runCli(["verify", at("tampered")]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^reward kind .* outside$/m);
  expect(stdout).toMatch(/^reward true .* within$/m);
  expect(stdout).toMatch(/^not verified: \d+ of 16 values within/m);
  const json = await runCli(["verify", at("tampered"), "--json"]);
  expect(json.code).toBe(1);
  const { passed, values } = JSON.parse(json.stdout);
  expect(passed).toBe(false);
  const outside = values.filter(({ within }: { within: boolean }) => !within);
  expect(new Set(outside.map(({ objective }: { objective: string | null }) => objective))).toEqual(
    new Set(["kind", null]),
  );
});

test("a model without a card takes one of another folder, and otherwise says what is missing", async () => {
  await writeSmallModel(at("bare"));
  const missing = await runCli(["verify", at("bare")]);
  expect(missing).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/expected verify\.json .*, got none/),
  });
  expect((await runCli(["verify", at("bare"), "--card", at("model/verify.json")])).code).toBe(0);
});

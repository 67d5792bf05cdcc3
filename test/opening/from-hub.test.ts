// The two published models of the method, as their users name them: from a hub, in exactly their layouts.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openBackbone } from "../../src/backbone/backbone.ts";
import type { Message } from "../../src/chat/messages.ts";
import { openEmbedder } from "../../src/embedding/embedder.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { publishedGolden, writePublishedCheckpoint } from "../armo/published-checkpoint.ts";
import { writeLlama3Files } from "../chat/llama3-files.ts";
import { type HubServer, startHub } from "../checkpoint/hub/hub-server.ts";
import { runCli } from "../run-cli.ts";
import { writeFsfairxCheckpoint } from "../siblings/fsfairx-checkpoint.ts";

const ARMORM = "RLHFlow/ArmoRM-Llama3-8B-v0.1";
const FSFAIRX = "sfairXC/FsfairX-LLaMA3-RM-v0.1";
const folder = mkdtempSync(join(tmpdir(), "from-hub-"));
const conversation: Message[] = [
  { role: "user", content: "Name a prime." },
  { role: "assistant", content: "Seven." },
];
let hub: HubServer;

beforeAll(async () => {
  // Children run the sources too, with the loader that this process hands on.
  process.execArgv.push("--import", "tsx");
  await writePublishedCheckpoint(join(folder, "armorm"));
  writeFsfairxCheckpoint(join(folder, "fsfairx"));
  // The template of the published classifier writes a BOS that its training took out again.
  writeLlama3Files(join(folder, "fsfairx"), { vocabSize: 300, bosInTemplate: true });
  hub = await startHub({ [ARMORM]: join(folder, "armorm"), [FSFAIRX]: join(folder, "fsfairx") });
  for (const name of ["HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"])
    vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HOME", join(folder, "home"));
  vi.stubEnv("HF_ENDPOINT", hub.endpoint);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(folder, { recursive: true });
});

test.each([false, true])(
  "the published ArmoRM scores as golden says, in a process of its own: %s",
  async (isolate) => {
    await using model = await openRewardModel(ARMORM, { isolate, threads: 1 });
    const { cases, suggested_tolerance } = publishedGolden;
    const { atol, rtol } = suggested_tolerance;
    const scores = await model.scoreTokens(cases.map((c: { input_ids: number[] }) => c.input_ids));
    scores.forEach(({ score, model: name }, i) => {
      expect(Math.abs(score - cases[i].score)).toBeLessThanOrEqual(atol + rtol * Math.abs(cases[i].score));
      expect(name).toMatch(/^RLHFlow\/ArmoRM-Llama3-8B-v0\.1@[0-9a-f]{40}$/);
    });
    const [one] = await model.score([conversation]);
    expect(Object.keys(one!.coefficients)).toEqual(publishedGolden.attributes);
  },
);

test("the published classifier is read without BOS, whatever its template writes, and so is it as a backbone", async () => {
  await using model = await openRewardModel(FSFAIRX, { threads: 1 });
  await using withBos = await openRewardModel(FSFAIRX, { threads: 1, bos: "on" });
  const [[without], [forced]] = [await model.score([conversation]), await withBos.score([conversation])];
  expect(without!.tokens).toBe(forced!.tokens - 1);
  await using embedder = await openEmbedder(FSFAIRX, { threads: 1 });
  const { ids } = embedder.chat.encode(conversation);
  expect(embedder.chat).toMatchObject({ bos: "off", bosRule: "training" });
  expect(ids).not.toContain(1);
  expect(await model.scoreTokens([ids])).toEqual([without]);
  await using backbone = await openBackbone(FSFAIRX, { threads: 1 });
  expect(backbone.hiddenSize).toBe(48);
});

test("verify runs the card of the published model, which another model in its layout does not pass", async () => {
  const { code, stdout } = await runCli(["verify", ARMORM]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^coefficient code-complexity +0\.19922 +-?\d/m);
  expect(stdout).toMatch(/^rating helpsteer-verbosity +1\.29688 +2 +-?\d/m);
  expect(stdout.match(/^score -?\d+\.\d+, none on the card$/gm)).toHaveLength(3);
  expect(stdout).toMatch(/^not verified: \d of 8 values within ±0\.05/m);
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Message } from "../../src/chat/messages.ts";
import { openModelDirectory } from "../../src/opening/open-model-directory.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { explainedComparison, explainedScore } from "../../src/scoring/explanation.ts";
import { type LocalRewardModel, openModelChat } from "../../src/scoring/local-model.ts";
import { type RunningServer, serve } from "../../src/server/serve.ts";
import { writeFsfairxCheckpoint } from "../siblings/fsfairx-checkpoint.ts";

// The children run the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const folder = mkdtempSync(join(tmpdir(), "armorm-serve-bt-"));
const directory = join(folder, "fsfairx");
const prompt: Message = { role: "user", content: "Name a prime." };
const answered = (content: string): Message[] => [prompt, { role: "assistant", content }];

let here: LocalRewardModel;
let server: RunningServer;
beforeAll(async () => {
  writeFsfairxCheckpoint(directory);
  here = await openRewardModel(directory, { threads: 1 });
  server = await serve(directory, { port: 0, threads: 1 });
}, 60_000);
afterAll(async () => {
  await Promise.all([here.close(), server.close()]);
  rmSync(folder, { recursive: true });
});

const post = async (path: string, body: unknown) => {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  return response.json();
};

test("a Bradley–Terry model is served as it scores here: alone, traced, compared, and to trainers", async () => {
  expect(server.model).toMatchObject({
    kind: "bradley-terry",
    objectives: [{ name: "reward" }],
    marginScale: 1,
  });
  const [plain] = await here.score([answered("Seven.")]);
  expect(await post("/v1/score", { messages: answered("Seven.") })).toEqual(explainedScore(plain!));
  const [traced] = await here.score([answered("Seven.")], { trace: "token" });
  expect(traced!.trace!.steps.length).toBeGreaterThan(1);
  expect(await post("/v1/score", { messages: answered("Seven."), trace: "token" })).toEqual(
    explainedScore(traced!),
  );
  const responses = ["Seven.", "Eight, I think."];
  expect(await post("/v1/compare", { prompt: prompt.content, responses })).toEqual({
    prompt: [prompt],
    texts: responses,
    ...explainedComparison(await here.compare([prompt], responses)),
  });
  const chat = await openModelChat(await openModelDirectory(directory));
  const { text } = chat.encode(answered("Seven."));
  expect(await post("/get_reward", { query: [text] })).toMatchObject({ rewards: [plain!.score] });
});

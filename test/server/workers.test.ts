import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Message } from "../../src/chat/messages.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import type { Score } from "../../src/reward-model.ts";
import { explainedScore } from "../../src/scoring/explanation.ts";
import { type RunningServer, serve } from "../../src/server/serve.ts";
import { childProcesses } from "../child-processes.ts";
import { writeSmallModel } from "../cli/small-model.ts";
import { waitFor } from "./mortal-model.ts";

// The children run the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const folder = mkdtempSync(join(tmpdir(), "armorm-workers-"));
const directory = join(folder, "model");
const conversations = Array.from({ length: 8 }, (_, i): Message[] => [
  { role: "user", content: "Name a prime." },
  { role: "assistant", content: `It is ${i}.` },
]);

let server: RunningServer;
let expected: unknown;
beforeAll(async () => {
  await writeSmallModel(directory);
  await using here = await openRewardModel(directory, { threads: 1 });
  expected = (await here.score(conversations)).map((score: Score) => explainedScore(score));
  // Each conversation is a batch of its own.
  server = await serve(directory, { port: 0, threads: 1, workers: 2, maxBatchTokens: 1 });
}, 60_000);
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const score = async (): Promise<unknown> => {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ conversations });
  return (await fetch(`${server.url}/v1/score`, { method: "POST", headers, body })).json();
};
const health = async () =>
  (await (await fetch(`${server.url}/health`)).json()) as { ready: number; queued: number };
const scored = async () => {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^armorm_conversations_total (\d+)$/m.exec(metrics)![1]);
};
const bothReady = () => waitFor(async () => expect((await health()).ready).toBe(2));

/**
 * Stops a process and sends a request: its answer, and when all of it but one conversation has been computed. That one the process
 * holds, so both got work.
 */
function holding(pid: number) {
  process.kill(pid, "SIGSTOP");
  const before = scored();
  const answer = before.then(score);
  const computed = waitFor(async () => {
    expect(await scored()).toBe((await before) + conversations.length - 1);
    expect((await health()).queued).toBe(0);
  });
  return { answer, computed };
}

test.runIf(process.platform === "linux")(
  "two processes share the work, and each does all of it while the other is killed or stands still",
  async () => {
    await bothReady();
    const [first, second] = childProcesses() as [number, number];
    for (const held of [first, second]) {
      const pending = holding(held);
      await pending.computed;
      process.kill(held, "SIGCONT");
      expect(await pending.answer).toEqual(expected);
    }
    const pending = holding(first);
    await pending.computed;
    process.kill(first, "SIGKILL");
    expect(await pending.answer).toEqual(expected);
    await bothReady();
    expect(childProcesses()).toContain(second);
    const [replacement] = childProcesses().filter((pid) => pid !== second) as [number];
    expect(replacement).not.toBe(first);
    // The new one computes as well: the old one stands still meanwhile.
    const last = holding(second);
    await last.computed;
    process.kill(second, "SIGCONT");
    expect(await last.answer).toEqual(expected);
  },
);

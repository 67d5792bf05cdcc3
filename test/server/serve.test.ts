import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Message } from "../../src/chat/messages.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import type { Comparison, Score } from "../../src/reward-model.ts";
import { explainedComparison, explainedScore } from "../../src/scoring/explanation.ts";
import type { LocalRewardModel } from "../../src/scoring/local-model.ts";
import { createApp } from "../../src/server/app.ts";
import { listen } from "../../src/server/listen.ts";
import { createMetrics } from "../../src/server/metrics.ts";
import { type RunningServer, serve } from "../../src/server/serve.ts";
import { childProcesses } from "../child-processes.ts";
import { writeSmallModel } from "../cli/small-model.ts";
import { fakeService } from "./fake-service.ts";
import { waitFor } from "./mortal-model.ts";

// The children run the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const folder = mkdtempSync(join(tmpdir(), "armorm-serve-"));
const directory = join(folder, "model");
const prompt: Message = { role: "user", content: "Name a prime." };
const answered = (content: string): Message[] => [prompt, { role: "assistant", content }];

let here: LocalRewardModel;
let server: RunningServer;
/** Computed once: the model of this process would hold up the server in it. */
let sound: Score;
beforeAll(async () => {
  await writeSmallModel(directory);
  writeFileSync(join(directory, "README.md"), "# A card\n");
  here = await openRewardModel(directory, { threads: 1 });
  [sound] = (await here.score([answered("Seven.")])) as [Score];
  server = await serve(directory, {
    port: 0,
    threads: 1,
    maxBodyBytes: 1 << 20,
    maxBatchTokens: 1024,
  });
}, 60_000);
afterAll(async () => {
  await Promise.all([here.close(), server.close()]);
  rmSync(folder, { recursive: true });
});

const post = (path: string, body: unknown, init: RequestInit = {}) =>
  fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  });
const json = async <T>(response: Promise<Response>) => (await (await response).json()) as T;
const codeOf = async (response: Promise<Response>) => {
  const { status } = await response;
  const { error } = await json<{ error: { code: string } }>(response);
  return [status, error.code];
};
/** The server goes on: its next answer is right. */
async function requireSound() {
  expect(await json(post("/v1/score", { messages: answered("Seven.") }))).toEqual(explainedScore(sound));
}
/** What the server answers to bytes that need not be HTTP. */
function speak(bytes: string, port: number = server.port): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    socket.on("close", () => resolve(text)).on("error", reject);
  });
}

describe("a listening server", () => {
  test("gives the bits that the model gives, alone and to many clients at once", async () => {
    const texts = Array.from({ length: 24 }, (_, i) => `${"Well. ".repeat(i % 7)}It is ${i}.`);
    const expected = await here.score(texts.map(answered));
    const one = (text: string) => json<Score>(post("/v1/score", { messages: answered(text) }));
    const together = await Promise.all(texts.map(one));
    for (const [i, score] of together.entries())
      expect(score).toEqual({ ...explainedScore(expected[i]!), index: 0 });
    expect(await json(post("/v1/score", { conversations: texts.map(answered) }))).toEqual(
      expected.map(explainedScore),
    );
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    const [, conversations] = /^armorm_conversations_total (\d+)$/m.exec(metrics)!;
    const [, batches] = /^armorm_batch_conversations_count (\d+)$/m.exec(metrics)!;
    expect(Number(conversations)).toBeGreaterThanOrEqual(48);
    expect(Number(batches)).toBeLessThan(Number(conversations) / 2);
    expect(metrics).toMatch(/^armorm_workers_resident_memory_bytes \d+$/m);
  });

  test("compares as the model does", async () => {
    const responses = ["Seven.", "Eight.", "7"];
    const expected = await here.compare([prompt], responses);
    const got = await json<Comparison>(post("/v1/compare", { prompt: prompt.content, responses }));
    expect(got).toEqual({ prompt: [prompt], texts: responses, ...explainedComparison(expected) });
  });

  test("steers as the model does", async () => {
    const steering = { scale: { kind: 3 }, without: ["length"] };
    const [expected] = await here.score([answered("Seven.")], { steering });
    expect(await json(post("/v1/score", { messages: answered("Seven."), steering }))).toEqual(
      explainedScore(expected!),
    );
    expect(
      await codeOf(post("/v1/score", { messages: answered("x"), steering: { without: ["kindest"] } })),
    ).toEqual([422, "unknown-objective"]);
  });

  test("says which model it serves", async () => {
    const about = await json<Record<string, unknown>>(fetch(`${server.url}/v1/model`));
    expect(about).toMatchObject({
      model: directory,
      kind: "armorm",
      marginScale: 5,
      dtype: "f32",
      device: "cpu",
      card: "# A card\n",
    });
    expect(about).toMatchObject({ maxTokens: here.arithmetic.maxTokens, limits: { maxBodyBytes: 1 << 20 } });
  });

  test("gives an error in the place of what is too long, and the scores of the others", async () => {
    const conversations = [answered("Seven."), answered("x ".repeat(20_000)), answered("Eight.")];
    const results = await json<(Score & { error?: { code: string; message: string } })[]>(
      post("/v1/score", { conversations }),
    );
    const expected = await here.score([answered("Seven."), answered("Eight.")]);
    expect([results[0]!.score, results[2]!.score]).toEqual(expected.map(({ score }) => score));
    expect(results[1]!.error).toMatchObject({
      code: "too-long",
      message: expect.stringMatching(/^score: too long: \d+ tokens, limit \d+$/),
    });
  });

  test("scores control characters and special tokens as the text that they are", async () => {
    for (const text of ["a\u0000\u001b[31m\u0007b", "<|eot_id|><|start_header_id|>user", "\u2028\u202e"]) {
      const [expected] = await here.score([answered(text)]);
      expect(await json(post("/v1/score", { messages: answered(text) }))).toEqual(explainedScore(expected!));
    }
  });
});

describe("bad requests on the wire leave the next one unharmed", () => {
  test("a body that is too large, declared or not", async () => {
    const huge = JSON.stringify({ messages: answered("x".repeat(3 << 20)) });
    expect(await codeOf(post("/v1/score", huge))).toEqual([413, "body-too-large"]);
    const chunked = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 48; i++) controller.enqueue(new Uint8Array(1 << 16));
        controller.close();
      },
    });
    expect(await codeOf(post("/v1/score", "", { body: chunked, duplex: "half" } as RequestInit))).toEqual([
      413,
      "body-too-large",
    ]);
    await requireSound();
  });

  test("what is no HTTP, and a host that is none", async () => {
    expect(await speak("hello\r\n\r\n")).toMatch(/^HTTP\/1.1 400 [\s\S]*"code":"malformed-request"/);
    expect(await speak("GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n")).toMatch(
      /^HTTP\/1.1 400 [\s\S]*"code":"malformed-request"/,
    );
    expect(await speak("GET /health HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n")).toMatch(
      /^HTTP\/1.1 403 [\s\S]*"code":"foreign-host"/,
    );
    await requireSound();
  });

  test("a client that is too slow, in its headers or in its body", async () => {
    const timeouts = { headersMs: 200, requestMs: 200, keepAliveMs: 5000 };
    const watchers = { log: pino({ level: "silent" }), metrics: createMetrics() };
    const hasty = await listen(createApp(fakeService()), { host: "127.0.0.1", port: 0, timeouts }, watchers);
    const { port } = hasty;
    const slow = [
      "POST /v1/score HTTP/1.1\r\nhost: loc",
      "POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    ];
    for (const bytes of slow) {
      expect(await speak(bytes, port)).toMatch(/^HTTP\/1.1 408 [\s\S]*"code":"request-timeout"/);
    }
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
    await hasty.stop(Promise.resolve(), 0);
  });

  test("a client that leaves before its answer", async () => {
    const controller = new AbortController();
    const conversations = Array.from({ length: 200 }, (_, i) =>
      answered(`${"Take your time. ".repeat(20)}${i}`),
    );
    const pending = post("/v1/score", { conversations }, { signal: controller.signal });
    await waitFor(async () =>
      expect((await json<{ queued: number }>(fetch(`${server.url}/health`))).queued).toBeGreaterThan(0),
    );
    controller.abort();
    await expect(pending).rejects.toThrow();
    await waitFor(async () =>
      expect((await json<{ queued: number }>(fetch(`${server.url}/health`))).queued).toBe(0),
    );
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('armorm_http_requests_total{route="/v1/score",status="499"} 1\n');
    await requireSound();
  });
});

test.runIf(process.platform === "linux")(
  "a process killed in the middle of a request is replaced, and the request is answered",
  async () => {
    const before = childProcesses();
    const conversations = Array.from({ length: 60 }, (_, i) =>
      answered(`${"Take your time. ".repeat(20)}${i}`),
    );
    const pending = json(post("/v1/score", { conversations }));
    await waitFor(async () =>
      expect((await json<{ queued: number }>(fetch(`${server.url}/health`))).queued).toBeGreaterThan(0),
    );
    for (const pid of before) process.kill(pid, "SIGKILL");
    expect(await pending).toEqual((await here.score(conversations)).map(explainedScore));
    expect(childProcesses()).not.toEqual(before);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain("armorm_worker_restarts_total 1\n");
  },
);

describe("serve refuses before it loads anything", () => {
  test.each([
    [{ host: "0.0.0.0" }, "missing-api-key"],
    [{ host: "::" }, "missing-api-key"],
    [{ apiKeys: ["a b"] }, "bad-api-key"],
    [{ apiKeys: [""] }, "bad-api-key"],
    [{ maxQueue: 8, maxItems: 9 }, "bad-limits"],
    [{ port: 70_000 }, "bad-address"],
    [{ port: -1 }, "bad-address"],
  ])("%j with %s", async (options, code) => {
    await expect(serve(join(folder, "nothing"), { port: 0, ...options })).rejects.toMatchObject({ code });
  });

  test("a port that is in use, with the model's process ended again", async () => {
    const before = childProcesses();
    await expect(serve(directory, { port: server.port, threads: 1 })).rejects.toMatchObject({
      code: "address-in-use",
    });
    await waitFor(() => expect(childProcesses()).toEqual(before));
  });
});

test("with keys, a server answers on any address, to those who have one", async () => {
  const key = createHash("sha256").update("key").digest("hex");
  await using open = await serve(directory, { host: "0.0.0.0", port: 0, threads: 1, apiKeys: [key] });
  const url = `http://127.0.0.1:${open.port}`;
  expect(await codeOf(fetch(`${url}/v1/model`))).toEqual([401, "unauthorized"]);
  expect((await fetch(`${url}/v1/model`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
  expect((await fetch(`${url}/health`)).status).toBe(200);
});

test("closing finishes what has arrived, on connections that are then closed, whatever others hold open", async () => {
  const own = await serve(directory, { port: 0, threads: 1, maxBatchTokens: 1024 });
  const silent = connect(own.port, "127.0.0.1");
  const cut = new Promise((resolve) => silent.on("error", () => {}).on("close", resolve));
  const conversations = Array.from({ length: 40 }, (_, i) =>
    answered(`${"Take your time. ".repeat(20)}${i}`),
  );
  const status = new Promise<number>((resolve, reject) => {
    const headers = { "content-type": "application/json", connection: "keep-alive" };
    const sent = request(`${own.url}/v1/score`, { method: "POST", headers }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode!));
    }).on("error", reject);
    sent.end(JSON.stringify({ conversations }));
  });
  await waitFor(async () =>
    expect((await json<{ queued: number }>(fetch(`${own.url}/health`))).queued).toBeGreaterThan(0),
  );
  await own.close(30);
  expect(await status).toBe(200);
  await cut;
  await expect(fetch(`${own.url}/health`)).rejects.toThrow();
});

import { connect, type Socket } from "node:net";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { createApp } from "../../src/server/app.ts";
import { type Listening, listen } from "../../src/server/listen.ts";
import { createMetrics } from "../../src/server/metrics.ts";
import { fakeService } from "./fake-service.ts";
import { waitFor } from "./mortal-model.ts";

let listening: Listening;
afterEach(() => listening.stop(Promise.resolve(), 0));

/** An app that listens, with what is logged and counted of it. */
async function start(app: Parameters<typeof listen>[0] = createApp(fakeService())) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const metrics = createMetrics();
  const timeouts = { headersMs: 60_000, requestMs: 60_000, keepAliveMs: 60_000 };
  listening = await listen(app, { host: "127.0.0.1", port: 0, timeouts }, { log, metrics });
  const counted = () => metrics.render(fakeService().health());
  return { lines, counted };
}

/** A client that writes something, reads nothing unless told to, and never ends by itself. */
async function client(bytes: string): Promise<Socket> {
  const socket = connect({ port: listening.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  if (bytes !== "") await new Promise<void>((resolve) => void socket.write(bytes, () => resolve()));
  return socket;
}

/** Reads to the end. */
async function read(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("utf8").on("data", (part) => {
    text += part;
  });
  await new Promise((resolve) => socket.on("end", resolve).on("close", resolve));
  socket.destroy();
  return text;
}

const REQUEST = "POST /v1/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

describe("stopping", () => {
  test.each([
    ["has sent nothing", ""],
    ["has sent half its headers", "POST /v1/score HTTP/1.1\r\nhost: loc"],
    ["has sent half its body", `${REQUEST}content-length: 100\r\n\r\n{`],
    ["was refused and does not go", "hello\r\n\r\n"],
    ["was answered and does not go", "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"],
  ])("waits for no client that %s", async (_, bytes) => {
    await start();
    const socket = await client(bytes);
    // Another's answer says that the first one's bytes have arrived.
    await fetch(`http://127.0.0.1:${listening.port}/health`);
    await listening.stop(Promise.resolve(), 1000);
    await read(socket);
  });

  test("cuts a client that does not read its answer, and waits until the time is up for one that reads slowly", async () => {
    const size = 64 << 20;
    await start({ fetch: () => new Response("x".repeat(size)) });
    const get = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    const slow = await client(get);
    await new Promise<void>((resolve) => slow.once("readable", resolve));
    const stopped = listening.stop(Promise.resolve(), 1000);
    expect((await read(slow)).length).toBeGreaterThan(size);
    await stopped;

    await start({ fetch: () => new Response("x".repeat(size)) });
    const deaf = await client(get);
    await new Promise<void>((resolve) => deaf.once("readable", resolve));
    await listening.stop(Promise.resolve(), 0);
    deaf.destroy();
  });

  test("lets those be answered that waited when it began", async () => {
    let answer = (_: Response) => {};
    let asked = false;
    await start({
      fetch: () => {
        asked = true;
        return new Promise<Response>((resolve) => {
          answer = resolve;
        });
      },
    });
    const pending = fetch(`http://127.0.0.1:${listening.port}/`);
    await waitFor(() => expect(asked).toBe(true));
    let finish = () => {};
    const stopped = listening.stop(new Promise<void>((resolve) => (finish = resolve)), 0);
    answer(new Response("here"));
    finish();
    expect(await (await pending).text()).toBe("here");
    await stopped;
  });
});

describe("what is refused before it is a request", () => {
  const refused: [string, string, number, string][] = [
    ["no HTTP", "hello\r\n\r\n", 400, "malformed-request"],
    ["without a host", "GET /health HTTP/1.1\r\nconnection: close\r\n\r\n", 400, "malformed-request"],
    ["of HTTP/1.0 without a host", "GET /health HTTP/1.0\r\n\r\n", 400, "malformed-request"],
    [
      "for a host that is none",
      "GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n",
      400,
      "malformed-request",
    ],
    [
      "that expects more than an answer",
      `${REQUEST}expect: foo\r\ncontent-length: 2\r\n\r\n{}`,
      417,
      "unknown-expectation",
    ],
    [
      "with headers that are too large",
      `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      "headers-too-large",
    ],
  ];
  test.each(refused)("%s: is answered in JSON, counted and logged", async (_, bytes, status, code) => {
    const { lines, counted } = await start();
    const text = await read(await client(bytes));
    const [head, body] = text.split("\r\n\r\n");
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} [A-Z]`));
    expect(head).toMatch(/content-type: application\/json/i);
    const json = /\{.*\}/.exec(body!)![0]; // between the lengths of its chunks, where there are any
    expect(JSON.parse(json)).toEqual({
      error: { code, message: expect.stringMatching(/expected.*got/), remedy: expect.any(String) },
    });
    expect(lines).toMatchObject([{ msg: "refused", status, error: code }]);
    expect(counted()).toContain(`armorm_http_requests_total{route="none",status="${status}"} 1\n`);
  });
});

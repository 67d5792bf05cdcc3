import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Backbone, openBackbone } from "../../../src/backbone/backbone.ts";
import type { RetryTiming } from "../../../src/backbone/remote/endpoints.ts";
import { openRemoteBackbone } from "../../../src/backbone/remote/remote-backbone.ts";
import { parseRemoteLocation } from "../../../src/checkpoint/remote-location.ts";
import { type FakeEngineOptions, startEngine } from "./fake-engine.ts";

let local: Backbone;
let expected: Float32Array[];
const requests = Array.from({ length: 24 }, (_, r) => ({
  ids: Array.from({ length: 3 + (r % 5) }, (_, i) => 100 * r + i),
  positions: [2 + (r % 5)],
}));
beforeAll(async () => {
  local = await openBackbone("tiny");
  expected = await local.hiddenStates(requests);
});
afterAll(() => local.close());

const QUICK: RetryTiming = { leastWaitMs: 4, mostWaitMs: 20, tries: 4 };
/** For engines that fail so often that a request may meet only failures for a while. */
const PATIENT: RetryTiming = { leastWaitMs: 2, mostWaitMs: 20, tries: 100 };
const engine = (options: Partial<FakeEngineOptions> = {}, port?: number) =>
  startEngine({ protocol: "vllm", backbone: local, ...options }, port);
const open = (hosts: string, { query = "", timing = QUICK, onNote = (_: string) => {} } = {}) =>
  openRemoteBackbone(
    parseRemoteLocation(`vllm+http://${hosts}?batch-tokens=8${query}#tiny`)!,
    { onNote },
    timing,
  );
const portOf = (host: string) => Number(host.split(":")[1]);

describe("what fails in passing is sent again", () => {
  test("429 with Retry-After: not before the engine asks for it", async () => {
    const times: number[] = [];
    const before: FakeEngineOptions["before"] = (_, response, count) => {
      if (count === 2 || count > 3) times.push(performance.now());
      if (count !== 2) return false;
      response.writeHead(429, { "retry-after": "1" }).end();
      return true;
    };
    await using served = await engine({ before });
    await using remote = await open(served.host, { query: "&in-flight=1" });
    expect(await remote.hiddenStates(requests.slice(0, 3))).toEqual(expected.slice(0, 3));
    // The third request is the second one again.
    expect(served.seen[2]!.body.input).toEqual(served.seen[1]!.body.input);
    expect(times[1]! - times[0]!).toBeGreaterThan(990);
  });

  test("429 of an engine that takes two requests at a time: it gets fewer", async () => {
    let active = 0;
    let refused = 0;
    const before: FakeEngineOptions["before"] = async (_, response) => {
      if (active >= 2) {
        refused += 1;
        response.writeHead(429).end("busy");
        return true;
      }
      active += 1;
      await new Promise((resolve) => setTimeout(resolve, 30));
      active -= 1;
      return false;
    };
    await using served = await engine({ before });
    await using remote = await open(served.host);
    const many = Array.from({ length: 60 }, (_, r) => ({ ids: [r, 1, 2, 3, 4, 5], positions: [5] }));
    expect(await remote.hiddenStates(many)).toEqual(await local.hiddenStates(many));
    // Of the first eight, of the next four; and of one more later on.
    expect(refused).toBeLessThan(16);
  });

  test.each([429, 503])("status %s, whatever words it comes with", async (status) => {
    const before: FakeEngineOptions["before"] = (_, response, count) => {
      if (count % 2 === 1) return false;
      response.writeHead(status).end("your rate exceeds the limit");
      return true;
    };
    await using served = await engine({ before });
    await using remote = await open(served.host, { timing: PATIENT });
    expect(await remote.hiddenStates(requests.slice(0, 4))).toEqual(expected.slice(0, 4));
  });

  test.each([
    ["status 503", 503],
    ["status 502", 502],
    ["status 500", 500],
    ["status 408", 408],
  ])("%s", async (_, status) => {
    const before: FakeEngineOptions["before"] = (_, response, count) => {
      if (count % 2 === 1) return false;
      response.writeHead(status).end("<html>\nlater</html>");
      return true;
    };
    await using served = await engine({ before });
    await using remote = await open(served.host, { timing: PATIENT });
    expect(await remote.hiddenStates(requests)).toEqual(expected);
  });

  test("a connection that is cut before the answer, or in the middle of it", async () => {
    const before: FakeEngineOptions["before"] = (_, response, count) => {
      if (count % 3 === 1) return false;
      if (count % 3 === 2) response.destroy();
      else {
        response.writeHead(200, { "content-length": "5000" }).write('{"data":[{"index":0,');
        setTimeout(() => response.destroy(), 5);
      }
      return true;
    };
    await using served = await engine({ before });
    await using remote = await open(served.host, { timing: PATIENT });
    expect(await remote.hiddenStates(requests)).toEqual(expected);
  });

  test("half an answer that calls itself whole", async () => {
    const before: FakeEngineOptions["before"] = (_, response, count) => {
      if (count % 2 === 1) return false;
      response.end('{"data":[{"index":0,"embedding":"AAAA');
      return true;
    };
    await using served = await engine({ before });
    await using remote = await open(served.host, { timing: PATIENT });
    expect(await remote.hiddenStates(requests)).toEqual(expected);
  });

  test("no answer in the time given", async () => {
    const before: FakeEngineOptions["before"] = (_, _response, count) => count === 2;
    await using served = await engine({ before });
    await using remote = await open(served.host, { query: "&timeout=1" });
    expect(await remote.hiddenStates(requests)).toEqual(expected);
  });

  test("slow answers are waited for", async () => {
    const before = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 30));
    await using served = await engine({ before });
    await using remote = await open(served.host);
    expect(await remote.hiddenStates(requests)).toEqual(expected);
    expect(served.seen.length).toBe(
      1 + new Set(served.seen.slice(1).map(({ body }) => `${body.input}`)).size,
    );
  });

  test("an engine that dies between requests and is started again", async () => {
    const served = await engine();
    await using remote = await open(served.host, { timing: PATIENT });
    expect(await remote.hiddenStates(requests.slice(0, 4))).toEqual(expected.slice(0, 4));
    await served.stop();
    const going = remote.hiddenStates(requests);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await using again = await engine({}, portOf(served.host));
    expect(await going).toEqual(expected);
    expect(again.seen.length).toBeGreaterThan(0);
  });

  test("an engine that still loads its model when it is opened", async () => {
    const served = await engine();
    await served.stop();
    const opening = open(served.host, { timing: PATIENT });
    await new Promise((resolve) => setTimeout(resolve, 60));
    await using _again = await engine({}, portOf(served.host));
    await using remote = await opening;
    expect(await remote.hiddenStates(requests)).toEqual(expected);
  });
});

describe("what keeps failing is one error, which names the endpoint and what it answered", () => {
  test("a status", async () => {
    const before: FakeEngineOptions["before"] = (_, response, count) => {
      if (count === 1) return false;
      response.writeHead(503).end(JSON.stringify({ error: { message: "Loading model" } }));
      return true;
    };
    await using served = await engine({ before });
    await using remote = await open(served.host);
    await expect(remote.hiddenStates(requests)).rejects.toMatchObject({
      name: "InputError",
      code: "remote-unreachable",
      message: `http://${served.host}/v1/embeddings: expected an answer, got status 503: Loading model (tried 4 times)`,
      remedy: expect.stringContaining("goes on where it stopped"),
    });
  });

  test("nobody there", async () => {
    const served = await engine();
    await served.stop();
    await expect(open(served.host)).rejects.toMatchObject({
      code: "remote-unreachable",
      message: `http://${served.host}/v1/models: expected an answer, got ECONNREFUSED (tried 4 times)`,
    });
  });

  test("an engine that asks to wait for longer than anybody does", async () => {
    const before: FakeEngineOptions["before"] = (_, response) => {
      response.writeHead(429, { "retry-after": "3600" }).end("busy");
      return true;
    };
    await using served = await engine({ before });
    await expect(open(served.host)).rejects.toThrow(/got status 429: busy$/);
  });

  test("one fault stops the others", async () => {
    const before: FakeEngineOptions["before"] = async (_, response, count) => {
      if (count === 1) return false;
      if (count > 2) return await new Promise<boolean>(() => {});
      response.writeHead(400).end(JSON.stringify({ error: { message: "no" } }));
      return true;
    };
    await using served = await engine({ before });
    await using remote = await open(served.host);
    await expect(remote.hiddenStates(requests)).rejects.toMatchObject({ code: "remote-refused" });
  });
});

describe("several endpoints", () => {
  test("share the work", async () => {
    const before = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 5));
    await using a = await engine({ before });
    await using b = await engine({ before });
    await using remote = await open(`${a.host},${b.host}`, { query: "&in-flight=2" });
    expect(await remote.hiddenStates(requests)).toEqual(expected);
    expect(Math.min(a.seen.length, b.seen.length)).toBeGreaterThan(3);
    expect(Math.max(a.most(), b.most())).toBeLessThanOrEqual(2);
  });

  test("a slow one gets less of it", async () => {
    const slow = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 100));
    await using a = await engine({ before: slow });
    await using b = await engine();
    await using remote = await open(`${a.host},${b.host}`, { query: "&in-flight=1" });
    expect(await remote.hiddenStates(requests)).toEqual(expected);
    expect(b.seen.length).toBeGreaterThan(a.seen.length);
  });

  test("when one dies, the other does the rest", async () => {
    const b = await engine();
    const before: FakeEngineOptions["before"] = async (_, _response, count) => {
      if (count === 3) await b.stop();
      return false;
    };
    await using a = await engine({ before });
    await using remote = await open(`${a.host},${b.host}`, { query: "&in-flight=2" });
    expect(await remote.hiddenStates(requests)).toEqual(expected);
    expect(await remote.hiddenStates(requests)).toEqual(expected);
  });

  test("one that is not there is noted, and asked again later", async () => {
    await using a = await engine();
    const b = await engine();
    await b.stop();
    const onNote = vi.fn();
    await using remote = await open(`${b.host},${a.host}`, { onNote });
    expect(onNote).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(`${b.host} does not answer .ECONNREFUSED`),
    );
    await using again = await engine({}, portOf(b.host));
    await new Promise((resolve) => setTimeout(resolve, 30));
    for (let i = 0; i < 4; i++) expect(await remote.hiddenStates(requests)).toEqual(expected);
    expect(again.seen.length).toBeGreaterThan(0);
  });

  test("with other weights are refused", async () => {
    await using a = await engine();
    await using b = await engine({ bend: (values) => values.map((value, i) => (i % 2 ? value : -value)) });
    await expect(open(`${a.host},${b.host}`)).rejects.toMatchObject({ code: "remote-endpoints" });
  });
});

describe("an abort", () => {
  test("ends a call at once, and the backbone can be asked again", async () => {
    let hang = false;
    const before = () => (hang ? new Promise<boolean>(() => {}) : false);
    await using served = await engine({ before });
    await using remote = await open(served.host);
    hang = true;
    const controller = new AbortController();
    const call = remote.hiddenStates(requests, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await expect(call).rejects.toThrow("enough");
    hang = false;
    expect(await remote.hiddenStates(requests)).toEqual(expected);
  });

  test("ends an opening", async () => {
    const before = () => new Promise<boolean>(() => {});
    await using served = await engine({ before });
    const remote = parseRemoteLocation(`vllm+http://${served.host}#tiny`)!;
    const signal = AbortSignal.timeout(30);
    await expect(openRemoteBackbone(remote, { signal }, QUICK)).rejects.toMatchObject({
      name: "TimeoutError",
    });
  });

  test("after close there are no states, and calls under way end", async () => {
    let hang = false;
    const before = () => (hang ? new Promise<boolean>(() => {}) : false);
    await using served = await engine({ before });
    const remote = await open(served.host);
    hang = true;
    const call = remote.hiddenStates(requests);
    setTimeout(() => remote.close(), 20);
    await expect(call).rejects.toThrow("the backbone is closed");
    await expect(remote.hiddenStates(requests)).rejects.toThrow("the backbone is closed");
    await remote.close();
  });
});

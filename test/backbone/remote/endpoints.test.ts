// When an endpoint is asked again, and how often at a time.

import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { Endpoints, type Turn } from "../../../src/backbone/remote/endpoints.ts";

const TIMING = { leastWaitMs: 100, mostWaitMs: 100_000, tries: 8 };
const never = new AbortController().signal;
const start = (inFlight = 8) => {
  const endpoints = new Endpoints(["http://a"], inFlight, TIMING);
  const take = () => endpoints.take(never);
  const takeAll = (n: number) => Promise.all(Array.from({ length: n }, take));
  return { endpoints, endpoint: endpoints.all[0]!, take, takeAll };
};
const busy = (retryAfterMs: number | null) => ({ retryAfterMs, busy: true });
const cut = { retryAfterMs: null, busy: false };
/** The next turn, or that there is none within 300 ms: longer than the first two rests. */
const orNone = (turn: Promise<Turn>) => Promise.race([turn, delay(300, "none")]);

test("answers to requests that were sent before a failure do not end the rest that it asked for", async () => {
  const { endpoints, endpoint, take, takeAll } = start();
  const [failed, ...answered] = await takeAll(8);
  endpoints.failed(failed!, busy(60_000));
  for (const turn of answered) endpoints.answered(turn);
  const next = take();
  expect(await Promise.race([next, delay(50, "rests")])).toBe("rests");
  expect(endpoint.restsUntil - performance.now()).toBeGreaterThan(50_000);
});

test.each([0, 1])("Retry-After of %s ms does not undercut the growing pauses", (retryAfterMs) => {
  const { endpoints, endpoint } = start();
  for (let failures = 1; failures <= 6; failures++) {
    endpoints.failed(endpoints.begin(endpoint), busy(retryAfterMs));
    expect(endpoint.restsUntil - performance.now()).toBeGreaterThan((100 * 2 ** (failures - 1)) / 2 - 20);
  }
});

test("requests that were under way together make one failure; none of them shortens what another was told to wait", async () => {
  const { endpoints, endpoint, takeAll } = start();
  const turns = await takeAll(4);
  endpoints.failed(turns[0]!, busy(60_000));
  for (const turn of turns.slice(1)) endpoints.failed(turn, busy(null));
  expect(endpoint).toMatchObject({ failures: 1, active: 0 });
  expect(endpoint.restsUntil - performance.now()).toBeGreaterThan(50_000);
});

test("one that is too busy gets half as many requests at a time, and one more after fifty answers", async () => {
  const { endpoints, endpoint, takeAll } = start();
  for (const turn of await takeAll(8)) endpoints.failed(turn, busy(null));
  expect(endpoint.limit).toBe(4);
  for (let answers = 0; answers < 50; answers++) endpoints.answered(endpoints.begin(endpoint));
  expect(endpoint).toMatchObject({ limit: 5, failures: 0 });
  for (let answers = 0; answers < 500; answers++) endpoints.answered(endpoints.begin(endpoint));
  expect(endpoint.limit).toBe(8);
});

test("one that fails for another reason gets as many as before once it answers", async () => {
  const { endpoints, endpoint, takeAll } = start();
  for (const turn of await takeAll(8)) endpoints.failed(turn, cut);
  endpoints.answered(endpoints.begin(endpoint));
  expect(endpoint).toMatchObject({ limit: 8, failures: 0 });
});

test.each([
  ["a cut connection", cut],
  ["too many requests", busy(null)],
])(
  "a request that is never answered does not keep an endpoint from recovering after %s",
  async (_, setback) => {
    const { endpoints, endpoint, take, takeAll } = start();
    const [, ...failed] = await takeAll(8);
    for (const turn of failed) endpoints.failed(turn, setback);
    const single = await orNone(take());
    expect(single).toMatchObject({ setbacks: 1 });
    const next = take();
    expect(await orNone(next)).toBe("none");
    endpoints.answered(single as Turn);
    await next;
    expect(endpoint).toMatchObject({ failures: 0, active: 2 });
  },
);

test("after a cut connection all go on when the rest is over, if others are answered meanwhile", async () => {
  const { endpoints, endpoint, takeAll } = start();
  const [, failed, ...answered] = await takeAll(8);
  endpoints.failed(failed!, cut);
  for (const turn of answered) endpoints.answered(turn);
  expect(endpoint.restsUntil - performance.now()).toBeGreaterThan(20);
  await takeAll(7);
  expect(endpoint).toMatchObject({ failures: 0, active: 8 });
});

test.each([
  ["first", busy(null), cut],
  ["last", cut, busy(null)],
])(
  "one that is too busy, said %s of two failures, gets a single request whatever is answered meanwhile",
  async (_, earlier, later) => {
    const { endpoints, take, takeAll } = start();
    const [first, last, ...answered] = await takeAll(8);
    endpoints.failed(first!, earlier);
    endpoints.failed(last!, later);
    for (const turn of answered) endpoints.answered(turn);
    await take();
    expect(await orNone(take())).toBe("none");
  },
);

test("the single request, refused beside others, leaves room for no more than those until one of them ends", async () => {
  const { endpoints, endpoint, take, takeAll } = start();
  const [first, second, ...refused] = await takeAll(8);
  for (const turn of refused) endpoints.failed(turn, busy(null));
  endpoints.failed(await take(), busy(null));
  expect(endpoint).toMatchObject({ limit: 2, active: 2 });
  const next = take();
  expect(await orNone(next)).toBe("none");
  endpoints.answered(first!);
  endpoints.answered(await next);
  endpoints.answered(second!);
  expect(endpoint).toMatchObject({ failures: 0, active: 0, limit: 2 });
});

// When an endpoint is asked again, and how often at a time.

import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { Endpoints } from "../../../src/backbone/remote/endpoints.ts";

const TIMING = { leastWaitMs: 100, mostWaitMs: 100_000, tries: 8 };
const never = new AbortController().signal;
const start = (inFlight = 8) => {
  const endpoints = new Endpoints(["http://a"], inFlight, TIMING);
  const take = () => endpoints.take(never);
  const takeAll = (n: number) => Promise.all(Array.from({ length: n }, take));
  return { endpoints, endpoint: endpoints.all[0]!, take, takeAll };
};
const busy = (retryAfterMs: number | null) => ({ retryAfterMs, busy: true });

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
  for (const turn of await takeAll(8)) endpoints.failed(turn, { retryAfterMs: null, busy: false });
  endpoints.answered(endpoints.begin(endpoint));
  expect(endpoint).toMatchObject({ limit: 8, failures: 0 });
});

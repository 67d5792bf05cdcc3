import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import type { Message } from "../../src/chat/messages.ts";
import { InputError } from "../../src/errors.ts";
import {
  type BatchingOptions,
  type BatchingService,
  startBatching,
} from "../../src/server/inference/batching-service.ts";
import { createMetrics } from "../../src/server/metrics.ts";
import { FAKE_MODEL, fakeScore } from "./fake-service.ts";
import { type Asked, mortalModel, waitFor } from "./mortal-model.ts";

const conversation = (content: string): Message[] => [
  { role: "user", content: "?" },
  { role: "assistant", content },
];
const scoresOf = (texts: readonly string[]) =>
  texts.map((text, index) => fakeScore(conversation(text), index));

let service: BatchingService;
afterEach(() => service.close());

/** A service over models without processes; every start of one is counted. */
function start(
  options: Partial<BatchingOptions> = {},
  { held = false, fails = () => false }: { held?: boolean; fails?: (opened: number) => boolean } = {},
) {
  const asked: Asked[] = [];
  const models = [mortalModel(asked, held)];
  const metrics = createMetrics();
  const open = async () => {
    if (fails(models.length)) throw new Error("no memory");
    models.push(mortalModel(asked, held));
    return models.at(-1)!;
  };
  const all = { workers: 1, maxQueue: 64, maxBatchTokens: 1000, maxWaitMs: 0, ...options };
  service = startBatching(models[0]!, open, FAKE_MODEL, all, { log: pino({ level: "silent" }), metrics });
  const score = (texts: readonly string[], more = {}) => service.score(texts.map(conversation), more);
  /** The next batch that the model was asked for. */
  const next = async (number: number): Promise<Asked> => {
    await waitFor(() => expect(asked.length).toBeGreaterThan(number));
    return asked[number]!;
  };
  return { asked, models, metrics, score, next };
}

describe("batches", () => {
  test("hold what arrived while the model computed, and everyone gets their own scores back", async () => {
    const { score, next, asked } = start({}, { held: true });
    const first = score(["a"]);
    await next(0);
    const others = [score(["bb", "ccc"]), score(["dddd"])];
    (await next(0)).go();
    const second = await next(1);
    expect(second.texts).toEqual(["bb", "ccc", "dddd"]);
    second.go();
    expect(await first).toEqual(scoresOf(["a"]));
    expect(await Promise.all(others)).toEqual([scoresOf(["bb", "ccc"]), scoresOf(["dddd"])]);
    expect(asked).toHaveLength(2);
  });

  test("are cut by tokens, a long request takes turns with short ones, and one that is too long alone goes alone", async () => {
    const { score, next } = start({ maxBatchTokens: 30 }, { held: true });
    const blocking = score(["a"]);
    await next(0);
    const many = score(Array.from({ length: 6 }, () => "b".repeat(20)));
    const few = score(["c"]);
    const long = score(["d".repeat(4000)]);
    (await next(0)).go();
    const batches: (readonly string[])[] = [];
    for (let number = 1; batches.flat().length < 8; number++) {
      const batch = await next(number);
      batches.push(batch.texts.map((text) => `${text[0]}${text.length}`));
      batch.go();
    }
    expect(batches.flat().sort()).toEqual(["b20", "b20", "b20", "b20", "b20", "b20", "c1", "d4000"]);
    expect(batches.find((batch) => batch.includes("d4000"))).toEqual(["d4000"]);
    const places = batches.map((batch) => batch.join());
    expect(places.findIndex((batch) => batch.includes("c1"))).toBeLessThan(
      places.findLastIndex((batch) => batch.includes("b20")),
    );
    await Promise.all([blocking, many, few, long]);
  });

  test("hold only requests that agree on the trace; steering is applied to each afterwards", async () => {
    const { score, next } = start({}, { held: true });
    const first = score(["a"]);
    await next(0);
    const plain = score(["be"]);
    const steered = score(["be"], { steering: { without: ["vowels"] } });
    const traced = score(["be"], { trace: "token" });
    (await next(0)).go();
    const together = await next(1);
    expect([together.texts, together.options.trace]).toEqual([["be", "be"], undefined]);
    together.go();
    const apart = await next(2);
    expect([apart.texts, apart.options.trace]).toEqual([["be"], "token"]);
    apart.go();
    const [[before], [after]] = await Promise.all([plain, steered]);
    expect(before).toMatchObject({ score: 1.5 });
    expect(after).toMatchObject({
      score: 1,
      unsteered: { score: 1.5 },
      contributions: { length: 1, vowels: 0 },
    });
    await Promise.all([first, traced]);
  });

  test("wait for more as long as they may, where that was asked for", async () => {
    const { score, asked } = start({ maxWaitMs: 100 });
    const first = score(["a"]);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(asked).toHaveLength(0);
    await Promise.all([first, score(["b"])]);
    expect(asked.map(({ texts }) => texts)).toEqual([["a", "b"]]);
  });

  test("wait no shorter where that is more than a timer can hold", async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error) => warnings.push(name);
    process.on("warning", note);
    const { score, asked } = start({ maxWaitMs: 3e9, maxBatchTokens: 30 });
    const first = score(["a"]);
    await sleep(50);
    expect(asked).toHaveLength(0);
    await Promise.all([first, score(["b".repeat(200)])]);
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });

  test("a steering that overflows with one conversation's numbers fails that one", async () => {
    const { score } = start();
    const [fine, refused] = await score(["", "b".repeat(50)], { steering: { scale: { length: 1e299 } } });
    expect(fine).toMatchObject({ score: 0 });
    expect(refused).toBeInstanceOf(InputError);
    expect(refused).toMatchObject({ code: "bad-steering" });
  });

  test("a steering that does not fit is refused before anything is computed", async () => {
    const { score, asked } = start();
    await expect(score(["a"], { steering: { without: ["kindness"] } })).rejects.toMatchObject({
      code: "unknown-objective",
    });
    expect(asked).toHaveLength(0);
  });
});

describe("a bad conversation", () => {
  test("fails alone, whoever else is in the batch, and its message says nothing of the batch", async () => {
    const { score, next, asked } = start({}, { held: true });
    const first = score(["a"]);
    await next(0);
    const requests = [score(["b"]), score(["c", "fail", "d"]), score(["e"])];
    (await next(0)).go();
    const [b, mixed, e] = await goOn(asked, Promise.all(requests));
    expect(b).toEqual(scoresOf(["b"]));
    expect(e).toEqual(scoresOf(["e"]));
    const results = mixed!;
    expect(results[1]).toBeInstanceOf(InputError);
    expect(results[1]).toMatchObject({ message: "score: conversation 0: too long" });
    expect([results[0], results[2]]).toEqual([
      fakeScore(conversation("c"), 0),
      fakeScore(conversation("d"), 2),
    ]);
    await first;
  });

  test("that meets a fault of the model fails its own request alone", async () => {
    const { score } = start({ maxWaitMs: 20 });
    const [fault, sound] = await Promise.allSettled([score(["fault"]), score(["b"])]);
    expect(fault).toMatchObject({ status: "rejected", reason: { message: "a fault" } });
    expect(sound).toEqual({ status: "fulfilled", value: scoresOf(["b"]) });
  });
});

describe("a process that dies", () => {
  test("is started again, and what it had is computed once more", async () => {
    const { score, next, models, metrics } = start({}, { held: true });
    const pending = score(["a", "b"]);
    await next(0);
    models[0]!.die();
    // Each by itself: whichever killed the process takes no other along.
    for (const number of [1, 2]) (await next(number)).go();
    expect(await pending).toEqual(scoresOf(["a", "b"]));
    expect(models).toHaveLength(2);
    expect(metrics.render(service.health())).toContain("armorm_worker_restarts_total 1\n");
  });

  test("over the same conversation twice is not given it a third time, and those beside it get their scores", async () => {
    const { score, models } = start({ maxWaitMs: 20 });
    const [killed, sound] = await Promise.allSettled([score(["kill"]), score(["b"])]);
    expect(killed).toMatchObject({ status: "rejected", reason: { status: 503, code: "model-crashed" } });
    expect(sound).toEqual({ status: "fulfilled", value: scoresOf(["b"]) });
    expect(await score(["c"])).toEqual(scoresOf(["c"]));
    expect(models).toHaveLength(3);
  });

  test("while it has nothing to do is started again before the next request", async () => {
    const { score, models } = start();
    expect(await score(["a"])).toEqual(scoresOf(["a"]));
    models[0]!.die();
    await waitFor(() => expect(models).toHaveLength(2));
    await waitFor(() => expect(service.health().ready).toBe(1));
    expect(await score(["b"])).toEqual(scoresOf(["b"]));
  });

  test("and cannot be started again refuses what waits and what comes, until it can", async () => {
    let broken = true;
    const { score, models } = start({}, { held: false, fails: () => broken });
    models[0]!.die();
    await waitFor(() => expect(service.health().ready).toBe(0));
    await waitFor(() =>
      expect(score(["a"])).rejects.toMatchObject({ status: 503, code: "model-unavailable" }),
    );
    broken = false;
    await waitFor(() => expect(service.health().ready).toBe(1));
    expect(await score(["b"])).toEqual(scoresOf(["b"]));
  });
});

describe("processes side by side", () => {
  test("one that cannot be started refuses nothing while the other is started again, which then computes it all", async () => {
    const asked: Asked[] = [];
    const opened: { resolve(): void; reject(reason: Error): void }[] = [];
    const open = (signal: AbortSignal) =>
      new Promise<ReturnType<typeof mortalModel>>((resolve, reject) => {
        opened.push({ resolve: () => resolve(mortalModel(asked)), reject });
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    const first = mortalModel(asked, true);
    const options = { workers: 2, maxQueue: 64, maxBatchTokens: 1000, maxWaitMs: 0 };
    const watchers = { log: pino({ level: "silent" }), metrics: createMetrics() };
    service = startBatching(first, open, FAKE_MODEL, options, watchers);
    const score = (text: string) => service.score([conversation(text)]);
    const before = score("a");
    await waitFor(() => expect(asked).toHaveLength(1));
    first.die();
    await waitFor(() => expect(opened).toHaveLength(2)); // the second process, and the first one again
    opened[0]!.reject(new Error("no memory"));
    await waitFor(() => expect(opened).toHaveLength(3)); // the second process once more
    const after = score("b");
    opened[1]!.resolve();
    expect(await Promise.all([before, after])).toEqual([scoresOf(["a"]), scoresOf(["b"])]);
    expect(service.health()).toMatchObject({ ready: 1, workers: 2 });
  });
});

describe("the queue", () => {
  test("refuses what does not fit, says when to come again, and takes the next", async () => {
    const { score, next } = start({ maxQueue: 3 }, { held: true });
    const first = score(["a"]);
    await next(0);
    const waiting = score(["b", "c"]);
    await expect(score(["d", "e"])).rejects.toMatchObject({
      status: 429,
      code: "queue-full",
      message: "queue: expected room for 2 conversations, got 1 of 3 places",
      headers: { "retry-after": "1" },
    });
    const last = score(["f"]);
    expect(service.health().queued).toBe(3);
    (await next(0)).go();
    (await next(1)).go();
    expect(await Promise.all([first, waiting, last])).toEqual([["a"], ["b", "c"], ["f"]].map(scoresOf));
    expect(service.health().queued).toBe(0);
  });

  test("gets the places of a client that leaves back, and stops a batch for which nobody waits", async () => {
    const { score, next, asked } = start({}, { held: true });
    const [leaving, queued] = [new AbortController(), new AbortController()];
    const running = score(["a"], { signal: leaving.signal });
    const { options } = await next(0);
    const waiting = score(["b", "c"], { signal: queued.signal });
    const kept = score(["d"]);
    expect(service.health().queued).toBe(3);
    queued.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
    expect(service.health().queued).toBe(1);
    expect(options.signal!.aborted).toBe(false);
    leaving.abort(new Error("left too"));
    await expect(running).rejects.toThrow("left too");
    expect(options.signal!.aborted).toBe(true);
    (await next(1)).go();
    expect(await kept).toEqual(scoresOf(["d"]));
    expect(asked.map(({ texts }) => texts)).toEqual([["a"], ["d"]]);
    await expect(score(["e"], { signal: AbortSignal.abort(new Error("never")) })).rejects.toThrow("never");
  });
});

describe("closing", () => {
  test("finishes what waits, takes nothing more, and ends the processes", async () => {
    const { score, next, models } = start({}, { held: true });
    const requests = [score(["a"])];
    await next(0);
    requests.push(score(["b"]));
    const closed = service.close(10);
    await expect(score(["c"])).rejects.toMatchObject({ status: 503, code: "shutting-down" });
    expect(service.health().draining).toBe(true);
    (await next(0)).go();
    (await next(1)).go();
    expect(await Promise.all(requests)).toEqual([scoresOf(["a"]), scoresOf(["b"])]);
    await closed;
    await models[0]!.ended;
    expect(models).toHaveLength(1);
  });

  test("takes any time that it is given, and more than a timer can hold", async () => {
    const { score, next } = start({}, { held: true });
    const pending = score(["a"]);
    const { go } = await next(0);
    const closed = service.close(3_000_000);
    await sleep(50);
    go();
    expect(await pending).toEqual(scoresOf(["a"]));
    await closed;
  });

  test("refuses what is not finished in time", async () => {
    const { score, next } = start({}, { held: true });
    const pending = expect(score(["a"])).rejects.toMatchObject({ status: 503, code: "shutting-down" });
    await next(0);
    await service.close(0.05);
    await pending;
  });
});

/** Lets every batch go on until the results are there. */
async function goOn<T>(asked: readonly Asked[], results: Promise<T>): Promise<T> {
  const going = setInterval(() => {
    for (const batch of asked) batch.go();
  }, 5);
  return results.finally(() => clearInterval(going));
}

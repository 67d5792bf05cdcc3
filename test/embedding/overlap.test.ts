// While the backbone computes a part, the next one is tokenized and the one before it is written; the bytes know nothing of it.

import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Backbone, type HiddenStatesRequest, openBackbone } from "../../src/backbone/backbone.ts";
import { type Chat, openChat } from "../../src/chat/chat.ts";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { type EmbedOptions, type EmbedProgress, embed } from "../../src/embedding/embed.ts";
import type { EmbedTiming } from "../../src/embedding/embed-timing.ts";
import { readAhead } from "../../src/embedding/read-ahead.ts";
import { childProcesses } from "../child-processes.ts";

// The isolated backbone's process runs the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const folder = mkdtempSync(join(tmpdir(), "armorm-overlap-"));
const at = (name: string) => join(folder, name);
const ROWS = 23;
const PART_ROWS = 5;
const PARTS = 5;
const rowText = (i: number) =>
  JSON.stringify({
    id: i,
    prompt: `Describe colour ${i}.`,
    chosen: `It is ${"red green blue ".repeat(i % 10 === 7 ? 900 : 1 + (i % 9))}.`,
    rejected: i % 10 === 3 ? 5 : "No.",
  });
const rows = Array.from({ length: ROWS }, (_, i) => rowText(i));

let tiny: Backbone;
let chat: Chat;
/** Of a run on the backbone of this process. */
let finished: ReadonlyMap<string, Buffer>;
beforeAll(async () => {
  tiny = await openBackbone("tiny", { threads: 1 });
  chat = await openChat(EMBEDDED_DIRECTORY);
  writeFileSync(at("pairs.jsonl"), rows.join("\n"));
  await run(tiny, "alone");
  finished = filesOf("alone");
}, 120_000);
afterAll(async () => {
  await tiny.close();
  rmSync(folder, { recursive: true });
});

const run = (backbone: Backbone, out: string, options: Partial<EmbedOptions> = {}, own: Chat = chat) =>
  embed(backbone, own, {
    kind: "pairs",
    data: [parseDataLocation(at("pairs.jsonl"))],
    out: at(out),
    location: "tiny",
    partRows: PART_ROWS,
    chatSettings: {
      fingerprint: chat.fingerprint,
      bos: chat.bos,
      specialTokens: "text",
      chatTemplate: null,
      gatingPattern: null,
    },
    ...options,
  });

function filesOf(out: string): Map<string, Buffer> {
  const names = readdirSync(at(out)).sort();
  return new Map(names.map((name) => [name, readFileSync(join(at(out), name))]));
}

const partsIn = (out: string): string[] =>
  readdirSync(at(out)).filter((name) => name.endsWith(".safetensors"));

/** Parts are those of the run that `finished` is of. */
function expectWholeParts(out: string, count: number): void {
  expect(partsIn(out)).toHaveLength(count);
  for (const name of partsIn(out))
    expect(readFileSync(join(at(out), name)).equals(finished.get(name)!)).toBe(true);
}

function expectSameSet(out: string): void {
  const files = filesOf(out);
  expect([...files.keys()]).toEqual([...finished.keys()]);
  for (const [name, bytes] of files) expect(finished.get(name)!.equals(bytes), name).toBe(true);
}

/** The backbone, which computes a part when the test says so. */
function heldBackbone() {
  const waiting: (() => void)[] = [];
  const parts: (readonly HiddenStatesRequest[])[] = [];
  const backbone: Backbone = {
    ...tiny,
    async hiddenStates(requests, options) {
      parts.push(requests);
      options?.signal?.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        waiting.push(resolve);
        const signal = options?.signal;
        if (signal) signal.addEventListener("abort", () => reject(signal.reason));
      });
      return await tiny.hiddenStates(requests);
    },
  };
  return { backbone, parts, release: () => waiting.shift()!() };
}

/** Counts the conversations that are tokenized. */
function countingChat() {
  const counted = { count: 0 };
  const encode: Chat["encode"] = (messages) => {
    counted.count++;
    return chat.encode(messages);
  };
  return { counted, chat: { ...chat, encode } };
}

async function until(look: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; await delay(2)) if (look()) return;
  throw new Error("did not happen");
}

describe("while a part is computed", () => {
  test("the one before it is written and the next one is tokenized, and none beyond", async () => {
    const { backbone, parts, release } = heldBackbone();
    const { counted, chat: own } = countingChat();
    const running = run(backbone, "held", {}, own);
    await until(() => parts.length === 1);
    // Of every pair both conversations, but the first alone where it is too long, and nothing of a row that cannot be read.
    const conversations = rows.map((_, i) => (i % 10 === 3 ? 0 : i % 10 === 7 ? 1 : 2));
    const upTo = (part: number) =>
      conversations.slice(0, part * PART_ROWS).reduce<number>((sum, count) => sum + count, 0);
    for (let index = 0; index < PARTS; index++) {
      await until(() => partsIn("held").length === index);
      await until(() => counted.count === upTo(index + 2));
      await delay(60); // Time enough to read on, if anything did.
      expect(counted.count).toBe(upTo(index + 2));
      expect(parts).toHaveLength(index + 1);
      expect(partsIn("held")).toHaveLength(index);
      release();
      await until(() => parts.length === Math.min(index + 2, PARTS));
    }
    await running;
    expectSameSet("held");
  });

  test("a wish to stop lets it be finished and written, and nothing after it", async () => {
    const { backbone, parts, release } = heldBackbone();
    const stop = new AbortController();
    const running = run(backbone, "stopped", { signal: stop.signal });
    await until(() => parts.length === 1);
    release();
    await until(() => parts.length === 2);
    stop.abort();
    release();
    expect(await running).toMatchObject({ complete: false, parts: [{}, {}] });
    expect(parts).toHaveLength(2);
    expectWholeParts("stopped", 2);
    await run(tiny, "stopped");
    expectSameSet("stopped");
  });

  test("a part that cannot be written ends the run at once, without waiting for the one that is computed", async () => {
    const { backbone, parts, release } = heldBackbone();
    const running = run(backbone, "moved");
    await until(() => parts.length === 1);
    renameSync(at("pairs.jsonl"), at("away.jsonl"));
    try {
      release();
      await expect(running).rejects.toMatchObject({ code: "changed-data" });
      expectWholeParts("moved", 0);
    } finally {
      renameSync(at("away.jsonl"), at("pairs.jsonl"));
    }
    await run(tiny, "moved");
    expectSameSet("moved");
  });

  test("a bad row of a later part is told in its turn: the parts before it are there", async () => {
    const { backbone, parts, release } = heldBackbone();
    writeFileSync(at("long.jsonl"), [0, 1, 2, 7, 8].map(rowText).join("\n")); // The fourth is too long.
    const data = [parseDataLocation(at("long.jsonl"))];
    const running = expect(
      run(backbone, "strict", { data, strict: true, partRows: 2 }),
    ).rejects.toMatchObject({ code: "bad-row" });
    await until(() => parts.length === 1); // The fourth row has been read by now.
    await delay(30);
    release();
    await running;
    expect(parts).toHaveLength(1);
    expect(partsIn("strict")).toHaveLength(1);
  });
});

describe("the time it took", () => {
  const time = async (backbone: Backbone, out: string) => {
    const timings: EmbedTiming[] = [];
    const progress: EmbedProgress[] = [];
    await run(backbone, out, {
      onTiming: (taken) => timings.push(taken),
      onProgress: (now) => progress.push(now),
    });
    rmSync(at(out), { recursive: true });
    expect(timings).toHaveLength(1);
    return { timing: timings[0]!, progress };
  };
  const slow = (own: Pick<Backbone, "hiddenStates">): Backbone => ({ ...tiny, ...own });

  test("counts what runs took where the backbone says so, and the time of the call where it does not", async () => {
    const silent = slow({
      async hiddenStates(requests) {
        const states = await tiny.hiddenStates(requests);
        await delay(100);
        return states;
      },
    });
    const talking = slow({
      async hiddenStates(requests, options) {
        const states = await tiny.hiddenStates(requests);
        await delay(100);
        options?.onProgress?.(1, 1, 20);
        return states;
      },
    });
    const asked = (await time(silent, "silent")).timing;
    expect(asked.backboneSeconds).toBeGreaterThanOrEqual(0.095 * PARTS);
    expect(asked.seconds).toBeGreaterThan(asked.backboneSeconds);
    const said = (await time(talking, "talking")).timing;
    expect(said.backboneSeconds).toBeCloseTo(0.02 * PARTS, 9);
    expect(said.seconds).toBeGreaterThan(0.095 * PARTS);
  });

  test("goes with the conversations and tokens that were computed, which progress counts up to", async () => {
    const { timing, progress } = await time(tiny, "counted");
    const { rowsOut } = JSON.parse(finished.get("manifest.json")!.toString());
    expect(timing.conversations).toBe(2 * rowsOut);
    expect(timing.backboneSeconds).toBeGreaterThan(0);
    expect(timing.backboneSeconds).toBeLessThan(timing.seconds);
    expect(progress.at(-1)).toEqual({
      rows: ROWS,
      totalRows: ROWS,
      conversations: timing.conversations,
      tokens: timing.tokens,
    });
    for (const [i, { rows, conversations, tokens }] of progress.slice(1).entries()) {
      expect(rows).toBeGreaterThanOrEqual(progress[i]!.rows);
      expect(conversations).toBeGreaterThanOrEqual(progress[i]!.conversations);
      expect(tokens).toBeGreaterThan(progress[i]!.tokens);
    }
  });
});

describe("a backbone in a process of its own", () => {
  const opened: Backbone[] = [];
  const openIsolated = async () => {
    const before = childProcesses();
    const backbone = await openBackbone("tiny", { threads: 1, isolate: true });
    opened.push(backbone);
    return { backbone, pid: childProcesses().find((id) => !before.includes(id))! };
  };
  afterEach(async () => {
    for (const backbone of opened.splice(0)) await backbone.close();
  });

  test("gives the same bytes in every file", async () => {
    const { backbone } = await openIsolated();
    await run(backbone, "isolated");
    expectSameSet("isolated");
  });

  test("that is killed ends the run in a line; finished parts are kept, and the run goes on", async () => {
    const { backbone, pid } = await openIsolated();
    let reports = 0;
    const onProgress = () => {
      if (++reports === 3) process.kill(pid, "SIGKILL");
    };
    await expect(run(backbone, "killed", { onProgress })).rejects.toMatchObject({
      code: "process-ended",
      message: expect.stringMatching(/the backbone's process .* was killed by SIGKILL/),
      remedy: expect.stringMatching(/goes on behind its finished parts/),
    });
    expectWholeParts("killed", 2);
    expect(partsIn("killed")).toEqual(readdirSync(at("killed")).filter((name) => /^pairs/.test(name)));
    const again = await openIsolated();
    await run(again.backbone, "killed");
    expectSameSet("killed");
  });
});

describe("reading ahead", () => {
  const numbers = (made: number[], count: number) =>
    async function* (stop: AbortSignal) {
      for (let i = 0; i < count && !stop.aborted; i++) {
        made.push(i);
        yield i;
      }
      if (!stop.aborted && count === 3) throw new Error("after three");
    };

  test("is one item ahead, keeps the order, and throws in its turn", async () => {
    const made: number[] = [];
    const seen: number[][] = [];
    const reading = async () => {
      for await (const item of readAhead(numbers(made, 3))) {
        await delay(5);
        seen.push([item, made.length]);
      }
    };
    await expect(reading()).rejects.toThrow("after three");
    expect(seen).toEqual([
      [0, 2],
      [1, 3],
      [2, 3],
    ]);
  });

  test("stops when nobody wants more", async () => {
    const made: number[] = [];
    for await (const item of readAhead(numbers(made, 100))) if (item === 1) break;
    expect(made).toEqual([0, 1, 2]);
  });
});

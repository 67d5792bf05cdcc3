import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Heads, headsToTensors } from "../../src/armo/heads.ts";
import { promptKey } from "../../src/armo/training-rows.ts";
import { openChat } from "../../src/chat/chat.ts";
import type { Message } from "../../src/chat/messages.ts";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { writeSafetensors } from "../../src/checkpoint/safetensors-writer.ts";
import { promptHash } from "../../src/data/prompt-hash.ts";
import { InputError } from "../../src/errors.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { createRandom } from "../../src/random.ts";
import type { LocalRewardModel } from "../../src/scoring/local-model.ts";
import { childProcesses, isRunning } from "../child-processes.ts";

// The child runs the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const folder = mkdtempSync(join(tmpdir(), "armorm-isolated-"));
const directory = join(folder, "model");
const prompt: Message[] = [{ role: "user", content: "Name a prime." }];
const responses = ["Seven.", "Eight.", "A prime has two divisors; 7 is one."];
const conversations = responses.map((content): Message[] => [...prompt, { role: "assistant", content }]);
/** Several runs of the backbone, and several messages of arguments and of scores. */
const many = Array.from({ length: 260 }, (_, i): Message[] => [
  { role: "user", content: `What is ${i} plus ${i + 1}? ${"Take your time. ".repeat(15)}` },
  { role: "assistant", content: `${2 * i + 1}.` },
]);

let here: LocalRewardModel;
let isolated: LocalRewardModel;
beforeAll(async () => {
  await writeModel();
  here = await openRewardModel(directory, { threads: 1 });
  isolated = await openRewardModel(directory, { threads: 1, isolate: true });
});
afterAll(async () => {
  await Promise.all([here.close(), isolated.close()]);
  rmSync(folder, { recursive: true });
});

describe("an isolated model", () => {
  test("gives the same scores and comparisons, to the last bit", async () => {
    expect(await isolated.score(conversations)).toStrictEqual(await here.score(conversations));
    expect(await isolated.compare(prompt, responses)).toStrictEqual(await here.compare(prompt, responses));
    expect(await isolated.score([])).toEqual([]);
  });

  test("gives the same scores for arguments and results that need many messages", async () => {
    expect(await isolated.score(many)).toStrictEqual(await here.score(many));
  });

  test("answers several calls at once", async () => {
    const together = await Promise.all(conversations.map((conversation) => isolated.score([conversation])));
    const alone = await here.score(conversations);
    for (const [i, [score]] of together.entries()) expect(score).toStrictEqual({ ...alone[i], index: 0 });
  });

  test("scores token ids, and knows objectives and training prompts", async () => {
    const chat = await openChat(EMBEDDED_DIRECTORY);
    const ids = conversations.map((conversation) => chat.encode(conversation).ids);
    expect(await isolated.scoreTokens(ids)).toStrictEqual(await here.scoreTokens(ids));
    expect(isolated.objectives).toEqual(here.objectives);
    expect(isolated.trainedOn?.(promptHash(prompt))).toBe(true);
    expect(isolated.trainedOn?.(promptHash(many[0]!.slice(0, 1)))).toBe(false);
  });

  test("reads decoded text", async () => {
    const { text } = (await openChat(EMBEDDED_DIRECTORY)).encode(conversations[0]!);
    const [whole] = await isolated.score([{ text }]);
    expect(whole).toStrictEqual((await here.score(conversations))[0]);
    await expect(isolated.score([{ text: "no turns" }])).rejects.toMatchObject({ code: "undecodable-text" });
    const options = { isolate: true, text: "retemplate=nothing" };
    await expect(openRewardModel(directory, options)).rejects.toMatchObject({ code: "bad-text-mode" });
  });

  test("reports the same progress", async () => {
    const progressOf = async (model: LocalRewardModel) => {
      const seen: [number, number][] = [];
      await model.score(many, { onProgress: (done, total) => seen.push([done, total]) });
      return seen;
    };
    const seen = await progressOf(isolated);
    expect(seen.length).toBeGreaterThan(2);
    expect(seen).toEqual(await progressOf(here));
  });

  test("fails with the same errors: class, message, code and remedy", async () => {
    const failures: ((model: LocalRewardModel) => Promise<unknown>)[] = [
      (model) => model.score([prompt]),
      (model) => model.compare(prompt, ["Seven."]),
      (model) => model.scoreTokens([[1, 2, 3]]),
      (model) => model.score([[...prompt, { role: "assistant", content: "x ".repeat(20_000) }]]),
    ];
    for (const fail of failures) {
      const [expected, actual] = await Promise.all([here, isolated].map((model) => rejection(fail(model))));
      expect(actual).toStrictEqual(expected);
      expect(actual).toBeInstanceOf(Object.getPrototypeOf(expected).constructor);
    }
    const options = { isolate: true, backbone: join(folder, "nothing") };
    expect(await rejection(openRewardModel(directory, options))).toBeInstanceOf(InputError);
    expect(await rejection(openRewardModel(join(folder, "nothing"), { isolate: true }))).toMatchObject({
      code: "not-a-model",
      remedy: "give the folder that `armorm train --out` has written",
    });
  });

  test("stops when the signal is aborted, and goes on with the next call", async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error("enough"));
    await expect(isolated.score(many, { signal: controller.signal, onProgress })).rejects.toThrow("enough");
    expect(await isolated.score(conversations)).toStrictEqual(await here.score(conversations));
    const never = AbortSignal.abort(new Error("never"));
    await expect(isolated.score(many, { signal: never })).rejects.toThrow("never");
  });

  test.runIf(process.platform === "linux")("computes nothing more for an aborted call", async () => {
    const before = childProcesses();
    await using model = await openRewardModel(directory, { threads: 1, isolate: true });
    const [pid] = childProcesses().filter((id) => !before.includes(id));
    // Fields 14 and 15: ticks of 10 ms in user and system mode.
    const ticks = () => {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
      return Number(fields[11]) + Number(fields[12]);
    };
    const opened = ticks();
    await model.score(many);
    const whole = ticks() - opened;
    const controller = new AbortController();
    const aborted = ticks();
    await expect(
      model.score(many, { signal: controller.signal, onProgress: () => controller.abort() }),
    ).rejects.toThrow();
    await model.score(conversations); // Calls take turns: this one does not wait for the whole of the other.
    await setTimeout(300);
    const atRest = ticks();
    await setTimeout(300);
    expect(ticks() - atRest).toBeLessThan(5);
    expect(atRest - aborted).toBeLessThan(0.7 * whole);
  });

  test("passes on what a progress callback throws", async () => {
    const onProgress = () => {
      throw new RangeError("thrown by the caller");
    };
    await expect(isolated.score(conversations, { onProgress })).rejects.toThrow("thrown by the caller");
  });

  test("leaves the event loop free while it computes", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await isolated.score(many);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(20);
  });
});

describe("the process of an isolated model", () => {
  test("that dies rejects what is pending and what comes later", async () => {
    const before = childProcesses();
    const model = await openRewardModel(directory, { isolate: true });
    const [pid] = childProcesses().filter((id) => !before.includes(id));
    const pending = model.score(many);
    process.kill(pid!, "SIGKILL");
    await expect(pending).rejects.toThrow("the model's process was killed by SIGKILL");
    await expect(model.score(conversations)).rejects.toThrow("open the model again");
    await model.close();
  });

  test("ends with close, also in the middle of a call, and close may be repeated", async () => {
    const before = childProcesses();
    const model = await openRewardModel(directory, { isolate: true });
    const [pid] = childProcesses().filter((id) => !before.includes(id));
    const pending = expect(model.score(many)).rejects.toThrow("the model is closed");
    await model.close();
    await pending;
    await model.close();
    expect(isRunning(pid!)).toBe(false);
    await expect(model.score(conversations)).rejects.toThrow("the model is closed");
  });

  test("does not keep a program alive, and ends with it, however it ends", async () => {
    const program = (ending: string) => `
      import { openRewardModel } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, "../../dist/index.js")))};
      const model = await openRewardModel(${JSON.stringify(directory)}, { isolate: true, threads: 1 });
      const [{ score }] = await model.score(${JSON.stringify(conversations.slice(0, 1))});
      const { pid } = process.report.getReport().libuv.find(({ type }) => type === "process");
      console.log(JSON.stringify({ score, pid }));
      ${ending}`;
    const [expected] = await here.score(conversations.slice(0, 1));
    for (const ending of [
      "await model.close();",
      "",
      "void model.score([]); process.kill(process.pid, 'SIGKILL');",
    ]) {
      const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program(ending)]);
      const { stdout } = await run.catch((error: { stdout: string }) => error);
      const { score, pid } = JSON.parse(stdout);
      expect(score).toBe(expected!.score);
      for (let waits = 0; isRunning(pid) && waits < 100; waits++) await setTimeout(20);
      expect(isRunning(pid)).toBe(false);
    }
  });
});

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable("it should have been rejected"),
    (error) => error,
  );
}

/** Heads of noise on the built-in backbone. */
async function writeModel(): Promise<void> {
  const random = createRandom(1);
  const noise = (length: number) => Float32Array.from({ length }, () => random.normal());
  const [H, K] = [256, 3];
  const heads: Heads = {
    objectives: [{ name: "kind", scale: { multiply: 4, add: 1 } }, { name: "true" }, { name: "length" }],
    hiddenSize: H,
    regression: noise(K * H),
    transform: Float32Array.of(1, 0, 0, 0, 1, 0, -0.5, -0.25, 0),
    gate: {
      layers: [{ weight: noise(K * H), bias: noise(K), inputs: H, outputs: K }],
      temperature: 10,
      logitScale: 1,
    },
    marginScale: 12.5,
  };
  const chat = await openChat(EMBEDDED_DIRECTORY);
  const config = {
    model_type: "armorm",
    hidden_size: H,
    gating_temperature: 10,
    objectives: heads.objectives,
    backbone: { location: "tiny", fingerprint: null },
    chat: {
      fingerprint: chat.fingerprint,
      bos: chat.bos,
      specialTokens: "text",
      chatTemplate: null,
      gatingPattern: null,
    },
  };
  const keys = BigUint64Array.of(promptKey(promptHash(prompt)), 2n ** 64n - 1n).sort();
  mkdirSync(directory);
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  await writeSafetensors(join(directory, "model.safetensors"), headsToTensors(heads));
  const tensor = { dtype: "U64" as const, shape: [keys.length], data: keys };
  await writeSafetensors(join(directory, "training-prompts.safetensors"), new Map([["prompt_keys", tensor]]));
}

test("reports from the child how far quantizing is, with the progress of scoring unchanged", async () => {
  vi.stubEnv("ARMORM_CACHE", join(folder, "cache"));
  try {
    const reports: number[] = [];
    const onQuantize = (done: number, total: number) => reports.push(done / total);
    await using model = await openRewardModel(directory, { isolate: true, dtype: "int8", onQuantize });
    expect(reports.at(-1)).toBe(1);
    const [score] = await model.score(conversations);
    expect(score!.dtype).toBe("int8");
  } finally {
    vi.unstubAllEnvs();
  }
});

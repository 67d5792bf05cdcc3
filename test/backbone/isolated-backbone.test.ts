import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Backbone, type HiddenStatesRequest, openBackbone } from "../../src/backbone/backbone.ts";
import { ISOLATION_PARAMETERS, isolationPays } from "../../src/backbone/isolated/isolated-backbone.ts";
import { InputError } from "../../src/errors.ts";
import { childProcesses, isRunning } from "../child-processes.ts";
import { writeWideCheckpoint } from "./wide-checkpoint.ts";

// The child runs the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const folder = mkdtempSync(join(tmpdir(), "armorm-isolated-backbone-"));
const causal = fileURLToPath(new URL("../golden/backbones/llama-causal-f32", import.meta.url));

let here: Backbone;
let isolated: Backbone;
beforeAll(async () => {
  here = await openBackbone("tiny", { threads: 1 });
  isolated = await openBackbone("tiny", { threads: 1, isolate: true });
}, 120_000);
afterAll(async () => {
  await Promise.all([here.close(), isolated.close()]);
  rmSync(folder, { recursive: true });
});

const ids = (length: number, seed: number) =>
  Array.from({ length }, (_, i) => (seed * 31 + i * i * 7 + i) % 4000);
/** Several runs, several messages of requests and of states. */
const many: HiddenStatesRequest[] = Array.from({ length: 120 }, (_, i) => ({
  ids: ids(20 + ((i * 37) % 400), i),
  ...(i % 20 === 0 ? {} : { positions: [3, 19 + ((i * 37) % 400)] }),
}));

describe("an isolated backbone", () => {
  test("is the same backbone", () => {
    const { hiddenSize, maxTokens, vocabSize, fingerprint, dtype, device } = here;
    expect(isolated).toMatchObject({ hiddenSize, maxTokens, vocabSize, fingerprint, dtype, device });
  });

  test("gives the same states, to the last bit, and reports the same progress", async () => {
    const progress: { here: number[][]; isolated: number[][] } = { here: [], isolated: [] };
    let computed = 0;
    const expected = await here.hiddenStates(many, {
      onProgress: (...report) => progress.here.push(report.slice(0, 2) as number[]),
    });
    const actual = await isolated.hiddenStates(many, {
      onProgress: (done, total, computedMs) => {
        progress.isolated.push([done, total]);
        expect(computedMs).toBeGreaterThan(computed);
        computed = computedMs!;
      },
    });
    expect(actual).toStrictEqual(expected);
    expect(progress.here.length).toBeGreaterThan(5);
    expect(progress.isolated).toEqual(progress.here);
    expect(await isolated.hiddenStates([])).toEqual([]);
  });

  test("gives the same logits", async () => {
    const requests = [
      { ids: [5, 6, 7], tokenIds: [1, 2] },
      { ids: [9], tokenIds: [3], positions: [0] },
    ];
    await using own = await openBackbone(causal);
    await using other = await openBackbone(causal, { isolate: true });
    expect(await other.nextTokenLogits(requests)).toStrictEqual(await own.nextTokenLogits(requests));
  });

  test("fails with the same errors", async () => {
    for (const request of [{ ids: [] }, { ids: [-1] }, { ids: [1], positions: [1] }]) {
      const [expected, actual] = await Promise.all(
        [here, isolated].map((backbone) => backbone.hiddenStates([request]).catch((error) => error)),
      );
      expect(actual).toBeInstanceOf(RangeError);
      expect(actual).toStrictEqual(expected);
    }
    await expect(openBackbone(join(folder, "nothing"), { isolate: true })).rejects.toMatchObject({
      code: "missing-checkpoint",
    });
  });

  test("leaves the event loop free while it computes, and stops when it is aborted", async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await isolated.hiddenStates(many);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(20);
    const controller = new AbortController();
    const call = isolated.hiddenStates(many, {
      signal: controller.signal,
      onProgress: () => controller.abort(new Error("enough")),
    });
    await expect(call).rejects.toThrow("enough");
    expect(await isolated.hiddenStates(many.slice(0, 2))).toHaveLength(2);
  });

  test("that dies says so, now and later; closing ends its process", async () => {
    const before = childProcesses();
    const backbone = await openBackbone("tiny", { isolate: true });
    const [pid] = childProcesses().filter((id) => !before.includes(id));
    const onProgress = () => void process.kill(pid!, "SIGKILL");
    const pending = await backbone.hiddenStates(many, { onProgress }).catch((error) => error);
    expect(pending).toBeInstanceOf(InputError);
    expect(pending).toMatchObject({
      code: "process-ended",
      message: expect.stringMatching(/was killed by SIGKILL; the machine may be out of memory/),
      remedy: expect.stringMatching(/start again/),
    });
    await expect(backbone.hiddenStates([{ ids: [1] }])).rejects.toBe(pending);
    await backbone.close();

    const other = await openBackbone("tiny", { isolate: true });
    const [second] = childProcesses().filter((id) => !before.includes(id));
    await other.close();
    await other.close();
    expect(isRunning(second!)).toBe(false);
    await expect(other.hiddenStates([{ ids: [1] }])).rejects.toThrow("the backbone is closed");
  });
});

describe("isolation pays", () => {
  test("for backbones with the parameters of a real model that compute here, not for others", async () => {
    expect(await isolationPays("tiny")).toBe(false);
    expect(await isolationPays("vllm+http://127.0.0.1:9#tiny")).toBe(false);
    const H = here.hiddenSize;
    await writeWideCheckpoint(join(folder, "wide"), Math.ceil(ISOLATION_PARAMETERS / H));
    await writeWideCheckpoint(join(folder, "narrow"), Math.floor(ISOLATION_PARAMETERS / H / 2));
    expect(await isolationPays(join(folder, "wide"))).toBe(true);
    expect(await isolationPays(join(folder, "narrow"))).toBe(false);
  });
});

test("when its parent is killed in the middle of its work, it says nothing", async () => {
  const script = join(folder, "killed.mts");
  const source = new URL("../../src/backbone/backbone.ts", import.meta.url);
  writeFileSync(
    script,
    `import { openBackbone } from ${JSON.stringify(source.href)};
const backbone = await openBackbone("tiny", { threads: 1, isolate: true });
const ids = Array.from({ length: 300 }, (_, i) => i);
const requests = Array.from({ length: 2000 }, (_, i) => ({ ids: [i, ...ids], positions: [300] }));
let runs = 0;
await backbone.hiddenStates(requests, { onProgress: () => ++runs === 2 && process.kill(process.pid, "SIGKILL") });`,
  );
  const parent = spawn(process.execPath, ["--import", "tsx", script], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  parent.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const [, signal] = await once(parent, "close"); // Once the child, too, has closed what it writes to.
  expect(signal).toBe("SIGKILL");
  expect(said).toBe("");
});

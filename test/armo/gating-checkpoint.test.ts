import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { CHECKPOINT_FILE } from "../../src/armo/gating-checkpoint.ts";
import { type TrainGatingOptions, trainGating } from "../../src/armo/gating-training.ts";
import { writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { createRandom } from "../../src/random.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-checkpoint-"));
afterAll(() => rmSync(folder, { recursive: true }));
let folders = 0;
const emptyFolder = () => join(folder, String(folders++));

const [N, H, K] = [90, 6, 3];
const random = createRandom(3);
const noise = (length: number) => Float32Array.from({ length }, () => random.normal());
const data = {
  promptEmbeddings: noise(N * H),
  chosen: noise(N * K),
  rejected: noise(N * K),
  margins: noise(N),
  groups: Array.from({ length: N }, (_, n) => ["chat", "code", "math"][n % 7 < 4 ? 0 : n % 7 < 6 ? 1 : 2]!),
};
const options: TrainGatingOptions = {
  ...{ hiddenSize: H, numObjectives: K, hiddenDim: 8, hiddenLayers: 2, seed: 7 },
  ...{ steps: 60, batchSize: 16, learningRate: 0.01, warmup: 10, weightDecay: 0.01, dropout: 0.3 },
  ...{ balance: "equal", labelSmoothing: 0.05, targetMargins: { scale: 0.1 }, centering: 0.01 },
  ...{ split: { fraction: 0.25 }, evaluateEvery: 7, patience: 50 },
};

/** Trains until `at` steps are done, then dies without a word, as a killed process does. */
async function killedAt(at: number, more: Partial<TrainGatingOptions>): Promise<void> {
  const onProgress = (done: number) => {
    if (done === at) throw new Error("killed");
  };
  await expect(trainGating(data, { ...options, ...more, onProgress })).rejects.toThrow("killed");
}

/** Trains until `at` steps are done and is asked to stop. */
async function abortedAt(at: number, more: Partial<TrainGatingOptions>): Promise<void> {
  const controller = new AbortController();
  const onProgress = (done: number) => {
    if (done === at) controller.abort(new Error("enough"));
  };
  const run = { ...options, ...more, onProgress, signal: controller.signal };
  await expect(trainGating(data, run)).rejects.toThrow("enough");
}

/** The steps that a run makes itself. */
async function stepsOf(more: Partial<TrainGatingOptions>) {
  let [first, steps] = [0, 0];
  const onProgress = (done: number) => {
    first ||= done;
    steps++;
  };
  return { result: await trainGating(data, { ...options, ...more, onProgress }), first, steps };
}

test.each([
  ["f32, dropout, groups in turn", {}],
  ["f64", { dtype: "f64" }],
  ["pairs drawn with replacement, the last weights", { replacement: true, balance: "off", keep: "last" }],
  [
    "given batches",
    {
      batches: Array.from({ length: 60 }, (_, t) =>
        Array.from({ length: 8 }, (_, i) => (t * 5 + i * 11) % N),
      ),
    },
  ],
  ["an early stop", { patience: 1, learningRate: 0.2, steps: 600, keep: "best" }],
] as [string, Partial<TrainGatingOptions>][])(
  "a run that was stopped and went on is the run that was not, bit for bit: %s",
  async (_, more) => {
    const whole = await trainGating(data, { ...options, ...more });
    const last = whole.history.loss.length;
    const [killed, aborted] = [emptyFolder(), emptyFolder()];
    const at = Math.min(37, last - 3);

    await killedAt(at, { ...more, checkpoint: { directory: killed, everySteps: 5 } });
    const written = at - (at % 5 === 0 ? 5 : at % 5);
    const afterKill = await stepsOf({ ...more, checkpoint: { directory: killed } });
    expect(afterKill.result).toEqual(whole);
    expect(afterKill.steps).toBe(last - written);

    await abortedAt(at, { ...more, checkpoint: { directory: aborted, everySteps: 1000 } });
    const afterAbort = await stepsOf({ ...more, checkpoint: { directory: aborted } });
    expect(afterAbort.result).toEqual(whole);
    expect(afterAbort.first).toBe(at + 1);
  },
);

test("a run that is stopped again and again, at every step, is the run that was not", async () => {
  const more = { steps: 12, evaluateEvery: 3, warmup: 0.25 };
  const whole = await trainGating(data, { ...options, ...more });
  const checkpoint = { directory: emptyFolder() };
  for (let at = 1; at < 12; at++) await abortedAt(at, { ...more, checkpoint });
  const { result, steps } = await stepsOf({ ...more, checkpoint });
  expect(steps).toBe(1);
  expect(result).toEqual(whole);
  // And once it is at its end, it is not trained any further.
  const again = await stepsOf({ ...more, checkpoint });
  expect(again.steps).toBe(0);
  expect(again.result).toEqual(whole);
});

test("a checkpoint of other options is refused by the names of what differs", async () => {
  const checkpoint = { directory: emptyFolder() };
  await abortedAt(5, { checkpoint });
  const resume = (more: Partial<TrainGatingOptions>) =>
    trainGating(data, { ...options, checkpoint, ...more });
  await expect(resume({ learningRate: 0.02, dropout: 0 })).rejects.toMatchObject({
    code: "foreign-checkpoint",
    message: `${join(checkpoint.directory, CHECKPOINT_FILE)}: expected a checkpoint of this run, with learningRate 0.02, dropout 0, got learningRate 0.01, dropout 0.3`,
  });
  await expect(resume({ initialScale: 5 })).rejects.toThrow("with initialScale 5, got initialScale 0");
  await expect(resume({ balance: { chat: 1, code: 1, math: 1 } })).rejects.toThrow(
    'with balance {"chat":1,"code":1,"math":1}, got balance "equal"',
  );
  await expect(resume({ patience: Number.POSITIVE_INFINITY })).rejects.toThrow(
    'with patience "Infinity", got patience 50',
  );
});

test("a checkpoint of other pairs, sides or initial weights is refused", async () => {
  const checkpoint = { directory: emptyFolder() };
  await abortedAt(5, { checkpoint });
  const path = join(checkpoint.directory, CHECKPOINT_FILE);
  const before = readFileSync(path);
  const change = (array: Float32Array, at: number) => array.map((value, i) => (i === at ? value + 1 : value));
  const prompts = change(data.promptEmbeddings, 0);
  const zeros = (...shape: number[]) => ({
    ...{ dtype: "F32" as const, shape },
    data: new Float32Array(shape.reduce((product, d) => product * d, 1)),
  });
  const otherInitial = {
    ...{ "layers.0.weight": zeros(8, H), "layers.0.bias": zeros(8), "layers.1.weight": zeros(8, 8) },
    ...{ "layers.1.bias": zeros(8), "layers.2.weight": zeros(K, 8), "layers.2.bias": zeros(K) },
  };
  const others: [Partial<typeof data>, Partial<TrainGatingOptions>][] = [
    [{ chosen: change(data.chosen, 100) }, {}],
    [{ promptEmbeddings: prompts }, {}],
    [{ margins: change(data.margins, 3) }, {}],
    [{ groups: data.groups.with(5, "math") }, {}],
    [{}, { split: { fraction: 0.25, seed: 1 } }],
    [{}, { initial: otherInitial }],
  ];
  for (const [otherData, other] of others) {
    const run = trainGating({ ...data, ...otherData }, { ...options, ...other, checkpoint });
    await expect(run).rejects.toMatchObject({
      code: "foreign-checkpoint",
      message: `${path}: expected a checkpoint of this run, got one with other pairs, rewards or initial weights`,
    });
  }
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("what a killed process was writing is not read, and removed; what a living one writes is left", async () => {
  const checkpoint = { directory: emptyFolder() };
  await abortedAt(20, { checkpoint });
  const whole = join(checkpoint.directory, CHECKPOINT_FILE);
  const dead = `${whole}.4194304-0123456789ab.tmp`; // Above the highest process number of Linux.
  const alive = `${whole}.${process.pid}-0123456789ab.tmp`;
  for (const half of [dead, alive]) {
    copyFileSync(whole, half);
    truncateSync(half, 1000);
  }
  const { first } = await stepsOf({ checkpoint });
  expect(first).toBe(21);
  expect(existsSync(dead)).toBe(false);
  expect(existsSync(alive)).toBe(true);
});

test("a file that is no whole checkpoint is refused in one line", async () => {
  const directory = emptyFolder();
  await abortedAt(5, { checkpoint: { directory } });
  const path = join(directory, CHECKPOINT_FILE);
  const resume = () => trainGating(data, { ...options, checkpoint: { directory } });
  truncateSync(path, 5000);
  await expect(resume()).rejects.toMatchObject({ code: "malformed-safetensors" });
  await writeSafetensors(path, { weight: { dtype: "F32", shape: [1], data: Float32Array.of(1) } });
  await expect(resume()).rejects.toThrow(
    `${path}: expected armorm-gating-checkpoint version 1, got something else`,
  );
  writeFileSync(path, "notes");
  await expect(resume()).rejects.toMatchObject({ name: "InputError" });
  expect(readdirSync(directory)).toEqual([CHECKPOINT_FILE]);
});

test("steps between checkpoints are a whole number", async () => {
  const checkpoint = { directory: emptyFolder(), everySteps: 0 };
  await expect(trainGating(data, { ...options, checkpoint })).rejects.toThrow(
    "trainGating: everySteps must be an integer ≥ 1, got 0",
  );
  expect(existsSync(checkpoint.directory)).toBe(false);
});

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Heads } from "../../src/armo/heads.ts";
import {
  type ArmoDirectory,
  requireWritable,
  type TrainedModel,
  writeModelDirectory,
} from "../../src/armo/model-directory.ts";
import { promptKey } from "../../src/armo/training-rows.ts";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { openChat } from "../../src/chat/chat.ts";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { promptHash } from "../../src/data/prompt-hash.ts";
import { isModelDirectory, openModelDirectory } from "../../src/opening/open-model-directory.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { createRandom } from "../../src/random.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-model-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const random = createRandom(1);
const noise = (length: number) => Float32Array.from({ length }, () => random.normal());
const [H, K] = [256, 3];
const heads: Heads = {
  objectives: [
    { name: "kind", source: "mine", scale: { multiply: 4, add: 1 } },
    { name: "true" },
    { name: "length" },
  ],
  hiddenSize: H,
  regression: noise(K * H),
  transform: Float32Array.of(1, 0, 0, 0, 1, 0, -0.5, -0.25, 0),
  gate: {
    layers: [
      { weight: noise(8 * H), bias: noise(8), inputs: H, outputs: 8 },
      { weight: noise(K * 8), bias: noise(K), inputs: 8, outputs: K },
    ],
    temperature: 10,
    logitScale: 1,
  },
  marginScale: 12.5,
};
const prompt = [{ role: "user", content: "Name a prime." }];
let model: TrainedModel;

beforeAll(async () => {
  await using backbone = await openBackbone("tiny", { threads: 1 });
  const chat = await openChat(EMBEDDED_DIRECTORY);
  const row = {
    alpha: 1,
    trainRows: 5,
    validationRows: 2,
    validationError: 0.1,
    r2: 0.5,
    intercept: 0,
    caution: null,
    path: [],
  };
  model = {
    heads,
    backbone: { location: "tiny", fingerprint: backbone.fingerprint },
    chat: {
      fingerprint: chat.fingerprint,
      bos: chat.bos,
      specialTokens: "text",
      chatTemplate: null,
      gatingPattern: null,
    },
    trainingKeys: BigUint64Array.of(promptKey(promptHash(prompt))),
    configuration: {} as TrainedModel["configuration"],
    report: {
      versions: { armorm: "0.1.0", node: "v20", onnxruntime: "1.30.0" },
      sets: { ratings: [], pairs: [], reference: [], evaluation: [] },
      options: {},
      rows: {
        ratings: { used: 5, test: 0, overlaps: 0, dropped: 0, remaining: 0 },
        pairs: { used: 4, test: 0, overlaps: 0, dropped: 0, remaining: 0 },
        reference: null,
      },
      objectives: heads.objectives.map(({ name }) => ({ name, ...row })),
      dropped: [{ name: "wit", reason: "no-rows", remedy: "add ratings" }],
      passes: 1,
      correlation: "spearman",
      debias: ["length"],
      transform: heads.objectives.map(({ name }) => ({
        name,
        status: name === "length" ? "target" : "ok",
        penalties: [0.5],
        before: [0.4],
        after: [0],
        heldOutBefore: [0.4],
        heldOutAfter: [0.01],
      })),
      accuracy: {
        "trained gate": 0.7,
        "uniform gate": 0.6,
        "regression mean": 0.5,
        "prefer the longer": 0.5,
        "prefer the shorter": 0.5,
      },
      validationPairs: 2,
      gating: {},
      calibration: null,
      diagnostics: null,
      history: {} as TrainedModel["report"]["history"],
    },
  };
  await requireWritable(at("model"), false);
  await writeModelDirectory(at("model"), model);
});

test("a model directory holds W, T, gate, names and scales, and opens as it was written", async () => {
  const opened = (await openModelDirectory(at("model"))) as ArmoDirectory;
  expect(opened.heads).toEqual(heads);
  expect(opened).toMatchObject({ backbone: model.backbone, chat: model.chat, trainingPrompts: 1 });
  expect(opened.trainedOn!(promptHash(prompt))).toBe(true);
  expect(opened.trainedOn!(promptHash("another"))).toBe(false);
});

test("its card names the objectives, the backbone and its licence's hold, and what could not be fitted", () => {
  const card = readFileSync(at("model/README.md"), "utf8");
  for (const text of [
    "| kind | mine |",
    "Its licence, apache-2.0, holds",
    "`tiny`",
    "Not fitted: wit (no-rows: add ratings)",
    "reward · 4 + 1",
  ]) {
    expect(card).toContain(text);
  }
});

test("it scores conversations, the same alone as together, and the parts add up", async () => {
  await using armo = await openRewardModel(at("model"), { threads: 1 });
  const conversation = (content: string) => [...prompt, { role: "assistant", content }];
  const answers = ["Seven.", "Eight is a prime number, I believe.", "No."];
  const together = await armo.score(answers.map(conversation));
  for (const [index, answer] of answers.entries()) {
    const [alone] = await armo.score([conversation(answer)]);
    expect({ ...alone, index }).toEqual(together[index]);
  }
  const { responses, pairs, ranking } = await armo.compare(prompt, answers);
  expect(responses).toEqual(together);
  expect(responses[ranking[0]!]!.score).toBe(Math.max(...together.map(({ score }) => score)));
  expect(pairs[0]!.probability).toBeGreaterThan(0.5);
  // The gate sees the prompt alone.
  expect(together[1]!.coefficients).toEqual(together[0]!.coefficients);
  // No pattern given: the one with which the chat template ends a prompt.
  const chat = await openChat(EMBEDDED_DIRECTORY);
  const ids = answers.map((answer) => chat.encode(conversation(answer)).ids);
  expect(await armo.scoreTokens(ids)).toEqual(together);
});

describe("what does not fit is refused", () => {
  const changed = (name: string, change: (config: Record<string, unknown>) => void): string => {
    cpSync(at("model"), at(name), { recursive: true });
    const config = JSON.parse(readFileSync(at(`${name}/config.json`), "utf8"));
    change(config);
    writeFileSync(at(`${name}/config.json`), JSON.stringify(config));
    return at(name);
  };

  test("another backbone than the heads were trained on", async () => {
    const other = changed("other", (config) => {
      config.backbone = { location: "tiny", fingerprint: "0".repeat(64) };
    });
    await expect(openRewardModel(other)).rejects.toThrow(
      "expected the backbone that it was trained on, got another",
    );
  });

  test("another tokenizer or template", async () => {
    const other = changed("template", (config) => {
      config.chat = { ...(config.chat as object), fingerprint: "0".repeat(64) };
    });
    await using armo = await openRewardModel(other);
    const conversation = [...prompt, { role: "assistant", content: "Seven." }];
    await expect(armo.score([conversation])).rejects.toThrow("expected the tokenizer and template");
  });

  test("heads of another width than the configuration says", async () => {
    const other = changed("width", (config) => {
      config.hidden_size = 128;
    });
    await expect(openModelDirectory(other)).rejects.toThrow(
      "expected gating.layers.0.weight [8, 128], got [8, 256]",
    );
  });

  test("a directory that is no model", async () => {
    await expect(openModelDirectory(folder)).rejects.toThrow(
      "expected a model directory, got no config.json",
    );
    expect(await isModelDirectory(folder)).toBe(false);
    expect(await isModelDirectory(EMBEDDED_DIRECTORY)).toBe(false);
    await expect(openModelDirectory(EMBEDDED_DIRECTORY)).rejects.toThrow("got LlamaForCausalLM");
  });
});

test("a model is replaced only on request, and nothing else ever", async () => {
  await expect(requireWritable(at("model"), false)).rejects.toMatchObject({
    message: expect.stringContaining("got a model"),
    remedy: expect.stringContaining("--overwrite"),
  });
  await requireWritable(at("model"), true);
  await expect(requireWritable(folder, true)).rejects.toThrow("expected an empty folder");
});

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBackbone } from "../../src/backbone/backbone.ts";
import { openChat } from "../../src/chat/chat.ts";
import type { Message } from "../../src/chat/messages.ts";
import {
  readSafetensors,
  type Tensor,
  toFloat32,
  writeSafetensors,
} from "../../src/checkpoint/safetensors.ts";
import { openModelDirectory } from "../../src/opening/open-model-directory.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { goldenClassifier, writeFsfairxCheckpoint } from "./fsfairx-checkpoint.ts";

// The child runs the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const folder = mkdtempSync(join(tmpdir(), "armorm-bt-"));
const at = (name: string) => join(folder, name);
const prompt: Message[] = [{ role: "user", content: "Name a prime." }];
const answers = ["Seven.", "Eight.", "A prime has two divisors; 7 is one."];
const conversations = answers.map((content): Message[] => [...prompt, { role: "assistant", content }]);

beforeAll(() => writeFsfairxCheckpoint(at("fsfairx")));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(["llama-seqcls-bf16", "gemma2-seqcls-f32"])("golden classifier %s", (name) => {
  const directory = join(import.meta.dirname, "../golden/backbones", name);
  const expected = JSON.parse(readFileSync(join(directory, "expected.json"), "utf8"));
  const cases: { input_ids: number[]; score: [number] }[] = expected.cases;
  const { atol, rtol } = expected.suggested_tolerance;

  test.each([
    ["in this process", false],
    ["in a process of its own", true],
  ])("gives its scores, %s, alone as together to the last bit", async (_, isolate) => {
    await using model = await openRewardModel(directory, { isolate, threads: 1 });
    const scores = await model.scoreTokens(cases.map(({ input_ids }) => input_ids));
    for (const [i, { input_ids, score }] of cases.entries()) {
      expect(Math.abs(scores[i]!.score - score[0])).toBeLessThanOrEqual(atol + rtol * Math.abs(score[0]));
      const [alone] = await model.scoreTokens([input_ids]);
      expect(alone).toEqual({ ...scores[i], index: 0 });
    }
  });
});

describe("a checkpoint in the layout of FsfairX", () => {
  test("opens as a backbone, and as a model with one objective, which is the score", async () => {
    await using backbone = await openBackbone(at("fsfairx"), { threads: 1 });
    expect(backbone.hiddenSize).toBe(48);
    await using model = await openRewardModel(at("fsfairx"), { threads: 1 });
    expect(model).toMatchObject({ objectives: [{ name: "reward" }], marginScale: 1, trainedOn: null });
    const [first] = await model.score(conversations);
    const { score } = first!;
    expect(first).toEqual({
      index: 0,
      score,
      rewards: { reward: score },
      ratings: {},
      adjustedRewards: { reward: score },
      gatingOutput: { reward: 1 },
      coefficients: { reward: 1 },
      contributions: { reward: score },
      shares: { reward: 1 },
      tokens: (await openChat(at("fsfairx"))).encode(conversations[0]!).ids.length,
      dtype: "f32",
      model: at("fsfairx"),
    });
  });

  test("reads conversations without BOS, and scores them as their token ids", async () => {
    const chat = await openChat(at("fsfairx"));
    expect(chat.bos).toBe("off");
    const ids = conversations.map((conversation) => chat.encode(conversation).ids);
    expect(ids.flat()).not.toContain(1);
    await using model = await openRewardModel(at("fsfairx"), { threads: 1 });
    expect(await model.scoreTokens(ids)).toEqual(await model.score(conversations));
    await using withBos = await openRewardModel(at("fsfairx"), { threads: 1, bos: "on" });
    expect(await withBos.scoreTokens(ids.map((own) => [1, ...own]))).toEqual(
      await withBos.score(conversations),
    );
  });

  test("says with its margin how probable a preference is: σ(margin)", async () => {
    await using model = await openRewardModel(at("fsfairx"), { threads: 1 });
    const { responses, pairs, ranking } = await model.compare(prompt, answers);
    expect(responses[ranking[0]!]!.score).toBe(Math.max(...responses.map(({ score }) => score)));
    for (const { margin, probability, contributions } of pairs) {
      expect(probability).toBeCloseTo(1 / (1 + Math.exp(-margin)), 14);
      expect(contributions).toEqual({ reward: margin });
    }
  });
});

describe("a head", () => {
  const weights = () => readSafetensors(join(goldenClassifier, "model.safetensors"));
  const variant = async (
    name: string,
    change: (tensors: Map<string, Tensor>) => void,
    configuration: object = {},
  ): Promise<string> => {
    cpSync(at("fsfairx"), at(name), { recursive: true });
    const tensors = await weights();
    change(tensors);
    await writeSafetensors(at(`${name}/model.safetensors`), tensors);
    const config = JSON.parse(readFileSync(at(`${name}/config.json`), "utf8"));
    writeFileSync(at(`${name}/config.json`), JSON.stringify({ ...config, ...configuration }));
    return at(name);
  };
  const head = (data: ArrayLike<number>, shape: number[]): Tensor => ({
    dtype: "F32",
    shape,
    data: Float32Array.from(data),
  });

  test("may have a bias, and may be stored in another dtype than the backbone", async () => {
    const stored = toFloat32((await weights()).get("score.weight")!);
    const biased = await variant("biased", (tensors) => {
      tensors.set("score.weight", head(stored, [1, 48]));
      tensors.set("score.bias", head([0.75], [1]));
    });
    await using plain = await openRewardModel(at("fsfairx"), { threads: 1 });
    await using model = await openRewardModel(biased, { threads: 1 });
    const [without] = await plain.score(conversations);
    const [score] = await model.score(conversations);
    expect(score!.score).toBeCloseTo(without!.score + 0.75, 12);
  });

  test("of another number of labels is refused by that number, whoever names it", async () => {
    const five = await variant("five", (tensors) =>
      tensors.set("score.weight", head(new Float32Array(5 * 48), [5, 48])),
    );
    await expect(openRewardModel(five)).rejects.toMatchObject({
      code: "unsupported-model",
      message: `${five}: expected a classification head with 1 label, the reward, got 5 labels`,
    });
    const headless = await variant("two", (tensors) => tensors.delete("score.weight"), {
      id2label: { 0: "no", 1: "yes" },
    });
    await expect(openRewardModel(headless)).rejects.toThrow("got 2 labels");
  });

  test.each<[string, (tensors: Map<string, Tensor>) => unknown, string]>([
    ["is missing", (t) => t.delete("score.weight"), "expected a tensor score.weight [1, 48], got none"],
    [
      "has another width",
      (t) => t.set("score.weight", head(new Float32Array(32), [1, 32])),
      "expected score.weight [1, 48], got [1, 32]",
    ],
    [
      "has no rows",
      (t) => t.set("score.weight", head(new Float32Array(48), [48])),
      "expected score.weight [1, 48], got [48]",
    ],
    [
      "holds NaN",
      (t) => t.set("score.weight", head(new Float32Array(48).fill(Number.NaN), [1, 48])),
      "expected finite numbers in score.weight, got NaN or infinity",
    ],
    [
      "holds integers",
      (t) => t.set("score.weight", { dtype: "I32", shape: [1, 48], data: new Int32Array(48) }),
      "expected score.weight as F32, F16 or BF16, got I32",
    ],
    ["has two biases", (t) => t.set("score.bias", head([0, 0], [2])), "expected score.bias [1], got [2]"],
  ])("that %s is refused", async (name, change, message) => {
    const directory = await variant(name.replaceAll(" ", "-"), change);
    await expect(openModelDirectory(directory)).rejects.toMatchObject({
      code: "bad-heads",
      message: `${directory}: ${message}`,
    });
  });
});

import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openChat } from "../../src/chat/chat.ts";
import { findGatingPosition } from "../../src/chat/gating-position.ts";
import type { Message } from "../../src/chat/messages.ts";
import { readSafetensors, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { openModelDirectory } from "../../src/opening/open-model-directory.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import { publishedGolden, writePublishedCheckpoint } from "./published-checkpoint.ts";

// The child runs the sources too, with the loader that this process hands on.
process.execArgv.push("--import", "tsx");

const folder = mkdtempSync(join(tmpdir(), "armorm-published-"));
const at = (name: string) => join(folder, name);
const directory = at("published");
const lastShard = "model-00004-of-00004.safetensors";
const { atol, rtol } = publishedGolden.suggested_tolerance;
const conversations: Message[][] = [
  [
    { role: "user", content: "Name a prime." },
    { role: "assistant", content: "Seven." },
  ],
  [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hi\n\n" },
    { role: "assistant", content: "Hello, assistant here." },
    { role: "user", content: "assistant\n\n" },
    { role: "assistant", content: "Yes?" },
  ],
];

beforeAll(() => writePublishedCheckpoint(directory));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a checkpoint in the layout of the published one", () => {
  test("has four shards, bf16 alone, and none of the keys that have defaults", async () => {
    const config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
    for (const name of ["num_objectives", "gating_temperature", "gating_n_hidden"])
      expect(config).not.toHaveProperty(name);
    const index = JSON.parse(readFileSync(join(directory, "model.safetensors.index.json"), "utf8"));
    expect(new Set(Object.values(index.weight_map)).size).toBe(4);
    const dtypes = new Set<string>();
    for (const file of new Set(Object.values<string>(index.weight_map)))
      for (const { dtype } of (await readSafetensors(join(directory, file))).values()) dtypes.add(dtype);
    expect([...dtypes]).toEqual(["BF16"]);
  });

  test.each([
    ["in this process", false],
    ["in a process of its own", true],
  ])("scores token ids as golden says, %s", async (_, isolate) => {
    await using model = await openRewardModel(directory, { isolate, threads: 1 });
    const scores = await model.scoreTokens(
      publishedGolden.cases.map((c: { input_ids: number[] }) => c.input_ids),
    );
    for (const [i, score] of scores.entries()) {
      const wanted = publishedGolden.cases[i];
      const near = (actual: number, value: number) =>
        expect(Math.abs(actual - value)).toBeLessThanOrEqual(atol + rtol * Math.abs(value));
      near(score.score, wanted.score);
      for (const [k, name] of publishedGolden.attributes.entries()) {
        near(score.rewards[name]!, wanted.rewards[k]);
        near(score.coefficients[name]!, wanted.coefficients[k]);
      }
    }
    expect(model.objectives.map(({ name }) => name)).toEqual(publishedGolden.attributes);
    expect(model).toMatchObject({ marginScale: null, trainedOn: null });
  });

  test("begins with one BOS, from the template, and the structural gating position is the pattern's", async () => {
    const chat = await openChat(directory);
    expect(chat.bos).toBe("on");
    for (const conversation of conversations) {
      const { ids, gatingPosition, promptLength } = chat.encode(conversation);
      expect(ids.filter((id) => id === 1)).toHaveLength(1);
      expect(ids[0]).toBe(1);
      expect(gatingPosition).toBe(findGatingPosition(ids, publishedGolden.gating_token_pattern));
      expect(ids.slice(gatingPosition, promptLength)).toEqual(publishedGolden.gating_token_pattern);
    }
  });

  test("scores messages as their token ids, and the added [PAD] only as text", async () => {
    await using model = await openRewardModel(directory, { threads: 1 });
    const chat = await openChat(directory);
    const scores = await model.score(conversations);
    expect(await model.scoreTokens(conversations.map((c) => chat.encode(c).ids))).toEqual(scores);
    const padded = chat.encode([
      { role: "user", content: "a" },
      { role: "assistant", content: "[PAD]" },
    ]);
    expect(padded.ids).not.toContain(319);
    expect((await openChat(directory, { specialTokens: "compat" })).tokensOf([319])).toEqual(["[PAD]"]);
  });

  test("scores the same with buffers in its shards that nobody needs", async () => {
    await writePublishedCheckpoint(at("stray"), { stray: true });
    await using plain = await openRewardModel(directory, { threads: 1 });
    await using stray = await openRewardModel(at("stray"), { threads: 1 });
    const ids = publishedGolden.cases.map((c: { input_ids: number[] }) => c.input_ids);
    const scores = await plain.scoreTokens(ids);
    expect(await stray.scoreTokens(ids)).toEqual(scores.map((score) => ({ ...score, model: at("stray") })));
  });
});

describe("a damaged one is refused in one line", () => {
  const damaged = (name: string): string => {
    cpSync(directory, at(name), { recursive: true });
    return at(name);
  };
  const withConfig = (name: string, change: object): string => {
    const copy = damaged(name);
    const config = JSON.parse(readFileSync(join(copy, "config.json"), "utf8"));
    writeFileSync(join(copy, "config.json"), JSON.stringify({ ...config, ...change }));
    return copy;
  };

  test("that lacks a shard, with the shard's name", async () => {
    const copy = damaged("shardless");
    rmSync(join(copy, "model-00002-of-00004.safetensors"));
    await expect(openRewardModel(copy)).rejects.toThrow(/^[^\n]*model-00002-of-00004\.safetensors[^\n]*$/);
  });

  test("whose shard was cut short", async () => {
    const copy = damaged("truncated");
    truncateSync(join(copy, lastShard), 4000);
    await expect(openRewardModel(copy)).rejects.toMatchObject({
      code: "malformed-safetensors",
      message: expect.stringMatching(/^[^\n]*model-00004-of-00004\.safetensors[^\n]*$/),
    });
  });

  test("whose tensors have other shapes than its configuration says", async () => {
    const copy = damaged("misshapen");
    const shard = await readSafetensors(join(copy, lastShard));
    const norm = shard.get("model.norm.weight")!;
    shard.set("model.norm.weight", { ...norm, shape: [2, 32] });
    await writeSafetensors(join(copy, lastShard), shard);
    await expect(openRewardModel(copy)).rejects.toThrow("expected model.norm.weight to be [64], got [2, 32]");
  });

  test.each(["I8", "F8_E4M3"] as const)("whose heads are stored as %s", async (dtype) => {
    const copy = damaged(dtype);
    const shard = await readSafetensors(join(copy, lastShard));
    const { shape } = shard.get("regression_layer.weight")!;
    const data = new (dtype === "I8" ? Int8Array : Uint8Array)(shape[0]! * shape[1]!);
    shard.set("regression_layer.weight", { dtype, shape, data });
    await writeSafetensors(join(copy, lastShard), shard);
    const message = `expected regression_layer.weight in a float type, got ${dtype}`;
    await expect(openRewardModel(copy)).rejects.toThrow(message);
  });

  test.each<[string, object, string]>([
    ["more objectives", { num_objectives: 20 }, "expected regression_layer.weight [20, 64], got [19, 64]"],
    ["a billion objectives", { num_objectives: 1e9 }, "regression_layer.weight [1000000000, 64]"],
    ["half an objective", { num_objectives: 0.5 }, "expected num_objectives to be an integer, got 0.5"],
    ["another hidden size", { hidden_size: 32 }, "expected regression_layer.weight [19, 32], got [19, 64]"],
    ["a wider gate", { gating_hidden_dim: 1024 }, "expected gating.layers.0.weight [1024, 64], got [40, 64]"],
    [
      "a deeper gate",
      { gating_n_hidden: 4 },
      "expected a gate of 4 hidden layers and one more, got 4 layers",
    ],
    ["to be of a later version of armorm", { armorm: { version: 2 } }, "expected armorm version 1, got 2"],
    [
      "other objectives than it has",
      { armorm: { version: 1, objectives: [{ name: "one" }], marginScale: null, chat: null } },
      "armorm.objectives to be 19 objectives with names",
    ],
    ["more that is no object", { armorm: [] }, "expected armorm to be an object, got []"],
    [
      "no temperature",
      { gating_temperature: "warm" },
      'gating_temperature to be a number above 0, got "warm"',
    ],
  ])("that claims %s", async (name, change, message) => {
    await expect(openModelDirectory(withConfig(name, change))).rejects.toThrow(message);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isPublishedModel, PUBLISHED_CARD } from "../../src/evaluation/published-card.ts";
import { findVerifyCard, readVerifyCard, writeVerifyCard } from "../../src/evaluation/verify-card.ts";
import { createVerifyCard, verifyModel } from "../../src/evaluation/verify-model.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import type { LocalRewardModel } from "../../src/scoring/local-model.ts";
import { writePublishedCheckpoint } from "../armo/published-checkpoint.ts";
import { writeFsfairxCheckpoint } from "../siblings/fsfairx-checkpoint.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-verify-"));
const at = (name: string) => join(folder, name);
const prompt = [{ role: "user", content: "Name a prime." }];
const example = { source: "this test", tolerance: 1e-4, prompt, responses: ["Seven.", "Eight."] };

let published: LocalRewardModel;
beforeAll(async () => {
  await writePublishedCheckpoint(at("published"));
  writeFsfairxCheckpoint(at("fsfairx"));
  published = await openRewardModel(at("published"), { threads: 1 });
});
afterAll(async () => {
  await published.close();
  rmSync(folder, { recursive: true });
});

describe("a model verifies", () => {
  test("a card of its own values, written and read again", async () => {
    const card = await createVerifyCard(published, example);
    await writeVerifyCard(at("published"), card);
    expect(await findVerifyCard(at("published"))).toEqual(card);
    rmSync(at("published/verify.json"));
    const { passed, values, largest, scores } = await verifyModel(published, card);
    expect(passed).toBe(true);
    // Coefficients, rewards and the five ratings that have a scale, and the score, of two responses.
    expect(values).toHaveLength(2 * (19 + 19 + 5 + 1));
    expect(values.every(({ difference }) => difference === 0)).toBe(true);
    expect(largest).toEqual([]); // All coefficients are there: none could be missing among the largest.
    expect(scores).toEqual(card.responses.map(({ score }) => score));
  });

  test("within the tolerance and not beyond", async () => {
    const card = await createVerifyCard(published, example);
    const [first, second] = card.responses;
    const moved = (by: number) => ({
      ...card,
      responses: [{ ...first!, score: first!.score! + by }, second!],
    });
    expect((await verifyModel(published, moved(0.99e-4))).passed).toBe(true);
    const { passed, values } = await verifyModel(published, moved(-1.01e-4));
    expect(passed).toBe(false);
    const outside = values.filter(({ within }) => !within);
    expect(outside).toMatchObject([{ response: 0, kind: "score", objective: null }]);
    expect(outside[0]!.difference).toBeCloseTo(1.01e-4, 12);
  });

  test("only if the coefficients of the card are its largest", async () => {
    const { responses, ...card } = await createVerifyCard(published, { ...example, responses: ["Seven."] });
    const sorted = Object.entries(responses[0]!.coefficients!).sort(
      ([, a], [, b]) => Math.abs(b) - Math.abs(a),
    );
    const holding = (entries: [string, number][]) => ({
      ...card,
      responses: [{ content: "Seven.", coefficients: Object.fromEntries(entries) }],
    });
    const names = sorted.slice(0, 3).map(([name]) => name);
    const top = await verifyModel(published, holding(sorted.slice(0, 3)));
    expect(top).toMatchObject({ passed: true, largest: [{ card: names, model: names, same: true }] });
    const other = await verifyModel(published, holding(sorted.slice(1, 4)));
    expect(other.values.every(({ within }) => within)).toBe(true);
    expect(other).toMatchObject({ passed: false, largest: [{ model: names, same: false }] });
  });

  test("with one score alone, if that is all it has", async () => {
    await using model = await openRewardModel(at("fsfairx"), { threads: 1 });
    const card = await createVerifyCard(model, example);
    expect((await verifyModel(model, card)).passed).toBe(true);
    expect((await verifyModel(published, { ...card, tolerance: 1 }).catch((error) => error)).message).toBe(
      "verify: expected coefficients of objectives of the model, got reward",
    );
  });
});

describe("the published model's card", () => {
  test("is found by the hub id, with or without a revision, and by the sizes of the configuration", async () => {
    const config = {
      architectures: ["LlamaForRewardModelWithGating"],
      hidden_size: 4096,
      num_hidden_layers: 32,
      vocab_size: 128_257,
    };
    expect(isPublishedModel("RLHFlow/ArmoRM-Llama3-8B-v0.1", {})).toBe(true);
    expect(isPublishedModel("RLHFlow/ArmoRM-Llama3-8B-v0.1@main", {})).toBe(true);
    expect(isPublishedModel("RLHFlow/ArmoRM-Llama3-8B-v0.10", {})).toBe(false);
    expect(isPublishedModel("here", config)).toBe(true);
    for (const change of [{ hidden_size: 64 }, { vocab_size: 128_256 }, { num_objectives: 3 }])
      expect(isPublishedModel("here", { ...config, ...change })).toBe(false);
  });

  test("names three coefficients, five ratings beside what people said, and three responses", async () => {
    // Another model of the same layout: everything is compared, and little is the same.
    const { values, largest, scores, passed } = await verifyModel(published, PUBLISHED_CARD);
    expect(values.map(({ kind }) => kind)).toEqual([
      ...Array(3).fill("coefficient"),
      ...Array(5).fill("rating"),
    ]);
    expect(largest[0]!.card).toHaveLength(3);
    expect(Object.values(PUBLISHED_CARD.responses[0]!.humanRatings!)).toEqual([3, 3, 4, 2, 2]);
    expect(scores).toHaveLength(3);
    expect(passed).toBe(false);
    expect(PUBLISHED_CARD.responses[1]!.content.match(/^\d+\. \S+$/gm)).toHaveLength(15);
  });
});

describe("a card is refused", () => {
  const valid = {
    format: "armorm-verify",
    version: 1,
    source: "here",
    tolerance: 0.1,
    prompt,
    responses: [{ content: "Seven.", score: 1 }],
  };
  const read = (value: unknown) => {
    writeFileSync(at("card.json"), typeof value === "string" ? value : JSON.stringify(value));
    return readVerifyCard(at("card.json"));
  };

  test("not at all where it is right", async () => {
    const { format: _, version: __, ...card } = valid;
    expect(await read(valid)).toEqual(card);
  });

  test.each<[string, unknown, string]>([
    ["that is no JSON", "{", "expected JSON, got something else"],
    ["that is a list", [], "expected a card, got []"],
    ["of another format", { ...valid, format: "other" }, 'expected format "armorm-verify", got other'],
    ["of another version", { ...valid, version: 2 }, "expected version 1, got 2"],
    ["without a source", { ...valid, source: "" }, "expected a source as text, got "],
    ["without a tolerance", { ...valid, tolerance: 0 }, "expected a tolerance above 0, got 0"],
    ["with a note that is no text", { ...valid, note: 3 }, "expected a note as text, got 3"],
    ["with a misspelt field", { ...valid, tolerence: 1 }, "got tolerence"],
    ["without a prompt", { ...valid, prompt: [] }, "prompt: expected a non-empty array of messages"],
    ["without responses", { ...valid, responses: [] }, "expected at least one response, got []"],
    ["without values", { ...valid, responses: [{ content: "a" }] }, "expected values to verify, got none"],
    ["without content", { ...valid, responses: [{ score: 1 }] }, "response 0: expected content as text"],
    [
      "with a score as text",
      { ...valid, responses: [{ content: "a", score: "1" }] },
      "response 0: expected a number as score, got 1",
    ],
    [
      "with a rating as text",
      { ...valid, responses: [{ content: "a", ratings: { kind: "4" } }] },
      "response 0: ratings: expected a number as kind, got 4",
    ],
    [
      "with rewards as a list",
      { ...valid, responses: [{ content: "a", rewards: [1] }] },
      "response 0: rewards: expected numbers by objective, got [1]",
    ],
  ])("%s", async (_, value, message) => {
    const error = await read(value).catch((thrown) => thrown);
    expect(error.name).toBe("InputError");
    expect(error.message).toContain(message);
    expect(error.message).not.toContain("\n");
  });

  test("that is not there", async () => {
    await expect(readVerifyCard(at("none.json"))).rejects.toMatchObject({ code: "missing-file" });
    await expect(findVerifyCard(at("fsfairx"))).rejects.toMatchObject({ code: "no-verify-card" });
    await expect(findVerifyCard(at("nothing"))).rejects.toMatchObject({ code: "not-a-model" });
  });
});

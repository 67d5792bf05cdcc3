import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseDataLocation } from "../../src/data/location.ts";
import { promptHash } from "../../src/data/prompt-hash.ts";
import { embed } from "../../src/embedding/embed.ts";
import { openEmbedder } from "../../src/embedding/embedder.ts";
import { type EmbeddingSet, openEmbeddingSet } from "../../src/embedding/embedding-set.ts";
import type { EmbeddingKind } from "../../src/embedding/manifest.ts";
import { openModelDirectory } from "../../src/opening/open-model-directory.ts";
import { openRewardModel } from "../../src/opening/open-reward-model.ts";
import type { Score } from "../../src/reward-model.ts";
import { scoreBestOfNSets, scorePairSets } from "../../src/scoring/score-embeddings.ts";
import { steerScore } from "../../src/scoring/steering.ts";
import { writeSmallModel } from "../cli/small-model.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-score-sets-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

const rows = [
  {
    id: "a",
    prompt: "Two plus two?",
    responses: ["A: 4", "It is 5", "4"],
    labels: [1, 0, 1],
    subset: "sums",
  },
  { id: 2, prompt: "Say hello to the world, and then goodbye.", responses: ["Hello!"], labels: [0.25] },
  { id: null, prompt: "too long", responses: ["fine", "word ".repeat(2000)], labels: [1, 0] },
  { id: "d", prompt: "Two plus three?", responses: ["", "five"], labels: [0, 1] },
];
let set: EmbeddingSet;
let pairs: EmbeddingSet;

async function embedRows(kind: EmbeddingKind, values: readonly unknown[]): Promise<EmbeddingSet> {
  writeFileSync(at(`${kind}.jsonl`), values.map((value) => JSON.stringify(value)).join("\n"));
  await using embedder = await openEmbedder("tiny", { threads: 1 });
  const { backbone, chat, chatSettings, location } = embedder;
  const data = [parseDataLocation(at(`${kind}.jsonl`))];
  await embed(backbone, chat, { chatSettings, location, kind, data, out: at(kind), partRows: 2 });
  return await openEmbeddingSet(at(kind));
}

beforeAll(async () => {
  await writeSmallModel(at("model"));
  set = await embedRows("best-of-n", rows);
  pairs = await embedRows("pairs", [{ prompt: "Two plus two?", chosen: "A: 4", rejected: "It is 5" }]);
});

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

test("scores from embeddings are those from text, bit for bit, and rejected rows stand in their place", async () => {
  const scored = await collect(scoreBestOfNSets(await openModelDirectory(at("model")), [set]));
  await using model = await openRewardModel(at("model"), { threads: 1 });
  const fitting = rows.filter(({ id }) => id !== null);
  expect(scored.length).toBe(4);
  for (const { id, prompt, responses, labels, subset } of fitting) {
    const conversations = responses.map((content) => [
      { role: "user" as const, content: prompt },
      { role: "assistant" as const, content },
    ]);
    const fromText = await model.score(conversations);
    const row = scored[rows.findIndex((each) => each.id === id)]!;
    if (!("responses" in row)) throw new Error("expected a scored row");
    expect(row).toMatchObject({
      id,
      subset: subset ?? null,
      source: "best-of-n",
      promptHash: promptHash(prompt),
      labels,
    });
    const withoutTokens = row.responses.map(({ tokens: _, ...score }) => score);
    expect(withoutTokens).toEqual(fromText.map(({ tokens: _, ...score }) => score));
    const lengths = row.responses.map(({ tokens }) => tokens - row.responses[0]!.tokens);
    expect(lengths).toEqual(fromText.map(({ tokens }) => tokens - fromText[0]!.tokens));
  }
  expect(scored[0]).toMatchObject({ finalAnswers: ["4", "5", "4"] });
  expect(scored[2]).toMatchObject({ row: 2, id: null, kind: "too-long", promptHash: promptHash("too long") });
});

test("a pair scores as the two responses of a row do", async () => {
  const model = await openModelDirectory(at("model"));
  const [row] = await collect(scoreBestOfNSets(model, [set], { limit: 1 }));
  const [pair] = await collect(scorePairSets(model, [pairs]));
  if (!row || !pair || !("responses" in row) || !("chosen" in pair)) throw new Error("expected scored rows");
  expect([pair.chosen.contributions, pair.rejected.contributions]).toEqual(
    row.responses.slice(0, 2).map(({ contributions }) => contributions),
  );
});

test("embeddings are scored under steering as finished scores are steered, and a steering that does not fit is refused", async () => {
  const model = await openModelDirectory(at("model"));
  const steering = { scale: { kind: 3 }, without: ["length"] };
  const steer = (score: Score) => steerScore(score, steering, model.scorer);
  const [pair] = await collect(scorePairSets(model, [pairs]));
  const [row] = await collect(scoreBestOfNSets(model, [set]));
  if (!row || !pair || !("responses" in row) || !("chosen" in pair)) throw new Error("expected scored rows");
  expect(await collect(scorePairSets(model, [pairs], { steering }))).toEqual([
    { ...pair, chosen: steer(pair.chosen), rejected: steer(pair.rejected) },
  ]);
  const [steeredRow] = await collect(scoreBestOfNSets(model, [set], { steering, limit: 1 }));
  expect(steeredRow).toEqual({ ...row, responses: row.responses.map(steer) });
  const wrong = { steering: { without: ["lenght"] } };
  for (const stream of [scorePairSets(model, [pairs], wrong), scoreBestOfNSets(model, [set], wrong)]) {
    await expect(collect<unknown>(stream)).rejects.toMatchObject({ code: "unknown-objective" });
  }
});

test("the limit counts rows, rejected ones included, and skipped rows are told", async () => {
  const model = await openModelDirectory(at("model"));
  const limited = await collect(scoreBestOfNSets(model, [set, set], { limit: 1 }));
  expect(limited).toMatchObject([{ id: "a" }]);
  expect(await collect(scoreBestOfNSets(model, [set, set], { limit: 3 }))).toHaveLength(3);
  const long = promptHash("too long");
  const without = await collect(scoreBestOfNSets(model, [set], { skip: (prompt) => prompt === long }));
  expect(without[2]).toEqual({ promptHash: long, skipped: true });
  const hash = promptHash(rows[0]!.prompt);
  const skipped = await collect(
    scoreBestOfNSets(model, [set], { limit: 2, skip: (prompt) => prompt === hash }),
  );
  expect(skipped).toMatchObject([{ promptHash: hash, skipped: true }, { id: 2 }]);
});

test("sets of another kind or of another backbone are refused", async () => {
  const model = await openModelDirectory(at("model"));
  await expect(collect(scoreBestOfNSets(model, [pairs]))).rejects.toThrow(
    "expected embedded best-of-n, got pairs",
  );
  await expect(collect(scorePairSets(model, [set]))).rejects.toThrow(
    "expected embedded pairs, got best-of-n",
  );
  const other = { ...model, backbone: { ...model.backbone, fingerprint: "another" } };
  await expect(collect(scoreBestOfNSets(other, [set]))).rejects.toMatchObject({ code: "wrong-backbone" });
});

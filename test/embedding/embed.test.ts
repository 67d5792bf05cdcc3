import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Backbone, openBackbone } from "../../src/backbone/backbone.ts";
import { type Chat, openChat } from "../../src/chat/chat.ts";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { withFiles } from "../../src/data/data-files.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { parseScale } from "../../src/data/rating-scale.ts";
import { type EmbedOptions, embed } from "../../src/embedding/embed.ts";
import { openEmbeddingSet } from "../../src/embedding/embedding-set.ts";
import { type EmbedPlan, estimateSize } from "../../src/embedding/plan.ts";
import { openPromptRows } from "../../src/embedding/prompt-rows.ts";
import { surveyData } from "../../src/embedding/survey.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-embed-"));
let backbone: Backbone;
let chat: Chat;
beforeAll(async () => {
  backbone = await openBackbone("tiny", { threads: 1 });
  chat = await openChat(EMBEDDED_DIRECTORY);
});
afterAll(async () => {
  await backbone.close();
  rmSync(folder, { recursive: true });
});

const words = (n: number) =>
  Array.from({ length: n }, (_, i) => ["red", "green", "blue", "old", "new"][i % 5]).join(" ");
const ratings = Array.from({ length: 23 }, (_, i) => ({
  id: `r${i}`,
  prompt: `Name ${i + 1} colours.`,
  response: words(1 + (i % 7)),
  ratings: i % 2 === 0 ? { quality: i / 22, clarity: 1 } : { quality: i / 22 },
}));
const pairs = Array.from({ length: 9 }, (_, i) => ({
  id: i,
  prompt: `Describe colour ${i}.`,
  chosen: `It is ${words(i + 1)}.`,
  rejected: "No.",
  subset: i % 2 === 0 ? "even" : "odd",
}));

function writeRows(name: string, rows: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
  return path;
}

const run = (path: string, out: string, options: Partial<EmbedOptions> = {}) =>
  embed(backbone, chat, {
    kind: "ratings",
    data: [parseDataLocation(path)],
    out: join(folder, out),
    location: "tiny",
    chatSettings: {
      fingerprint: chat.fingerprint,
      bos: chat.bos,
      specialTokens: "text",
      chatTemplate: null,
      gatingPattern: null,
    },
    ...options,
  });

/** Stops a run in its first part, which is finished. */
function stopAtOnce() {
  const stop = new AbortController();
  return { signal: stop.signal, onProgress: () => stop.abort() };
}

/** What the backbone says of a conversation, without the embedding room. */
async function statesOf(prompt: string, response: string) {
  const { ids, gatingPosition } = chat.encode([
    { role: "user", content: prompt },
    { role: "assistant", content: response },
  ]);
  const [states] = await backbone.hiddenStates([{ ids, positions: [gatingPosition, ids.length - 1] }]);
  return { prompt: states!.subarray(0, 256), last: states!.subarray(256), ids };
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

test("ratings become embeddings of the last token, labels with NaN where unrated, and lengths", async () => {
  const path = writeRows("ratings.jsonl", ratings);
  const manifest = await run(path, "ratings", { partRows: 10 });
  expect(manifest).toMatchObject({ complete: true, rowsIn: 23, rowsOut: 23, rejections: [] });
  expect(manifest.parts.map((part) => part.rows)).toEqual([10, 10, 3]);
  expect(manifest.objectives).toEqual([
    { name: "quality", source: "ratings", rows: 23, minimum: 0, maximum: 1 },
    { name: "clarity", source: "ratings", rows: 12, minimum: 1, maximum: 1 },
  ]);
  const chunks = await collect((await openEmbeddingSet(join(folder, "ratings"))).ratings());
  const rows = chunks.flatMap((chunk) => chunk.rows);
  expect(rows.map(({ id }) => id)).toEqual(ratings.map(({ id }) => id));
  for (const [i, { prompt, response }] of ratings.entries()) {
    const chunk = chunks[Math.floor(i / 10)]!;
    const { last, ids } = await statesOf(prompt, response);
    expect(chunk.embeddings.slice((i % 10) * 256, ((i % 10) + 1) * 256)).toEqual(last.slice());
    expect(chunk.responseTokens?.[i % 10]).toBeLessThan(ids.length);
    expect(chunk.responseTokens?.[i % 10]).toBeGreaterThan(response.split(" ").length);
  }
  expect(Number.isNaN(chunks[0]!.labels[3])).toBe(true);
  expect(chunks[0]!.labels[1]).toBe(1);
});

test("pairs become chosen, rejected and the gating token of their common prompt", async () => {
  const path = writeRows("pairs.jsonl", pairs);
  await run(path, "pairs", { kind: "pairs", partRows: 4 });
  const set = await openEmbeddingSet(join(folder, "pairs"));
  const chunks = await collect(set.pairs());
  for (const [i, { prompt, chosen, rejected, subset }] of pairs.entries()) {
    const [chunk, at] = [chunks[Math.floor(i / 4)]!, i % 4];
    const [a, b] = [await statesOf(prompt, chosen), await statesOf(prompt, rejected)];
    expect(chunk.rows[at]).toMatchObject({ id: i, subset, row: i });
    expect(chunk.embeddings.slice(2 * at * 256, (2 * at + 1) * 256)).toEqual(a.last.slice());
    expect(chunk.embeddings.slice((2 * at + 1) * 256, (2 * at + 2) * 256)).toEqual(b.last.slice());
    expect(chunk.promptEmbeddings.slice(at * 256, (at + 1) * 256)).toEqual(a.prompt.slice());
  }
  const gathered = { memory: new Float32Array(3 * 256), disk: new Float32Array(3 * 256) };
  await using memory = await openPromptRows([set, set]);
  await using disk = await openPromptRows([set, set], { memoryBytes: 0 });
  await memory.gather([8, 1, 9 + 5], gathered.memory);
  await disk.gather([8, 1, 9 + 5], gathered.disk);
  expect(memory.rows).toBe(18);
  expect(gathered.memory.slice(256, 512)).toEqual(chunks[0]!.promptEmbeddings.slice(256, 512));
  expect(gathered.memory.slice(512)).toEqual(chunks[1]!.promptEmbeddings.slice(256, 512));
  expect(gathered.disk).toEqual(gathered.memory);
});

test("margins of pairs are kept beside their rows, where the data have them", async () => {
  const rows = pairs.map((row, i) => (i < 3 ? { ...row, margin: i / 2 } : row));
  await run(writeRows("margins.jsonl", rows), "margins", { kind: "pairs" });
  const [infos] = await collect((await openEmbeddingSet(join(folder, "margins"))).rowInfos());
  expect(infos!.map((info) => ("margin" in info ? info.margin : "none")).slice(0, 4)).toEqual([
    0,
    0.5,
    1,
    "none",
  ]);
});

test("every row is accounted for: embedded, too long, or invalid", async () => {
  const rows = [
    ratings[0],
    { ...ratings[1], response: words(3000) },
    "{broken",
    { ...ratings[2], ratings: { quality: "5" } },
    ratings[3],
  ];
  const manifest = await run(writeRows("mixed.jsonl", rows), "mixed");
  expect(manifest.rowsIn).toBe(5);
  expect(manifest.rowsOut + manifest.rejections.length).toBe(manifest.rowsIn);
  expect(manifest.rejections.map(({ row, kind }) => [row, kind])).toEqual([
    [1, "too-long"],
    [2, "invalid"],
    [3, "invalid"],
  ]);
  expect(manifest.rejections[0]!.reason).toMatch(/\d+ tokens.*1024/);
  expect(manifest.rejections[1]!.reason).toMatch(/JSON/);
  await expect(run(join(folder, "mixed.jsonl"), "strict", { strict: true })).rejects.toThrow(/JSON/);
});

test("a pair that is too long leaves a gap with a reason, and the rows after it keep their numbers and their states", async () => {
  mkdirSync(join(folder, "gaps"));
  const long = pairs.map((row, i) => (i === 4 ? { ...row, chosen: words(3000) } : row));
  const manifest = await run(writeRows("gaps/pairs.jsonl", long), "gap", { kind: "pairs", partRows: 4 });
  expect(manifest.rejections).toMatchObject([{ row: 4, id: 4, kind: "too-long" }]);
  await run(writeRows("pairs.jsonl", pairs), "no-gap", { kind: "pairs", partRows: 4 });
  const stream = async (name: string) => {
    const chunks = await collect((await openEmbeddingSet(join(folder, name))).pairs());
    return chunks.flatMap(({ rows, embeddings }) =>
      rows.map((info, i) => ({ info, states: embeddings.slice(2 * i * 256, 2 * (i + 1) * 256) })),
    );
  };
  expect(await stream("gap")).toEqual((await stream("no-gap")).filter(({ info }) => info.row !== 4));
});

test("a part of another run is not read beside the set's own, nor in the place of one", async () => {
  const other = pairs.map((row) => ({ ...row, chosen: `${row.chosen} Or so.` }));
  await run(writeRows("first.jsonl", pairs), "first", { kind: "pairs", partRows: 4 });
  await run(writeRows("second.jsonl", other), "second", { kind: "pairs", partRows: 4 });
  const set = await openEmbeddingSet(join(folder, "first"));
  const before = await collect(set.pairs());
  const part = (name: string, index: number) => join(folder, name, `pairs-0000${index}-of-00003.safetensors`);
  copyFileSync(part("second", 1), join(folder, "first", "pairs-00001-of-00002.safetensors"));
  expect(await collect((await openEmbeddingSet(join(folder, "first"))).pairs())).toEqual(before);
  copyFileSync(part("second", 2), part("first", 2));
  await expect(collect((await openEmbeddingSet(join(folder, "first"))).pairs())).rejects.toMatchObject({
    code: "changed-part",
  });
});

test("an aborted run leaves whole parts, and the same call continues to the same bytes", async () => {
  const path = join(folder, "ratings.jsonl");
  const stopped = await run(path, "resumed", { partRows: 10, ...stopAtOnce() });
  expect(stopped).toMatchObject({ complete: false, rowsOut: 10 });
  await expect(openEmbeddingSet(join(folder, "resumed"))).rejects.toThrow("complete embedding set");
  let tokens = 0;
  await run(path, "resumed", {
    partRows: 10,
    onProgress: (progress) => {
      tokens = progress.tokens;
    },
  });
  const all = ratings.reduce((sum, { prompt, response }) => {
    return (
      sum +
      chat.encode([
        { role: "user", content: prompt },
        { role: "assistant", content: response },
      ]).ids.length
    );
  }, 0);
  expect(tokens).toBeLessThan(all);
  const names = readdirSync(join(folder, "ratings"));
  expect(readdirSync(join(folder, "resumed"))).toEqual(names);
  for (const name of names) {
    expect(
      readFileSync(join(folder, "resumed", name)).equals(readFileSync(join(folder, "ratings", name))),
    ).toBe(true);
  }
});

test("a folder with other embeddings or other files is refused", async () => {
  const path = join(folder, "ratings.jsonl");
  await expect(run(path, "ratings", { partRows: 5 })).rejects.toThrow(
    "got embeddings of other data or options",
  );
  await expect(run(path, ".")).rejects.toThrow("expected an empty folder");
});

test("how the data is cut into parts does not change a row", async () => {
  await run(join(folder, "ratings.jsonl"), "one-part");
  const [one] = await collect((await openEmbeddingSet(join(folder, "one-part"))).ratings());
  const parts = await collect((await openEmbeddingSet(join(folder, "ratings"))).ratings());
  const joined = parts.flatMap((chunk) => [...chunk.embeddings]);
  expect([...one!.embeddings]).toEqual(joined);
});

test("the plan says before anything is computed what a run will cost, and what is there already", async () => {
  const path = join(folder, "ratings.jsonl");
  const plans: EmbedPlan[] = [];
  const onPlan = (plan: EmbedPlan) => plans.push(plan);
  await run(path, "planned", { partRows: 10, ...stopAtOnce(), onPlan });
  await run(path, "planned", { partRows: 10, onPlan });
  const tokens = ratings.reduce((sum, { prompt, response }) => {
    const messages = [
      { role: "user", content: prompt },
      { role: "assistant", content: response },
    ];
    return sum + chat.encode(messages).ids.length;
  }, 0);
  expect(plans[0]).toMatchObject({ rows: 23, tokens, parts: 3, partsDone: 0, rowsDone: 0 });
  expect(plans[1]).toEqual({ ...plans[0]!, partsDone: 1, rowsDone: 10 });
  const files = readdirSync(join(folder, "planned")).filter((name) => name.endsWith(".safetensors"));
  const bytes = files.reduce((sum, name) => sum + statSync(join(folder, "planned", name)).size, 0);
  expect(plans[0]!.bytes / bytes).toBeGreaterThan(0.9);
  expect(plans[0]!.bytes / bytes).toBeLessThan(1.1);
});

test("a sample of many rows is spread over all of them, and the estimate is close", async () => {
  const many = Array.from({ length: 1000 }, (_, i) => ({
    prompt: "Go on.",
    response: words(1 + (i % 50) + (i > 500 ? 40 : 0)),
    ratings: { quality: 1 },
  }));
  const data = await withFiles([parseDataLocation(writeRows("many.jsonl", many))]);
  const survey = await surveyData({ kind: "ratings", data });
  expect(survey.sample.length).toBeGreaterThanOrEqual(64);
  expect(survey.sample.length).toBeLessThan(128);
  const context = { chat, maxTokens: 1024, overlong: "reject", objectives: ["quality"] } as const;
  const { tokens } = estimateSize("ratings", survey, context, 256);
  const exact = many.reduce((sum, { prompt, response }) => {
    const messages = [
      { role: "user", content: prompt },
      { role: "assistant", content: response },
    ];
    return sum + chat.encode(messages).ids.length;
  }, 0);
  expect(Math.abs(tokens / exact - 1)).toBeLessThan(0.05);
});

test("a run that died while it wrote its first manifest is continued, and what it left is cleaned up", async () => {
  const path = join(folder, "ratings.jsonl");
  const out = join(folder, "died");
  mkdirSync(out);
  writeFileSync(join(out, ".manifest.json.tmp"), "{");
  await run(path, "died", { partRows: 10, ...stopAtOnce() });
  writeFileSync(join(out, "ratings-00002-of-00003.safetensors.1-ab.tmp"), "half");
  const manifest = await run(path, "died", { partRows: 10 });
  expect(manifest).toMatchObject({ complete: true, rowsOut: 23 });
  expect(readdirSync(out)).toEqual(readdirSync(join(folder, "ratings")));
});

/** What a set holds of its rows. */
const infosOf = async (name: string) =>
  (await collect((await openEmbeddingSet(join(folder, name))).rowInfos())).flat();

test("files that come into a folder of data during a run are not read: every pass reads those that it began with", async () => {
  mkdirSync(join(folder, "growing"));
  const rowsOf = (letter: string) =>
    ratings.slice(0, 4).map((row, i) => ({ ...row, id: `${letter}${i}`, prompt: `${letter} ${i}?` }));
  for (const letter of ["a", "c"]) writeRows(`growing/${letter}.jsonl`, rowsOf(letter));
  const onPlan = () => void writeRows("growing/b.jsonl", rowsOf("b"));
  const manifest = await run(join(folder, "growing"), "grown", { onPlan });
  expect(manifest).toMatchObject({ complete: true, rowsIn: 8, rowsOut: 8, data: [{ rows: 8 }] });
  const ids = (await infosOf("grown")).map(({ id }) => id);
  expect(ids).toEqual(["a0", "a1", "a2", "a3", "c0", "c1", "c2", "c3"]);
  await expect(run(join(folder, "growing"), "grown")).rejects.toMatchObject({ code: "output-not-empty" });
});

test("a wish to stop before the first part computes none, and one of a finished set leaves it finished", async () => {
  const path = join(folder, "ratings.jsonl");
  const signal = AbortSignal.abort();
  let asked = 0;
  const whole = backbone;
  backbone = {
    ...whole,
    hiddenStates(...call) {
      asked++;
      return whole.hiddenStates(...call);
    },
  };
  try {
    expect(await run(path, "never", { partRows: 10, signal })).toMatchObject({ complete: false, parts: [] });
    const stop = new AbortController();
    const onPlan = () => stop.abort();
    expect(await run(path, "never", { partRows: 10, signal: stop.signal, onPlan })).toMatchObject({
      complete: false,
      parts: [],
    });
  } finally {
    backbone = whole;
  }
  expect(asked).toBe(0);
  expect(await run(path, "ratings", { partRows: 10, signal })).toMatchObject({ complete: true, rowsOut: 23 });
  await openEmbeddingSet(join(folder, "ratings"));
});

test("a strict run does not take over parts that were made with rows left out", async () => {
  const path = writeRows("one-long.jsonl", [ratings[0], { ...ratings[1], response: words(3000) }]);
  await run(path, "lenient");
  await expect(run(path, "lenient", { strict: true })).rejects.toMatchObject({
    code: "bad-row",
    message: expect.stringMatching(/\d+ tokens/),
  });
  expect(await run(path, "lenient")).toMatchObject({ complete: true, rowsOut: 1 });
});

test("a scale that no objective has is refused; ratings that are not asked for cost no row", async () => {
  const path = join(folder, "ratings.jsonl");
  const scales = [parseScale("quality=0:1"), parseScale("qualty=0:1")];
  await expect(run(path, "mistyped", { scales })).rejects.toMatchObject({
    code: "unused-scale",
    message: expect.stringMatching(/got "qualty"$/),
    remedy: expect.stringMatching(/rate quality, clarity;/),
  });
  const outside = writeRows("outside.jsonl", [{ ...ratings[0], ratings: { quality: 1, clarity: 9 } }]);
  const asked = { objectives: ["quality"], scales: [parseScale("*=0:1")] };
  expect(await run(outside, "not-asked", asked)).toMatchObject({ rowsOut: 1, rejections: [] });
});

test("a row that is rejected has the name of its source, where one file is named twice", async () => {
  const path = writeRows("twice.jsonl", [ratings[0], { prompt: "No response." }]);
  const data = [parseDataLocation(`x=${path}`), parseDataLocation(`y=${path}`)];
  const { rejections } = await run(path, "twice", { data });
  expect(rejections.map(({ row, source }) => [row, source])).toEqual([
    [1, "x"],
    [3, "y"],
  ]);
});

test("a row of UltraFeedback without completions is a row that is left out", async () => {
  const rated = { response: "red", overall_score: 3, annotations: {} };
  const rows = [
    { instruction: "Name a colour.", completions: [rated] },
    { instruction: "Name another.", completions: [] },
  ];
  expect(await run(writeRows("ultra.jsonl", rows), "ultra")).toMatchObject({
    rowsIn: 2,
    rowsOut: 1,
    rejections: [
      { row: 1, kind: "invalid", reason: expect.stringMatching(/completions: expected at least one/) },
    ],
  });
});

test("parts of more rows than a file can name are refused before anything is computed", async () => {
  const path = join(folder, "ratings.jsonl");
  await expect(run(path, "huge", { partRows: 131_073 })).rejects.toMatchObject({
    code: "bad-part-rows",
    message: expect.stringMatching(/expected at most 131072, got 131073/),
  });
  const many = writeRows("many-responses.jsonl", [
    { prompt: "?", responses: Array(100).fill("red"), labels: Array(100).fill(1) },
  ]);
  await expect(run(many, "huge", { kind: "best-of-n", partRows: 1311 })).rejects.toMatchObject({
    message: expect.stringMatching(/expected at most 1310, got 1311/),
  });
});

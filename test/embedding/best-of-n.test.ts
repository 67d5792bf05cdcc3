import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Backbone, openBackbone } from "../../src/backbone/backbone.ts";
import { type Chat, openChat } from "../../src/chat/chat.ts";
import type { Message } from "../../src/chat/messages.ts";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { parseDataLocation } from "../../src/data/location.ts";
import { type EmbedOptions, embed } from "../../src/embedding/embed.ts";
import { type BestOfNChunk, openEmbeddingSet } from "../../src/embedding/embedding-set.ts";
import type { EmbedPlan } from "../../src/embedding/plan.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-best-of-n-"));
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

const H = 256;
const words = (n: number) =>
  Array.from({ length: n }, (_, i) => ["red", "green", "blue", "old", "new"][i % 5]).join(" ");
// 1 to 4 responses; the first two of a row are equal where there are several.
const rows = Array.from({ length: 11 }, (_, i) => ({
  id: i % 2 === 0 ? `ref:${i}` : `tied:${i}`,
  prompt: `What is ${i} + 1?`,
  responses: Array.from(
    { length: 1 + (i % 4) },
    (_, r) => `${words(Math.max(0, r - 1))} A: ${i + Math.max(1, r)}.0`,
  ),
  labels: Array.from({ length: 1 + (i % 4) }, (_, r) => (r < 2 ? 1 : 0.1 * r)),
  subset: i < 5 ? "Ties" : "Math",
}));
const responseCount = rows.reduce((sum, { responses }) => sum + responses.length, 0);

function writeRows(name: string, values: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, values.map((value) => JSON.stringify(value)).join("\n"));
  return path;
}
const path = writeRows("rows.jsonl", rows);

const run = (out: string, options: Partial<EmbedOptions> = {}, file = path) =>
  embed(backbone, chat, {
    kind: "best-of-n",
    data: [parseDataLocation(file)],
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

async function chunksOf(out: string): Promise<BestOfNChunk[]> {
  const chunks: BestOfNChunk[] = [];
  for await (const chunk of (await openEmbeddingSet(join(folder, out))).bestOfN()) chunks.push(chunk);
  return chunks;
}

/** Rows of a set one by one, whatever the chunks. */
const rowsOf = (chunks: readonly BestOfNChunk[]) =>
  chunks.flatMap(({ rows: infos, offsets, embeddings, promptEmbeddings, labels, responseTokens }) =>
    infos.map((info, i) => {
      const [from, to] = [offsets[i]!, offsets[i + 1]!];
      return {
        info,
        prompt: promptEmbeddings.slice(i * H, (i + 1) * H),
        responses: embeddings.slice(from * H, to * H),
        labels: [...labels.subarray(from, to)],
        tokens: [...responseTokens.subarray(from, to)],
      };
    }),
  );

/** What the backbone says of a conversation, without the embedding room. */
async function statesOf(prompt: readonly Message[] | string, response: string) {
  const asked = typeof prompt === "string" ? [{ role: "user", content: prompt } as const] : prompt;
  const { ids, gatingPosition, promptLength } = chat.encode([
    ...asked,
    { role: "assistant", content: response },
  ]);
  const [states] = await backbone.hiddenStates([{ ids, positions: [gatingPosition, ids.length - 1] }]);
  return { prompt: states!.slice(0, H), last: states!.slice(H), tokens: ids.length - promptLength, ids };
}

test("rows become one vector per response and one per prompt, with labels, answers, ids and subsets", async () => {
  const manifest = await run("set", { partRows: 4 });
  expect(manifest).toMatchObject({
    complete: true,
    kind: "best-of-n",
    rowsIn: 11,
    rowsOut: 11,
    rejections: [],
  });
  expect(manifest.responses).toBe(responseCount);
  expect(manifest.parts.map((part) => part.rows)).toEqual([4, 4, 3]);
  expect(manifest.parts[0]!.file).toBe("best-of-n-00001-of-00003.safetensors");
  const embedded = rowsOf(await chunksOf("set"));
  expect(embedded.length).toBe(11);
  for (const [i, { id, prompt, responses, labels, subset }] of rows.entries()) {
    const { info, ...numbers } = embedded[i]!;
    const finalAnswers = responses.map((_, r) => String(i + Math.max(1, r)));
    expect(info).toMatchObject({ row: i, id, subset, source: "rows", finalAnswers });
    expect(numbers.labels).toEqual(labels);
    for (const [r, response] of responses.entries()) {
      const expected = await statesOf(prompt, response);
      expect(numbers.responses.slice(r * H, (r + 1) * H)).toEqual(expected.last);
      expect(numbers.prompt).toEqual(expected.prompt);
      expect(numbers.tokens[r]).toBe(expected.tokens);
    }
  }
});

test("an aborted run continues to the same bytes, and parts do not change a row", async () => {
  const stop = new AbortController();
  const onProgress = () => stop.abort();
  expect(await run("resumed", { partRows: 4, signal: stop.signal, onProgress })).toMatchObject({
    complete: false,
    rowsOut: 4,
  });
  await run("resumed", { partRows: 4 });
  const names = readdirSync(join(folder, "set"));
  expect(readdirSync(join(folder, "resumed"))).toEqual(names);
  for (const name of names) {
    const [a, b] = ["set", "resumed"].map((out) => readFileSync(join(folder, out, name)));
    expect(a!.equals(b!)).toBe(true);
  }
  await run("one-part");
  expect(rowsOf(await chunksOf("one-part"))).toEqual(rowsOf(await chunksOf("set")));
});

test("one response that is too long rejects its row, by name, and the others go on", async () => {
  const long = { ...rows[2], responses: ["short", words(3000)], labels: [1, 0] };
  const file = writeRows("long.jsonl", [rows[0], long, { ...rows[1], labels: [] }, rows[3]]);
  const manifest = await run("long", {}, file);
  expect(manifest).toMatchObject({ rowsIn: 4, rowsOut: 2, responses: 1 + 4 });
  expect(manifest.rejections).toMatchObject([
    {
      row: 1,
      id: "ref:2",
      kind: "too-long",
      reason: expect.stringMatching(/^responses\[1\]: too long: \d+ tokens/),
    },
    {
      row: 2,
      id: "tied:1",
      kind: "invalid",
      reason: expect.stringMatching(/labels: expected one for each of 2/),
    },
  ]);
  expect(rowsOf(await chunksOf("long")).map(({ info }) => info.row)).toEqual([0, 3]);
});

test("a part of rejected rows alone holds no row", async () => {
  const long = { prompt: "p", responses: [words(3000)], labels: [1] };
  await run("empty-part", { partRows: 1 }, writeRows("empty-part.jsonl", [long, rows[3]]));
  expect(rowsOf(await chunksOf("empty-part")).map(({ info }) => info.row)).toEqual([1]);
});

test("all responses answer one prompt where turns are dropped: the longest decides", async () => {
  const prompt: Message[] = [
    { role: "user", content: words(60) },
    { role: "assistant", content: words(60) },
    { role: "user", content: "And now?" },
  ];
  const responses = ["Yes.", words(40), "No."];
  const file = writeRows("turns.jsonl", [{ prompt, responses, labels: [1, 0, 0] }]);
  const { ids } = await statesOf(prompt, "No.");
  const manifest = await run("turns", { maxTokens: ids.length + 5, overlong: "drop-oldest-turns" }, file);
  expect(manifest.rejections).toEqual([]);
  const [row] = rowsOf(await chunksOf("turns"));
  for (const [r, response] of responses.entries()) {
    const expected = await statesOf("And now?", response);
    expect(row!.responses.slice(r * H, (r + 1) * H)).toEqual(expected.last);
    expect(row!.prompt).toEqual(expected.prompt);
  }
});

test("rows with many responses are read in chunks that end with a row", async () => {
  const many = [3000, 1, 1095, 1, 5000, 2].map((count, i) => ({
    prompt: `p${i}`,
    responses: Array.from({ length: count }, () => "x"),
    labels: Array.from({ length: count }, (_, r) => r),
  }));
  const narrow = Object.assign(Object.create(backbone), {
    // One state for all: the layout is what is looked at.
    hiddenStates: async (requests: readonly { positions: readonly number[] }[]) =>
      requests.map(({ positions }) => new Float32Array(positions.length * H)),
  }) as Backbone;
  const file = writeRows("many.jsonl", many);
  const manifest = await embed(narrow, chat, {
    kind: "best-of-n",
    data: [parseDataLocation(file)],
    out: join(folder, "many"),
    location: "tiny",
    chatSettings: {
      fingerprint: chat.fingerprint,
      bos: chat.bos,
      specialTokens: "text",
      chatTemplate: null,
      gatingPattern: null,
    },
  });
  // 16384 responses per part, if every row had 5000.
  expect(manifest.parts.map((part) => part.rows)).toEqual([3, 3]);
  const chunks = await chunksOf("many");
  expect(chunks.map(({ offsets }) => [...offsets])).toEqual([
    [0, 3000, 3001, 4096],
    [0, 1],
    [0, 5000],
    [0, 2],
  ]);
  for (const [i, row] of rowsOf(chunks).entries()) expect(row.labels).toEqual(many[i]!.labels);
});

test("the plan counts every response, exactly where a row has few", async () => {
  const plans: EmbedPlan[] = [];
  await run("planned", { onPlan: (plan) => plans.push(plan) });
  const tokens = await Promise.all(
    rows.flatMap(({ prompt, responses }) =>
      responses.map(async (text) => (await statesOf(prompt, text)).ids.length),
    ),
  );
  expect(plans[0]).toMatchObject({ rows: 11, parts: 1, tokens: tokens.reduce((sum, n) => sum + n, 0) });
  const { size } = statSync(join(folder, "planned", "best-of-n-00001-of-00001.safetensors"));
  expect(plans[0]!.bytes / size).toBeGreaterThan(0.9);
  expect(plans[0]!.bytes / size).toBeLessThan(1.1);
});

test("other kinds are refused by name", async () => {
  const set = await openEmbeddingSet(join(folder, "set"));
  expect(() => set.expect("pairs")).toThrow("expected embedded pairs, got best-of-n");
  expect(() => set.expect("ratings", "pairs")).toThrow("expected embedded ratings or pairs, got best-of-n");
  expect(() => set.expect("best-of-n")).not.toThrow();
  await expect(set.pairs().next()).rejects.toMatchObject({ code: "wrong-embedding-kind" });
});

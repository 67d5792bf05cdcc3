// Rows that are wrong or odd, as a user meets them: counted with an example, and the end of the run under --strict.

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openChat } from "../../src/chat/chat.ts";
import { EMBEDDED_DIRECTORY } from "../../src/checkpoint/location.ts";
import { readSafetensors, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { openBackbone } from "../../src/index.ts";
import { startEngine } from "../backbone/remote/fake-engine.ts";
import { type Column, conversations, doubles, lists, parquetBytes, strings } from "../data/parquet-file.ts";
import { runCli } from "../run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "armorm-strict-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

type Row = Readonly<Record<string, unknown>>;
const QUOTED = /[",\n]/;
const cell = (value: unknown): string => {
  const text = typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
/** A column of a Parquet file has one type: strings beside conversations become conversations. */
function parquetColumn(name: string, values: readonly unknown[]): Column {
  const sample = values.filter((value) => value !== null);
  if (sample.every((value) => typeof value === "number")) return doubles(name, values as number[]);
  if (sample.every((value) => typeof value === "string")) return strings(name, values as string[]);
  const isTurn = (value: unknown) => typeof value === "object" && value !== null && "role" in value;
  if (!sample.some((value) => Array.isArray(value) && isTurn(value[0])))
    return lists(name, values as string[][]);
  const asTurns = values.map((value) =>
    typeof value === "string" ? [{ role: "user", content: value }] : value,
  );
  return conversations(name, asTurns as Parameters<typeof conversations>[1]);
}
function write(name: string, rows: readonly Row[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (name.endsWith(".parquet")) {
    const values = (column: string) => rows.map((row) => row[column] ?? null);
    writeFileSync(at(name), parquetBytes(columns.map((column) => parquetColumn(column, values(column)))));
    return at(name);
  }
  const lines = name.endsWith(".csv")
    ? [columns.join(), ...rows.map((row) => columns.map((column) => cell(row[column])).join())]
    : rows.map((row) => JSON.stringify(row));
  writeFileSync(at(name), `${lines.join("\n")}\n`);
  return at(name);
}

const rating = (id: number, more: Row = {}) => ({
  id,
  prompt: `Name ${id}.`,
  response: "Red.",
  quality: 1 + (id % 4),
  ...more,
});
const pair = (id: number, more: Row = {}) => ({
  id,
  prompt: `Name ${id}.`,
  chosen: "Red.",
  rejected: "No.",
  ...more,
});
const best = (id: number, more: Row = {}) => ({
  id,
  prompt: `Name ${id}.`,
  responses: ["Red.", "No."],
  labels: [1, 0],
  ...more,
});
const KINDS = { ratings: rating, pairs: pair, "best-of-n": best } as const;
const twice = [
  { role: "user", content: "Name a colour." },
  { role: "user", content: "Please." },
];
const answered = (content: string) => [...twice, { role: "assistant", content }];

const embed = (kind: string, data: string, out: string, ...more: string[]) => {
  const objectives = kind === "ratings" ? ["--objectives", "quality"] : [];
  return runCli([
    "embed",
    "--backbone",
    "tiny",
    "--kind",
    kind,
    "--data",
    data,
    "--out",
    at(out),
    ...objectives,
    ...more,
  ]);
};

interface Expected {
  readonly rowsOut: number;
  /** Of the manifest's rejection, or of a line on stderr. */
  readonly rejected?: string;
  readonly noted?: string;
}

async function expectCounted(kind: string, data: string, name: string, wanted: Expected, ...more: string[]) {
  const { stdout, stderr, code } = await embed(kind, data, `${name}-counted`, "--json", ...more);
  const manifest = JSON.parse(stdout);
  expect(manifest).toMatchObject({ complete: true, rowsIn: 3, rowsOut: wanted.rowsOut });
  expect(manifest.rejections).toHaveLength(3 - wanted.rowsOut);
  if (wanted.rejected) expect(manifest.rejections[0].reason).toContain(wanted.rejected);
  if (wanted.noted) expect(stderr).toContain(wanted.noted);
  expect(code).toBe(manifest.rejections.some((row: { kind: string }) => row.kind === "invalid") ? 2 : 0);
  const strict = await embed(kind, data, `${name}-strict`, "--strict", ...more);
  expect(strict.code).toBe(2);
  expect(strict.stderr).toMatch(/^error: /m);
  expect(strict.stderr).not.toMatch(/\n\s+at /);
  const example = wanted.rejected ?? /\(the first: (.*)\)$/m.exec(stderr)![1]!;
  expect(strict.stderr).toContain(example);
}

/** What is wrong with the second of three rows. */
const CASES: readonly [
  name: string,
  kind: keyof typeof KINDS,
  bad: Row,
  wanted: Expected,
  formats?: readonly string[],
][] = [
  ["a missing column", "ratings", { response: undefined }, { rowsOut: 2, rejected: "response" }],
  ["a missing column", "pairs", { rejected: undefined }, { rowsOut: 2, rejected: "rejected" }],
  ["a missing column", "best-of-n", { labels: undefined }, { rowsOut: 2, rejected: "labels" }],
  [
    "another kind of row",
    "pairs",
    { chosen: undefined, rejected: undefined, response: "Red.", quality: 2 },
    { rowsOut: 2, rejected: "chosen" },
  ],
  [
    "another kind of row",
    "ratings",
    { response: undefined, quality: undefined, chosen: "Red.", rejected: "No." },
    { rowsOut: 2, rejected: "expected ratings, got a preference pair" },
  ],
  [
    "another kind of row",
    "best-of-n",
    { responses: undefined, labels: undefined, chosen: "Red.", rejected: "No." },
    { rowsOut: 2, rejected: "responses" },
  ],
  [
    "an empty response",
    "ratings",
    { response: " " },
    { rowsOut: 2, rejected: "expected text, got an empty response" },
  ],
  [
    "an empty response",
    "best-of-n",
    { responses: ["", "No."] },
    { rowsOut: 3, noted: "1 rows with an empty response" },
  ],
  ["a repeated id", "ratings", { id: 0 }, { rowsOut: 3, noted: "1 rows with the id of an earlier one" }],
  ["a repeated id", "pairs", { id: 0 }, { rowsOut: 3, noted: "1 rows with the id of an earlier one" }],
  [
    "turns that do not alternate",
    "ratings",
    { prompt: undefined, response: undefined, messages: answered("Red.") },
    { rowsOut: 3, noted: "1 rows with turns that do not alternate" },
  ],
  [
    "turns that do not alternate",
    "pairs",
    { prompt: twice },
    { rowsOut: 3, noted: "1 rows with turns that do not alternate" },
    ["jsonl", "parquet"], // a prompt in CSV is text
  ],
];

describe.each(CASES)("%s among %s", (name, kind, bad, wanted, formats) => {
  test.each(formats ?? ["jsonl", "csv", "parquet"])(
    "in %s is counted with an example, and fatal under --strict",
    async (extension) => {
      const key = `${name}-${kind}-${extension}`.replaceAll(" ", "-");
      const rows = [0, 1, 2].map((id) => (id === 1 ? KINDS[kind](id, bad) : KINDS[kind](id)));
      await expectCounted(kind, write(`${key}.${extension}`, rows), key, wanted);
    },
  );
});

test("a rating outside the declared scale, and a conversation that is too long", async () => {
  const scaled = write("scaled.csv", [rating(0), rating(1, { quality: 7 }), rating(2)]);
  const outside = { rowsOut: 2, rejected: 'rating "quality": expected 0 to 5, got 7' };
  await expectCounted("ratings", scaled, "scaled", outside, "--scale", "quality=0:5");
  const long = write("long.jsonl", [rating(0), rating(1, { response: "red ".repeat(200) }), rating(2)]);
  await expectCounted("ratings", long, "long", { rowsOut: 2, rejected: "tokens" }, "--max-tokens", "100");
});

test("a shard with a row that is rejected is done: exit code 0, again too, and merge names the row", async () => {
  const data = write("sharded.jsonl", [rating(0), rating(1, { response: undefined }), rating(2)]);
  const whole = await embed("ratings", data, "sharded-whole", "--part-rows", "1");
  expect(whole.code).toBe(2);
  for (const shard of ["1/3", "2/3", "3/3", "2/3"]) {
    const { code } = await embed("ratings", data, "sharded", "--part-rows", "1", "--shard", shard);
    expect(code, shard).toBe(0);
  }
  const merged = await runCli(["merge", at("sharded")]);
  expect(merged).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/rejected, invalid: 1 \(the first: /),
  });
});

describe("a row whose states are not finite is counted with an example, and fatal under --strict; the others keep their bytes", () => {
  const rows = [rating(0), rating(1, { response: "Ω".repeat(20) }), rating(2)];
  const data = write("one-nan.jsonl", rows);
  const wanted = { rowsOut: 2, rejected: "hidden states not finite" };

  async function expectOthersKept(name: string): Promise<void> {
    const set = (out: string) => readSafetensors(at(`${out}/ratings-00001-of-00001.safetensors`));
    await embed("ratings", data, "one-nan-sound", "--dtype", "f32");
    const sound = (await set("one-nan-sound")).get("embeddings")!; // [3, H]
    const kept = (await set(`${name}-counted`)).get("embeddings")!; // [2, H]
    const H = sound.shape[1]!;
    expect(kept.shape).toEqual([2, H]);
    const all = sound.data as Float32Array;
    expect(kept.data).toEqual(Float32Array.of(...all.subarray(0, H), ...all.subarray(2 * H)));
  }

  test("from an engine, which is asked for that row once more", async () => {
    const backbone = await openBackbone("tiny", { dtype: "f32" });
    const bend = (values: Float32Array, ids: readonly number[]) =>
      ids.length > 40 ? values.fill(Number.NaN, 7, 8) : values;
    const engine = await startEngine({ protocol: "vllm", backbone, bend });
    await expectCounted("ratings", data, "nan-row", wanted, "--backbone", `vllm+http://${engine.host}#tiny`);
    // By the first run: the probe, all rows, the second one again; then by the strict one.
    expect(engine.seen.slice(0, 3).map(({ body }) => body.input.length)).toEqual([1, 3, 1]);
    expect(engine.seen).toHaveLength(6);
    await expectOthersKept("nan-row");
    await engine.stop();
    await backbone.close();
  });

  test("from a checkpoint whose row of one token is damaged", async () => {
    cpSync(EMBEDDED_DIRECTORY, at("hole"), { recursive: true });
    const path = at("hole/model.safetensors");
    const tensors = await readSafetensors(path);
    const [name, table] = [...tensors].find(([key]) => key.endsWith("embed_tokens.weight"))!;
    const chat = await openChat(EMBEDDED_DIRECTORY);
    const damaged = table.data.slice();
    const H = table.shape[1]!;
    const nan = table.dtype === "BF16" ? 0x7fc0 : table.dtype === "F16" ? 0x7e00 : Number.NaN;
    const begin = chat.encodeText("").length;
    for (const id of chat.encodeText("Ω").slice(begin)) damaged.fill(nan as never, id * H, (id + 1) * H);
    rmSync(path);
    await writeSafetensors(
      path,
      new Map(tensors).set(name, { ...table, data: damaged as typeof table.data }),
    );
    const local = ["--backbone", at("hole"), "--dtype", "f32"];
    await expectCounted("ratings", data, "hole-row", wanted, ...local);
    await expectOthersKept("hole-row");
  });

  test("even where it is a part by itself, once others are there; not where nothing is", async () => {
    const backbone = await openBackbone("tiny", { dtype: "f32" });
    const bend = (values: Float32Array, ids: readonly number[]) =>
      ids.length > 40 ? values.fill(Number.NaN, 7, 8) : values;
    const engine = await startEngine({ protocol: "vllm", backbone, bend });
    const at1 = ["--part-rows", "1", "--backbone", `vllm+http://${engine.host}#tiny`];
    const { code, stdout } = await embed("ratings", data, "nan-part", "--json", ...at1);
    expect(JSON.parse(stdout)).toMatchObject({ complete: true, rowsOut: 2, rejections: [{ row: 1 }] });
    expect(code).toBe(2);
    const first = write("first-nan.jsonl", [rows[1]!, rows[0]!]);
    const refused = await embed("ratings", first, "nan-first", ...at1);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/every row of a part/) });
    await engine.stop();
    await backbone.close();
  });
});

describe("states that are not finite end the run in one line, with no part left behind", () => {
  const data = write("fine.jsonl", [rating(0), rating(1), rating(2)]);
  const refused = async (backbone: string, out: string) => {
    const { code, stderr } = await embed("ratings", data, out, "--backbone", backbone);
    expect(stderr).toMatch(/^error: .*(NaN|finite)/m);
    expect(code).toBe(2);
    expect(JSON.parse(readFileSync(at(`${out}/manifest.json`), "utf8"))).toMatchObject({
      complete: false,
      rowsOut: 0,
    });
    expect(existsSync(at(`${out}/ratings-00001-of-00001.safetensors`))).toBe(false);
  };

  test("from an engine", async () => {
    const backbone = await openBackbone("tiny", { dtype: "f32" });
    // Not yet when it is tried out, with 16 tokens, before anything is embedded.
    const bend = (values: Float32Array, ids: readonly number[]) =>
      ids.length > 16 ? values.fill(Number.NaN, 7, 8) : values;
    const engine = await startEngine({ protocol: "vllm", backbone, bend });
    await refused(`vllm+http://${engine.host}?dtype=f32#tiny`, "nan-engine");
    await engine.stop();
    await backbone.close();
  });

  test("from a checkpoint whose weights are damaged", async () => {
    cpSync(EMBEDDED_DIRECTORY, at("damaged"), { recursive: true });
    const path = at("damaged/model.safetensors");
    const tensors = await readSafetensors(path);
    const [name, tensor] = [...tensors].find(([key]) => key.endsWith("norm.weight"))!;
    const data = tensor.data.slice();
    data.fill((tensor.dtype === "BF16" ? 0x7fc0 : tensor.dtype === "F16" ? 0x7e00 : Number.NaN) as never);
    rmSync(path);
    await writeSafetensors(path, new Map(tensors).set(name, { ...tensor, data: data as typeof tensor.data }));
    await refused(at("damaged"), "nan-weights");
  });
});
